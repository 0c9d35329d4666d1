//! Hostile guests: each fault has the plugin's name and its kind, it comes within a limited time, and other
//! calls go on meanwhile.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use jackfield_dispatch::ClientDigest;
use jackfield_dispatch::plan::Context;
use jackfield_dispatch::port::{Choice, Executor, FaultKind, PluginFault, Rejection};
use jackfield_runtime::limits::{
    CALL_TICKS_MAX, CALL_WALL_MAX, LOG_LINE_BYTES_MAX, LOG_LINES_PER_CALL_MAX, MEMORY_BYTES_MAX,
    OVERRUNS_BURST_MAX, OVERRUNS_PER_SECOND_MAX, SLOW_CALLS_PER_PLUGIN_MAX, TICK,
};
use jackfield_test_support::{guest, plugin};
use parking_lot::Mutex;
use rustix::time::{ClockId, clock_gettime};
use tokio::time::{Instant, timeout};

use crate::harness::{
    CapturedLog, TEST_TIMEOUT, TestCandidates, as_executor, as_selector, assert_fault, context,
    exclusive_engine, executor, expect_fault, frame, head, header, load, load_in, pick_context,
    plan, wait_until,
};

#[tokio::test]
async fn stops_a_spinning_plugin_without_blocking_others() {
    let (spins, other) = (executor("spins").await, executor("counts").await);
    let order = Mutex::new(Vec::new());
    let begun = Instant::now();
    let spin = async {
        let spun = prepare(&spins, "m").await;
        order.lock().push("spins");
        (spun, begun.elapsed())
    };
    let others = async {
        for _ in 0..10 {
            plan(&*other, "m").await;
            tokio::task::yield_now().await;
        }
        order.lock().push("others");
    };
    // All of it on one thread.
    let ((spun, took), ()) = tokio::join!(spin, others);
    assert_eq!(*order.lock(), ["others", "spins"]);
    assert_fault(
        &spun,
        "spins",
        FaultKind::OverTime,
        "it was stopped after 300 ms",
    );
    let least = TICK * (CALL_TICKS_MAX - 2);
    assert!(took > least && took < TEST_TIMEOUT, "it ran for {took:?}");
}

#[tokio::test]
async fn interrupts_a_sleeping_plugin_without_blocking_others() {
    let (sleeps, other) = (executor("sleeps").await, executor("counts").await);
    let begun = Instant::now();
    let ((slept, took), ()) = tokio::join!(
        async { (prepare(&sleeps, "m").await, begun.elapsed()) },
        async {
            plan(&*other, "m").await;
            assert!(begun.elapsed() < CALL_WALL_MAX);
        }
    );
    assert_fault(
        &slept,
        "sleeps",
        FaultKind::OverTime,
        "the call did not finish within 5 s",
    );
    assert!(
        took >= CALL_WALL_MAX && took < TEST_TIMEOUT,
        "it slept for {took:?}"
    );
}

#[tokio::test]
async fn panic_fails_only_its_call() {
    let (log, _guard) = CapturedLog::capture();
    let plugin = load("traps", guest("traps")).await;
    let traps = as_executor(&plugin);
    let unreachable = "wasm trap: wasm `unreachable` instruction executed";
    for _ in 0..3 {
        assert_fault(
            &prepare(&traps, "m").await,
            "traps",
            FaultKind::Trapped,
            unreachable,
        );
    }
    let lines = log.lines_with("plugin failed");
    assert_eq!(lines.len(), 3, "{lines:?}");
    let is_fault_line = |line: &String| {
        line.contains("traps#1") && line.contains("call=\"call-7\" kind=\"trapped\"")
    };
    assert!(lines.iter().all(is_fault_line), "{lines:?}");
    // A panic message goes to the standard error of the guest.
    assert!(!log.lines_with("this guest panics").is_empty());

    let exited = prepare(&traps, "exit").await;
    assert_eq!(exited.kind, FaultKind::Trapped, "{exited}");
    assert!(exited.detail.contains("exit status"), "{exited}");
    assert_eq!(plugin.counts().faults, 4);
}

#[tokio::test]
async fn connections_fail_their_call_and_reach_nothing() {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let plugin = load("connects", guest("connects")).await;
    let connects = as_executor(&plugin);
    for name in [address, "localhost:80".to_owned()] {
        let fault = prepare(&connects, &name).await;
        assert_eq!(fault.kind, FaultKind::Trapped, "{fault}");
        assert!(fault.detail.contains("wasi:sockets/"), "{fault}");
    }
    let reached = listener.accept().map(|_| ());
    let error = reached.expect_err("it has connected");
    assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock);
}

#[tokio::test]
async fn enforces_the_memory_limit() {
    let plugin = load("hoards", guest("hoards")).await;
    let hoards = as_executor(&plugin);
    let died = prepare(&hoards, "m").await;
    assert_fault(
        &died,
        "hoards",
        FaultKind::Trapped,
        "it requested more than 128 MiB of memory: wasm trap: wasm `unreachable` instruction executed",
    );
    let politely = plan(&*hoards, "politely").await;
    let got: usize = header(&politely, "x-mebibytes").parse().unwrap();
    let most = MEMORY_BYTES_MAX >> 20;
    assert!(got < most && got > most / 2, "it got {got} MiB");
}

#[tokio::test]
async fn drops_instances_with_large_memory() {
    let plugin = load("hoards", guest("hoards")).await;
    let hoards = as_executor(&plugin);
    assert_eq!(plugin.counts().idle, 1);
    assert_eq!(header(&plan(&*hoards, "some").await, "x-mebibytes"), "40");
    assert_eq!(plugin.counts().idle, 0);
}

#[tokio::test]
async fn enforces_the_output_limit() {
    let floods = executor("floods").await;
    let too_much = "it passed more than 48 MiB to the host in one call";
    for model in ["plan", "log"] {
        let named = prepare(&floods, model).await;
        assert_fault(&named, "floods", FaultKind::OverOutput, too_much);
    }
    let named = prepare(&floods, "list").await;
    let list = "70001 headers, but at most 1000 are allowed";
    assert_fault(&named, "floods", FaultKind::InvalidOutput, list);

    let reply = floods
        .reply(&context("push"), &Bytes::new(), Bytes::new())
        .await;
    let pushed = reply.unwrap().push(Vec::new(), true).await;
    assert_fault(
        &expect_fault(pushed),
        "floods",
        FaultKind::OverOutput,
        too_much,
    );
}

#[tokio::test]
async fn enforces_the_stack_limit() {
    let recurses = executor("recurses").await;
    let fault = prepare(&recurses, "m").await;
    let exhausted = "wasm trap: call stack exhausted";
    assert_fault(&fault, "recurses", FaultKind::Trapped, exhausted);
}

#[tokio::test]
async fn reports_invalid_output() {
    let plugin = load("invalid_output", guest("invalid_output")).await;
    let executor = as_executor(&plugin);
    for (model, detail) in [
        (
            "url",
            "\"not a url\" is not a valid URL: relative URL without a base",
        ),
        ("method", "\"PO ST\" is not a valid HTTP method"),
        ("header-name", "\"x invalid\" is not a valid header name"),
        (
            "header-value",
            "the value of the header `x-invalid` is not valid",
        ),
        (
            "scheme",
            "the scheme `oauth-client-basic` needs the parameter `part`, `id` or `secret`",
        ),
        (
            "framing",
            "this host does not support the framing `smoke-signals`",
        ),
    ] {
        let fault = prepare(&executor, model).await;
        assert_fault(&fault, "invalid_output", FaultKind::InvalidOutput, detail);
    }
    let nothing = Bytes::new();
    let context = Context {
        model: Arc::from("next"),
        ..context("next")
    };
    let mut reply = executor
        .reply(&context, &nothing, Bytes::new())
        .await
        .unwrap();
    let named = expect_fault(reply.push(Vec::new(), true).await);
    let detail = "\"//\" is not a valid URL: relative URL without a base";
    assert_fault(&named, "invalid_output", FaultKind::InvalidOutput, detail);
    assert_eq!(plugin.counts().faults, 7);
    let fault = prepare(&self::executor("other_origin").await, "whole").await;
    let detail = "its plan has the response `whole` or `frames`, but it does not export `reply`";
    assert_fault(&fault, "other_origin", FaultKind::InvalidOutput, detail);
}

#[tokio::test]
async fn reports_faults_in_a_reply() {
    let executor = executor("reply_fails").await;
    let nothing = Bytes::new();
    let begin = context("begin");
    let begun = executor.reply(&begin, &nothing, Bytes::new()).await;
    let (context_head, context_push) = (context("head"), context("push"));
    let mut reply = executor
        .reply(&context_head, &nothing, Bytes::new())
        .await
        .unwrap();
    let in_head = reply.head(head(200, &[])).await;
    let mut reply = executor
        .reply(&context_push, &nothing, Bytes::new())
        .await
        .unwrap();
    reply.head(head(200, &[])).await.unwrap();
    let in_push = reply.push(vec![frame("", b"content")], false).await;
    let after = reply.push(Vec::new(), true).await;
    for fault in [
        begun.err().unwrap(),
        expect_fault(in_head),
        expect_fault(in_push),
    ] {
        let unreachable = "wasm trap: wasm `unreachable` instruction executed";
        assert_fault(&fault, "reply_fails", FaultKind::Trapped, unreachable);
    }
    // Another call of a failed reply fails too.
    assert_eq!(expect_fault(after).kind, FaultKind::Trapped);
}

#[tokio::test]
async fn limits_log_lines_per_call() {
    let (log, _guard) = CapturedLog::capture();
    let plugin = load("logs_a_lot", guest("logs_a_lot")).await;
    plan(&*as_executor(&plugin), "m").await;
    let lines = log.lines_with("plugin=logs_a_lot#1");
    let lines: Vec<&String> = lines
        .iter()
        .filter(|line| line.contains(" WARN "))
        .collect();
    assert_eq!(lines.len(), LOG_LINES_PER_CALL_MAX as usize);
    let euros = lines[0].matches('\u{20AC}').count();
    assert_eq!(euros, LOG_LINE_BYTES_MAX / 3);
    assert!(lines[1].contains("line 1 "), "{}", lines[1]);
    assert!(lines[1].contains("call=\"call-7\""), "{}", lines[1]);
    assert_eq!(plugin.counts().log_lines_dropped, 1_001 - 32);
}

#[tokio::test]
async fn reports_selector_faults() {
    for (name, model, kind, detail) in [
        (
            "picks_out_of_range",
            "m",
            FaultKind::InvalidOutput,
            "it chose index 3 of 3 candidates",
        ),
        (
            "picks_out_of_range",
            "far",
            FaultKind::InvalidOutput,
            "it chose index 4294967295 of 3 candidates",
        ),
        (
            "selector_spins",
            "m",
            FaultKind::OverTime,
            "it was stopped after 300 ms",
        ),
        (
            "selector_traps",
            "m",
            FaultKind::Trapped,
            "wasm trap: wasm `unreachable` instruction executed",
        ),
    ] {
        let plugin = load(name, guest(name)).await;
        let selector = as_selector(&plugin);
        for faults in 1..=2 {
            let listed = Arc::new(TestCandidates::uniform(3));
            let picked =
                timeout(TEST_TIMEOUT, selector.pick(&pick_context(model, 0), listed)).await;
            assert_fault(&picked.unwrap().unwrap_err(), name, kind, detail);
            assert_eq!(plugin.counts().faults, faults);
        }
    }
}

#[tokio::test]
async fn spinning_selector_does_not_block_others() {
    let spins = as_selector(&load("selector_spins", guest("selector_spins")).await);
    let other = as_selector(&load("round-robin", plugin("round-robin")).await);
    let order = Mutex::new(Vec::new());
    let (context, turn) = (pick_context("m", 0), pick_context("m", 7));
    let spin = async {
        let picked = spins
            .pick(&context, Arc::new(TestCandidates::uniform(3)))
            .await;
        order.lock().push("spins");
        picked
    };
    let pick = async {
        let picked = other
            .pick(&turn, Arc::new(TestCandidates::uniform(3)))
            .await;
        order.lock().push("other");
        picked
    };
    let (spun, picked) = tokio::join!(spin, pick);
    assert!(spun.is_err());
    assert_eq!(picked.unwrap(), Choice::Candidate(1));
    assert_eq!(*order.lock(), ["other", "spins"]);
}

#[tokio::test]
async fn slow_calls_fill_only_places_of_their_plugin() {
    let (engine, _turn) = exclusive_engine().await;
    let sleeps = load_in(&engine, "sleeps", guest("sleeps")).await;
    let spins = as_executor(&load_in(&engine, "spins", guest("spins")).await);
    let other = as_executor(&load_in(&engine, "counts", guest("counts")).await);
    let sleeper = as_executor(&sleeps);
    let nothing = Bytes::new();
    // Each of another client: one alone has fewer places.
    let contexts: Vec<Context> = (0..=SLOW_CALLS_PER_PLUGIN_MAX as u64)
        .map(|client| Context {
            client: ClientDigest::new(1 + client),
            ..context("m")
        })
        .collect();
    let mut sleepers: FuturesUnordered<_> = contexts
        .iter()
        .map(|context| sleeper.prepare(context, &nothing))
        .collect();
    // The first result is that of the one call without a place: the others sleep for longer.
    let (first, ()) = tokio::join!(sleepers.next(), async {
        plan(&*other, "m").await;
        let spun = prepare(&spins, "m").await;
        assert_eq!(spun.kind, FaultKind::OverTime, "{spun}");
    });
    let fault = expect_fault(first.unwrap());
    let detail = "the places for slow calls of its client, its 32 or all 128 were taken for 2 s, or 256 calls wait for one";
    assert_fault(&fault, "sleeps", FaultKind::Overloaded, detail);
    // No place is no fault of the version that serves: one before must not seem better for it.
    assert_eq!(sleeps.counts().faults, 0);
    // Clients that leave end their calls.
    drop(sleepers);
    let idle = || sleeps.counts().idle + 2;
    wait_until("the sleepers end", || engine.instances_alive() <= idle()).await;
}

#[tokio::test]
async fn plugin_that_overruns_often_leaves_the_serving_thread_at_once() {
    let spins = executor("spins").await;
    let nothing = Bytes::new();
    let (mut slow, start) = (0, Instant::now());
    for client in 0..40 {
        // A client of many such calls is suspended.
        let client = ClientDigest::new(client);
        let context = Context {
            client,
            ..context("m")
        };
        let began = clock_gettime(ClockId::ThreadCPUTime);
        // Long enough to leave the thread. Then its client leaves.
        let call = timeout(50 * TICK, spins.prepare(&context, &nothing));
        assert!(call.await.is_err(), "it spins for longer");
        let used = clock_gettime(ClockId::ThreadCPUTime) - began;
        slow += u32::from(Duration::try_from(used).unwrap() >= TICK);
    }
    let passed = start.elapsed().as_secs_f64();
    let most = OVERRUNS_BURST_MAX + passed * OVERRUNS_PER_SECOND_MAX;
    assert!(
        f64::from(slow) <= most,
        "{slow} calls took a tick of the thread in {passed} s"
    );
    assert!(
        slow >= OVERRUNS_BURST_MAX as u32 / 2,
        "{slow} calls began on the thread"
    );
}

/// Returns the fault of `prepare`, which must come within the time limit.
async fn prepare(executor: &Arc<dyn Executor>, model: &str) -> PluginFault {
    let (context, body) = (context(model), Bytes::new());
    let planned = timeout(TEST_TIMEOUT, executor.prepare(&context, &body)).await;
    match planned.expect("an end") {
        Err(Rejection::Fault(fault)) => fault,
        other => panic!("no fault for {model}, but {other:?}"),
    }
}
