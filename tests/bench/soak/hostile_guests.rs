//! What calls that loop in a plugin cost the calls of others, with the real binary: throughput and latency beside so many
//! hostile calls at a time, and the peak of memory. Each further argument is a line of configuration, with which all is
//! measured once more.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::Result;
use crate::attacks;
use crate::chat::{self, ALIAS, ResponseKind};
use crate::configuration::Setup;
use crate::load::Connection;
use crate::observer::watch;
use crate::report::{aim, print_line, table};

/// Calls of the others at a time.
const OTHERS: usize = 4;

/// How long each load is measured, and how long it runs before.
const MEASURED: Duration = Duration::from_secs(5);
const WARM_UP: Duration = Duration::from_secs(2);

/// The interval of the samples of memory.
const SAMPLE: Duration = Duration::from_millis(50);

/// A call that fails faster was refused, and did not loop. The client tries again after a pause: without one, a flood of
/// refused requests would be measured instead of the plugin.
const REFUSED_WITHIN: Duration = Duration::from_millis(100);
const REFUSED_PAUSE: Duration = Duration::from_millis(200);

/// Hostile calls at a time, and what they call.
const LOADS: [(usize, &str); 7] = [
    (0, "spins-always"),
    (1, "spins-always"),
    (2, "spins-always"),
    (32, "spins-always"),
    (200, "spins-always"),
    (2, "spins-one-of-20"),
    (200, "spins-one-of-20"),
];

/// What is left of the throughput, and how often p99 may be what it is alone (issue 14).
const THROUGHPUT_AIM: f64 = 0.7;
const LATENCY_AIM: f64 = 3.0;

/// Measures with the default configuration, and with each further line.
pub(crate) async fn measure(lines: &[&str]) -> Result<()> {
    for line in [""].iter().chain(lines) {
        let name = if line.is_empty() { "default" } else { line };
        print_line(&format!("\nconfiguration: {name}"));
        let mut rows = Vec::new();
        let mut alone = None;
        for (count, model) in LOADS {
            // A new server for each load: what a breaker or an allocator remembers is not the next row's.
            let setup = Setup::start(line).await?;
            let result = load(&setup, count, model).await?;
            let alone = alone.get_or_insert((result.rate, result.p99));
            let share = result.rate / alone.0;
            let times = result.p99.as_secs_f64() / alone.1.as_secs_f64();
            rows.push(vec![
                format!("{count} {model}"),
                format!("{:.0}", result.rate),
                aim(&format!("{:.0} %", share * 100.0), share >= THROUGHPUT_AIM),
                format!("{:.2}", result.p50.as_secs_f64() * 1e3),
                format!("{:.2}", result.p99.as_secs_f64() * 1e3),
                aim(&format!("{times:.1}x"), times <= LATENCY_AIM),
                format!("{:.1}", result.hostile_rate),
                (result.peak_kib >> 10).to_string(),
                result.lost.to_string(),
            ]);
            setup.jackfield.end().await?;
        }
        let heads = [
            "hostile calls",
            "others/s",
            "of alone",
            "p50 ms",
            "p99 ms",
            "of alone",
            "hostile/s",
            "peak MiB",
            "lost",
        ];
        table(&heads, &rows);
    }
    Ok(())
}

struct LoadResult {
    rate: f64,
    p50: Duration,
    p99: Duration,
    hostile_rate: f64,
    peak_kib: u64,
    lost: u64,
}

async fn load(setup: &Setup, count: usize, model: &'static str) -> Result<LoadResult> {
    let address = setup.jackfield.address;
    let repeated = Arc::new(AtomicU64::new(0));
    let mut hostile = JoinSet::new();
    for _ in 0..count {
        hostile.spawn(repeat(address, model, Arc::clone(&repeated)));
    }
    sleep(WARM_UP).await;
    let before = repeated.load(Ordering::Relaxed);
    let stop = Arc::new(AtomicBool::new(false));
    let mut others = JoinSet::new();
    for _ in 0..OTHERS {
        others.spawn(call_until(address, Arc::clone(&stop)));
    }
    let mut samples = Vec::new();
    tokio::select! {
        () = sleep(MEASURED) => {}
        watched = watch(&setup.jackfield, SAMPLE, &mut samples) => watched?,
    }
    let hostile_calls = repeated.load(Ordering::Relaxed) - before;
    stop.store(true, Ordering::Relaxed);
    let (mut times, mut lost) = (Vec::new(), 0);
    while let Some(ended) = others.join_next().await {
        let (of_one, lost_of_one) = ended?;
        times.extend(of_one);
        lost += lost_of_one;
    }
    hostile.shutdown().await;
    times.sort_unstable();
    let at = |per_mille: usize| times.get(times.len() * per_mille / 1_000).copied();
    Ok(LoadResult {
        rate: times.len() as f64 / MEASURED.as_secs_f64(),
        p50: at(500).unwrap_or(MEASURED),
        p99: at(990).unwrap_or(MEASURED),
        hostile_rate: hostile_calls as f64 / MEASURED.as_secs_f64(),
        peak_kib: samples.iter().map(|it| it.resident_kib).max().unwrap_or(0),
        lost,
    })
}

/// Makes hostile calls one after the other. Does not end.
async fn repeat(address: SocketAddr, model: &'static str, repeated: Arc<AtomicU64>) {
    loop {
        let began = Instant::now();
        let mut response = Vec::new();
        let call = async {
            let mut stream = TcpStream::connect(address).await?;
            stream.write_all(&attacks::hostile_request(model)).await?;
            stream.read_to_end(&mut response).await
        };
        let is_failed = call.await.is_err() || !response.starts_with(b"HTTP/1.1 200 ");
        repeated.fetch_add(1, Ordering::Relaxed);
        if is_failed && began.elapsed() < REFUSED_WITHIN {
            sleep(REFUSED_PAUSE).await;
        }
    }
}

/// Makes good calls until `stop` is set; returns their times, and how many were lost.
async fn call_until(address: SocketAddr, stop: Arc<AtomicBool>) -> (Vec<Duration>, u64) {
    let (mut times, mut lost) = (Vec::new(), 0);
    let request = chat::request(ALIAS, ResponseKind::Whole);
    while !stop.load(Ordering::Relaxed) {
        let opened = Connection::open(address, request.clone(), ResponseKind::Whole).await;
        let Ok(mut connection) = opened else {
            lost += 1;
            continue;
        };
        while !stop.load(Ordering::Relaxed) {
            let began = Instant::now();
            if connection.exchange().await.is_err() {
                lost += 1;
                break;
            }
            times.push(began.elapsed());
        }
    }
    (times, lost)
}
