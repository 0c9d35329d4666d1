//! Recovery: the time until service is back after the provider is, by fault. `tests/e2e/health/matrix.rs` measures
//! the same with the real binary and real time.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{FuturesUnordered, StreamExt};
use parking_lot::Mutex;
use tokio::time::{Instant, interval, timeout};

use crate::chat_fixtures::{COMPLETION, DONE, ERROR, ROLE, error_body, stream};
use crate::fake_upstream::{FakeUpstream, Piece, Script};
use crate::stage::{SECOND, Setting, Stage, read_body, run_paused};

/// How soon service must be back.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Guess {
    /// 5xx, overloads, empty and malformed responses, resets, timeouts: 2 s.
    Outage,
    /// One refusal: 5 s.
    Refusal,
}

struct Fault {
    name: &'static str,
    is_stream: bool,
    guess: Guess,
    script: fn() -> Script,
}

const fn whole(name: &'static str, guess: Guess, script: fn() -> Script) -> Fault {
    Fault {
        name,
        is_stream: false,
        guess,
        script,
    }
}

const fn streamed(name: &'static str, guess: Guess, script: fn() -> Script) -> Fault {
    Fault {
        name,
        is_stream: true,
        guess,
        script,
    }
}

fn page(status: u16) -> Script {
    let page = Piece::Chunk(Bytes::from_static(b"<html>out of order</html>"));
    Script::response(status, "text/html", vec![page])
}

const FAULTS: [Fault; 28] = [
    whole("401", Guess::Refusal, || page(401)),
    whole("403", Guess::Refusal, || page(403)),
    whole("404", Guess::Refusal, || page(404)),
    whole("405", Guess::Refusal, || page(405)),
    whole("501", Guess::Refusal, || page(501)),
    whole("408", Guess::Outage, || page(408)),
    whole("500", Guess::Outage, || page(500)),
    whole("502", Guess::Outage, || page(502)),
    whole("503", Guess::Outage, || page(503)),
    whole("504", Guess::Outage, || page(504)),
    whole("520", Guess::Outage, || page(520)),
    whole("529", Guess::Outage, || page(529)),
    whole("overloaded", Guess::Outage, || {
        Script::json(503, error_body("busy", "overloaded_error"))
    }),
    whole("empty", Guess::Outage, || Script::json(200, "")),
    whole("malformed", Guess::Outage, || {
        Script::json(200, "{\"choices\":[")
    }),
    whole("page", Guess::Outage, || page(200)),
    whole("refused", Guess::Outage, Script::refuse),
    whole("reset", Guess::Outage, || {
        Script::json(200, "{").then(Piece::Break)
    }),
    streamed("s-401", Guess::Refusal, || page(401)),
    streamed("s-500", Guess::Outage, || page(500)),
    streamed("s-529", Guess::Outage, || page(529)),
    streamed("s-empty", Guess::Outage, || {
        Script::events(Vec::<&str>::new())
    }),
    streamed("s-done", Guess::Outage, || Script::events([DONE])),
    streamed("s-error-first", Guess::Outage, || Script::events([ERROR])),
    streamed("s-error-preamble", Guess::Outage, || {
        Script::events([ROLE, ERROR])
    }),
    streamed("s-reset-preamble", Guess::Outage, || {
        Script::events([ROLE]).then(Piece::Break)
    }),
    streamed("s-silence", Guess::Outage, Script::hang),
    streamed("s-stall-preamble", Guess::Outage, || {
        Script::events([ROLE]).then(Piece::Hang)
    }),
];

/// The interval between two requests of other clients.
const POLL: Duration = Duration::from_millis(100);

/// How long a silent response may take.
const SILENCE: Duration = Duration::from_millis(500);

/// The longest wait for a recovery.
const LIMIT: Duration = Duration::from_secs(120);

/// A fault that ends after the first requests.
const ONCE: Duration = Duration::from_millis(50);

fn stage(fault: &'static Fault, credentials: usize, blip: Duration) -> Stage {
    let start = Instant::now();
    let mut setting = Setting::new(credentials);
    // Each call fails at once, so that it measures nothing but the pool.
    setting.retry.rounds = 1;
    setting.timeouts.first_byte = SILENCE;
    setting.timeouts.idle = SILENCE;
    setting.stage(FakeUpstream::new(move |_, _| {
        if start.elapsed() < blip {
            return (fault.script)();
        }
        if fault.is_stream {
            return Script::events(stream());
        }
        Script::json(200, COMPLETION)
    }))
}

/// Makes one call of a client; returns its text and whether it was served.
async fn is_served(
    stage: &Stage,
    fault: &Fault,
    client: &'static str,
    text: String,
) -> (String, bool) {
    let mut call = stage.call(fault.is_stream);
    call.principal = Arc::from(client);
    let body = format!(r#"{{"model":"model","messages":[],"user":"{text}"}}"#);
    call.body = Bytes::from(body);
    let Ok(response) = stage.dispatcher.call(call).await else {
        return (text, false);
    };
    let (body, error) = read_body(response).await;
    let read = String::from_utf8_lossy(&body).into_owned();
    let served = error.is_none() && (read.contains("two") || read == COMPLETION);
    (text, served)
}

/// Returns the time from the end of the fault to the first request that is served. Other clients than the first
/// one repeat their requests.
async fn recovery(fault: &'static Fault, credentials: usize, blip: Duration) -> Duration {
    let start = Instant::now();
    let stage = stage(fault, credentials, blip);
    let mut calls = FuturesUnordered::new();
    let mut ticks = interval(POLL);
    let mut number = 0;
    loop {
        tokio::select! {
            _ = ticks.tick() => {
                let client = if number == 0 { "one" } else { ["two", "three"][number % 2] };
                calls.push(is_served(&stage, fault, client, number.to_string()));
                number += 1;
            }
            Some((_, served)) = calls.next() => {
                if served {
                    return start.elapsed().saturating_sub(blip);
                }
            }
        }
        // The caller reports it with those of the other faults.
        if start.elapsed() > blip + LIMIT {
            return LIMIT;
        }
    }
}

#[test]
fn service_is_back_in_seconds() {
    let mut lines = vec!["fault              median    worst".to_owned()];
    let mut late = Vec::new();
    for fault in &FAULTS {
        let (bound, blips) = match fault.guess {
            Guess::Outage => (2 * SECOND, &[ONCE, 2 * SECOND, 30 * SECOND][..]),
            Guess::Refusal => (5 * SECOND, &[ONCE][..]),
        };
        // By the size of the pool and the length of the fault.
        let mut times = BTreeMap::new();
        for credentials in [1, 2, 5] {
            for blip in blips {
                let time = run_paused(recovery(fault, credentials, *blip));
                times.insert((time, credentials, *blip), ());
            }
        }
        let sorted: Vec<_> = times.into_keys().collect();
        let [median, worst] = [sorted[sorted.len() / 2], sorted[sorted.len() - 1]];
        lines.push(format!(
            "{:<18} {:>6.2} s {:>6.2} s",
            fault.name,
            median.0.as_secs_f64(),
            worst.0.as_secs_f64()
        ));
        if worst.0 > bound + POLL {
            late.push(format!(
                "{}: {worst:?} (time, credentials, length of the fault)",
                fault.name
            ));
        }
    }
    println!("{}", lines.join("\n"));
    assert!(
        late.is_empty(),
        "too late:\n{}\n{}",
        late.join("\n"),
        lines.join("\n")
    );
}

/// One client's request fails at every key, again and again: the plain requests of another client are all served.
/// 401 is not among the faults, since it is the key's that gave it.
#[test]
fn poison_never_stops_plain_requests() {
    let mut refused = Vec::new();
    for fault in FAULTS.iter().filter(|fault| !fault.name.ends_with("401")) {
        for (credentials, differs) in [(1, false), (2, false), (2, true), (5, true)] {
            let lost = run_paused(plain_requests_lost(fault, credentials, differs));
            if lost > 0 {
                let name = fault.name;
                refused.push(format!(
                    "{name}: {lost} of 30, {credentials} keys, differs: {differs}"
                ));
            }
        }
    }
    assert!(refused.is_empty(), "not served:\n{}", refused.join("\n"));
}

/// Poison each 2 s, a plain request each 10 s, for 5 minutes. Returns how many plain requests were not served.
async fn plain_requests_lost(fault: &'static Fault, credentials: usize, differs: bool) -> usize {
    let mut setting = Setting::new(credentials);
    setting.timeouts.first_byte = SILENCE;
    setting.timeouts.idle = SILENCE;
    let stage = setting.stage(FakeUpstream::by_request(move |request, _| {
        if !String::from_utf8_lossy(&request.body).contains("plain") {
            return (fault.script)();
        }
        if fault.is_stream {
            return Script::events(stream());
        }
        Script::json(200, COMPLETION)
    }));
    let mut calls = FuturesUnordered::new();
    let mut ticks = interval(2 * SECOND);
    let (mut number, mut lost) = (0, 0);
    while number < 150 || !calls.is_empty() {
        tokio::select! {
            _ = ticks.tick(), if number < 150 => {
                let text = if differs { format!("poison {number}") } else { "poison".to_owned() };
                calls.push(Box::pin(is_served(&stage, fault, "one", text)));
                if number % 5 == 4 {
                    calls.push(Box::pin(is_served(&stage, fault, "two", format!("plain {number}"))));
                }
                number += 1;
            }
            Some((text, served)) = calls.next() => {
                lost += usize::from(text.starts_with("plain") && !served);
            }
        }
    }
    lost
}

/// A whole response may take long, but from 60 s without a head on, new calls use other credentials.
#[tokio::test(start_paused = true)]
async fn slow_credential_is_avoided() {
    let stage = Setting::new(2).stage(FakeUpstream::new(|credential, _| match credential {
        "a" => Script::hang(),
        _ => Script::json(200, COMPLETION),
    }));
    let fault = FAULTS.iter().find(|fault| fault.name == "500").unwrap();
    let mut first = Box::pin(is_served(&stage, fault, "one", "first".to_owned()));
    tokio::select! {
        _ = &mut first => panic!("the first call ended early"),
        () = tokio::time::sleep(61 * SECOND) => {}
    }
    let start = Instant::now();
    assert!(is_served(&stage, fault, "two", "next".to_owned()).await.1);
    assert!(start.elapsed() < SECOND, "{:?}", start.elapsed());
    assert_eq!(stage.upstream.credentials(), ["a", "b"]);
}

/// A provider in an outage gets a request a second, whatever the number of clients and credentials, also where windows
/// end. Not counted are the requests of the first two seconds: until the failures of two clients are known, a failure may
/// be the request's, and the calls that came meanwhile try each credential.
#[test]
fn outage_costs_a_request_a_second() {
    for credentials in [1, 2, 5] {
        for latency in [Duration::ZERO, Duration::from_millis(300)] {
            let times = run_paused(requests_in_outage(credentials, latency));
            let (first, later): (Vec<Duration>, _) = times.iter().partition(|at| **at < 2 * SECOND);
            // The calls that came before the first failure try each credential; then there are trials of others.
            let calls = if latency.is_zero() { 1 } else { 3 };
            let most = calls * credentials + 8;
            assert!(first.len() <= most, "{credentials}: {times:?}");
            assert!((45..=59).contains(&later.len()), "{credentials}: {times:?}");
            let mut gaps = later.windows(2).map(|pair: &[Duration]| pair[1] - pair[0]);
            assert!(gaps.all(|gap| gap >= SECOND), "{credentials}: {times:?}");
        }
    }
}

/// While many clients' requests fail, an undecided trial holds up the next one for five seconds. A call that waits for
/// it has its turn as soon as the trial has ended: others that come later would otherwise have it.
#[tokio::test(start_paused = true)]
async fn waiting_call_has_its_turn_when_a_trial_ends_early() {
    let stage = Setting::new(1).stage(FakeUpstream::by_request(|request, _| {
        let body = String::from_utf8_lossy(&request.body).into_owned();
        if body.contains("good") {
            return Script::json(200, COMPLETION);
        }
        let latency = u64::from(body.contains("slow")) * 1_200;
        page(503).after(Duration::from_millis(latency))
    }));
    let fault = FAULTS.iter().find(|fault| fault.name == "503").unwrap();
    for client in ["one", "two", "three", "four"] {
        let call = is_served(&stage, fault, client, "bad".to_owned());
        // Each fails, and then waits for another round.
        assert!(timeout(2 * SECOND, call).await.is_err());
    }
    let sent = stage.upstream.credentials().len();
    let mut slow = Box::pin(is_served(&stage, fault, "five", "slow".to_owned()));
    while stage.upstream.credentials().len() == sent {
        assert!(timeout(POLL, &mut slow).await.is_err());
    }
    let start = Instant::now();
    let good = async {
        let (_, served) = is_served(&stage, fault, "six", "good".to_owned()).await;
        (served, start.elapsed())
    };
    let ((served, took), _) = tokio::join!(good, timeout(10 * SECOND, slow));
    assert!(served);
    assert!(took < Duration::from_millis(1_400), "{took:?}");
}

/// Three clients poll for a minute. Returns when each request came.
async fn requests_in_outage(credentials: usize, latency: Duration) -> Vec<Duration> {
    let start = Instant::now();
    let times = Arc::new(Mutex::new(Vec::new()));
    let mut setting = Setting::new(credentials);
    setting.retry.rounds = 1;
    let seen = Arc::clone(&times);
    let stage = setting.stage(FakeUpstream::new(move |_, _| {
        seen.lock().push(start.elapsed());
        page(503).after(latency)
    }));
    let fault = FAULTS.iter().find(|fault| fault.name == "503").unwrap();
    let mut ticks = interval(POLL);
    let mut calls = FuturesUnordered::new();
    let mut number = 0;
    while start.elapsed() < 60 * SECOND {
        tokio::select! {
            biased;
            Some(call) = calls.next() => {
                let (_, served): (String, bool) = call;
                assert!(!served);
            }
            _ = ticks.tick() => {
                let client = ["one", "two", "three"][number % 3];
                calls.push(is_served(&stage, fault, client, number.to_string()));
                number += 1;
            }
        }
    }
    drop(calls);
    let times = times.lock();
    times.clone()
}
