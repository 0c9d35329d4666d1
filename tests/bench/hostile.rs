//! What calls that loop in a plugin cost the calls of another plugin: throughput and latency of those beside
//! 0, 1, 2, 32 and 200 hostile calls at a time, with the breaker and without it.
//! `cargo bench -p jackfield-runtime --bench hostile`, with `-- SECONDS` for another time than 4 s a row. With
//! `-- languages` it measures plugins in JavaScript and Python instead, whose calls take most of a tick.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use jackfield_credential::Credential;
use jackfield_dispatch::ClientDigest;
use jackfield_dispatch::limits::SUSPENDED_RESPONSE_DELAY;
use jackfield_dispatch::plan::Context;
use jackfield_dispatch::port::{Executor, PluginId, Rejection};
use jackfield_runtime::{Engine, EngineOptions, Origin, Plugin, PluginPolicy};
use jackfield_test_support::{GuestKind, example_guest, guest, plugin};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Calls of the others at a time.
const OTHERS: usize = 4;

/// How long each load is measured by default, and how long it runs before.
const MEASURED: Duration = Duration::from_secs(4);
const WARM_UP: Duration = Duration::from_millis(1_500);

/// Hostile calls at a time, and the model, which selects what the guest does.
const LOADS: [(usize, &str); 8] = [
    (0, ""),
    (1, "always"),
    (2, "always"),
    (32, "always"),
    (200, "always"),
    (2, "one-of-20"),
    (200, "one-of-20"),
    (0, ""),
];

fn main() -> Result<()> {
    // As many threads as the server of two cores has.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    // `cargo bench` itself passes `--bench`.
    let seconds = std::env::args().find_map(|argument| argument.parse().ok());
    let measured = seconds.map_or(MEASURED, Duration::from_secs);
    if std::env::args().any(|argument| argument == "languages") {
        return runtime.block_on(measure_languages(measured));
    }
    runtime.block_on(measure(measured))
}

/// Whether the breaker counts, and the client of the hostile calls. The host's own calls are never refused.
const BREAKERS: [(&str, ClientDigest); 2] = [
    ("off", ClientDigest::HOST),
    ("on", ClientDigest::new(1_000)),
];

async fn measure(measured: Duration) -> Result<()> {
    let engine = Engine::new(EngineOptions::default())?;
    let hostile = executor(&engine, "spins", guest("spins")).await?;
    let other = executor(&engine, "other", plugin("openai-compatible")).await?;
    let mut out = std::io::stdout();
    writeln!(
        out,
        "breaker | hostile | model | others/s | of alone | p50 us | p99 us | of alone | max us | hostile/s"
    )?;
    for (breaker, client) in BREAKERS {
        let mut alone = None;
        for (count, model) in LOADS {
            let stop = Arc::new(AtomicBool::new(false));
            let mut hostiles = JoinSet::new();
            for _ in 0..count {
                let (hostile, stop) = (Arc::clone(&hostile), Arc::clone(&stop));
                hostiles.spawn(call_until(hostile, model, client, stop));
            }
            sleep(WARM_UP).await;
            let mut others = JoinSet::new();
            for _ in 0..OTHERS {
                others.spawn(call_and_exchange(Arc::clone(&other), measured));
            }
            let mut latencies = Vec::new();
            while let Some(ended) = others.join_next().await {
                latencies.extend(ended??);
            }
            stop.store(true, Ordering::Relaxed);
            let mut calls = 0;
            while let Some(ended) = hostiles.join_next().await {
                calls += ended?;
            }
            latencies.sort_unstable();
            let at =
                |permille: usize| latencies[(latencies.len() - 1) * permille / 1_000].as_micros();
            let rate = latencies.len() as f64 / measured.as_secs_f64();
            let (p50, p99, most) = (at(500), at(990), at(1_000));
            let (alone_rate, alone_p99) = *alone.get_or_insert((rate, p99));
            let (share, times) = (100.0 * rate / alone_rate, p99 as f64 / alone_p99 as f64);
            let hostile_rate = f64::from(calls) / (measured + WARM_UP).as_secs_f64();
            writeln!(
                out,
                "{breaker:7} | {count:7} | {model:9} | {rate:8.0} | {share:6.0} % | {p50:6} | {p99:6} | {times:6.1} x | {most:6} | {hostile_rate:6.0}"
            )?;
        }
    }
    Ok(())
}

/// Plugins in languages whose calls take about a millisecond: alone, and while others keep the threads that serve busy.
async fn measure_languages(measured: Duration) -> Result<()> {
    let engine = Engine::new(EngineOptions::default())?;
    let other = executor(&engine, "other", plugin("openai-compatible")).await?;
    let mut out = std::io::stdout();
    writeln!(
        out,
        "language | clients | others | calls/s | p50 us | p99 us | faults | others/s"
    )?;
    for language in ["javascript", "python"] {
        let bytes = example_guest(language, GuestKind::Executor);
        let slow = executor(&engine, language, bytes).await?;
        for (clients, others) in [
            (1, 0),
            (4, 0),
            (32, 0),
            (1, OTHERS),
            (4, OTHERS),
            (32, OTHERS),
        ] {
            let mut busy = JoinSet::new();
            for _ in 0..others {
                busy.spawn(call_and_exchange(Arc::clone(&other), measured));
            }
            let mut calls = JoinSet::new();
            for client in 1..=clients {
                calls.spawn(call_for(
                    Arc::clone(&slow),
                    ClientDigest::new(client),
                    measured,
                ));
            }
            let (mut latencies, mut faults) = (Vec::new(), 0);
            while let Some(ended) = calls.join_next().await {
                let (of_client, faults_of_client) = ended?;
                latencies.extend(of_client);
                faults += faults_of_client;
            }
            let mut others_calls = 0;
            while let Some(ended) = busy.join_next().await {
                others_calls += ended??.len();
            }
            latencies.sort_unstable();
            let last = latencies.len().checked_sub(1).ok_or("no call ended well")?;
            let at = |permille: usize| latencies[last * permille / 1_000].as_micros();
            let seconds = measured.as_secs_f64();
            let rate = latencies.len() as f64 / seconds;
            let others_rate = others_calls as f64 / seconds;
            let (p50, p99) = (at(500), at(990));
            writeln!(
                out,
                "{language:10} | {clients:7} | {others:6} | {rate:7.0} | {p50:6} | {p99:6} | {faults:6} | {others_rate:7.0}"
            )?;
        }
    }
    Ok(())
}

/// Calls for a client. Returns the latencies of the calls that ended well, and the number of the others.
async fn call_for(
    executor: Arc<dyn Executor>,
    client: ClientDigest,
    measured: Duration,
) -> (Vec<Duration>, u32) {
    let body = Bytes::from_static(br#"{"model":"m","messages":[]}"#);
    let context = Context {
        client,
        ..context("m")
    };
    let (mut latencies, mut faults, start) = (Vec::new(), 0, Instant::now());
    while start.elapsed() < measured {
        let begun = Instant::now();
        match executor.prepare(&context, &body).await {
            Ok(_) => latencies.push(begun.elapsed()),
            Err(_) => faults += 1,
        }
        tokio::task::yield_now().await;
    }
    (latencies, faults)
}

async fn executor(engine: &Engine, name: &str, bytes: Vec<u8>) -> Result<Arc<dyn Executor>> {
    let id = PluginId {
        name: Arc::from(name),
        generation: 1,
    };
    // Each call is to reach the guest.
    let policy = PluginPolicy {
        remember: false,
        ..PluginPolicy::default()
    };
    let plugin = Plugin::prepare_with(engine, id, bytes, Origin::BuiltIn, &policy).await?;
    Ok(plugin.executor().ok_or("no executor")?)
}

/// Calls again and again, and returns the number of calls. As in a server, the answer of a suspended plugin is delayed.
async fn call_until(
    executor: Arc<dyn Executor>,
    model: &str,
    client: ClientDigest,
    stop: Arc<AtomicBool>,
) -> u32 {
    let body = Bytes::new();
    let context = Context {
        client,
        ..context(model)
    };
    let mut calls = 0;
    while !stop.load(Ordering::Relaxed) {
        let called = executor.prepare(&context, &body).await;
        calls += 1;
        match called {
            Err(Rejection::Fault(fault)) if fault.kind.retry_after().is_some() => {
                sleep(SUSPENDED_RESPONSE_DELAY).await;
            }
            _ => tokio::task::yield_now().await,
        }
    }
    calls
}

/// Calls, and after each call exchanges bytes over a connection as a proxy does. Returns the latencies.
async fn call_and_exchange(
    executor: Arc<dyn Executor>,
    measured: Duration,
) -> Result<Vec<Duration>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let mut near = TcpStream::connect(listener.local_addr()?).await?;
    let (mut far, _) = listener.accept().await?;
    let mut echo = JoinSet::new();
    echo.spawn(async move {
        let (mut reader, mut writer) = far.split();
        tokio::io::copy(&mut reader, &mut writer).await
    });
    let (context, body, mut bytes) = (context("m"), Bytes::new(), [0; 1_024]);
    let (mut latencies, start) = (Vec::new(), Instant::now());
    while start.elapsed() < measured {
        let begun = Instant::now();
        let planned = executor.prepare(&context, &body).await;
        planned.map_err(|rejection| format!("{rejection:?}"))?;
        near.write_all(&bytes).await?;
        near.read_exact(&mut bytes).await?;
        latencies.push(begun.elapsed());
    }
    Ok(latencies)
}

fn context(model: &str) -> Context {
    Context {
        operation: "generate",
        dialect: "openai-chat",
        model: Arc::from(model),
        client_model: Arc::from(model),
        stream: false,
        credential: Arc::new(Credential {
            secret_fields: vec!["api-key".to_owned()],
            ..Credential::new("acme-a", "acme", "https://acme.invalid/v1")
        }),
        settings: Arc::from("{}"),
        options: Vec::new(),
        attempt: 0,
        now_ms: 1_766_000_000_000,
        headers: Arc::new(HeaderMap::new()),
        query: Vec::new(),
        principal: Some(Arc::from("client")),
        session: None,
        conversation: None,
        client: ClientDigest::new(1),
        call: None,
    }
}
