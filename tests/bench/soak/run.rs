//! The soak: good clients among hostile ones, and whether the server was the same afterwards.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::Result;
use crate::attacks::Attackers;
use crate::configuration::Setup;
use crate::good_clients::{self, Tally};
use crate::observer::{Sample, descriptors, open_leases, watch};
use crate::report::{aim, print_line, table};

/// The interval of the samples of memory.
const SAMPLE: Duration = Duration::from_millis(500);

/// How long calls may go on after the attackers have left: the longest timeout of the configuration is longer, but what
/// a client has left ends at once, and slow calls of plugins in 5 s.
const REST_MAX: Duration = Duration::from_secs(20);

/// How much the memory of the last third may exceed that of the second one: what allocators keep varies by some MiB with
/// the attacks that run at a moment.
const GROWTH_MAX_KIB: u64 = 24 << 10;

/// Makes so many calls among attackers.
///
/// # Errors
/// When a call was lost, a lease is open at the end, or memory has grown.
pub(crate) async fn soak(calls: u64) -> Result<()> {
    let setup = Setup::start("").await?;
    let server = &setup.jackfield;
    let before = (descriptors(server)?, server.memory()?);
    let attackers = Attackers::start(server.address);
    let tally = Arc::new(Tally::default());
    let mut samples = Vec::new();
    let began = Instant::now();
    tokio::select! {
        () = good_clients::call(server.address, calls, &tally) => {}
        watched = watch(server, SAMPLE, &mut samples) => watched?,
    }
    let took = began.elapsed();
    let attacks = attackers.end().await;
    let leases = rest(&setup).await?;
    let after = (descriptors(server)?, server.memory()?);
    let (served, lost) = (
        tally.served.load(Ordering::Relaxed),
        tally.lost.load(Ordering::Relaxed),
    );
    let rows: Vec<_> = attacks
        .iter()
        .map(|(name, count)| vec![(*name).to_owned(), count.to_string()])
        .collect();
    table(&["attack", "made"], &rows);
    print_line(&format!(
        "\n{served} calls served in {:.0} s ({:.0} a second), the longest in {:.2} s; {}",
        took.as_secs_f64(),
        served as f64 / took.as_secs_f64(),
        tally.longest().as_secs_f64(),
        aim(&format!("{lost} lost, aim 0:"), lost == 0),
    ));
    for reason in tally.reasons.lock().iter() {
        print_line(&format!("  lost: {reason}"));
    }
    let is_flat = print_memory(&samples);
    print_line(&format!(
        "memory before {} KiB, after {} KiB ({} KiB without files), peak {} KiB",
        before.1.resident_kib, after.1.resident_kib, after.1.anonymous_kib, after.1.peak_kib
    ));
    print_line(&format!(
        "descriptors before {}, after {}",
        before.0, after.0
    ));
    print_line(&aim(
        &format!("{leases} leases open at the end, aim 0:"),
        leases == 0,
    ));
    setup.jackfield.end().await?;
    if lost == 0 && leases == 0 && is_flat {
        Ok(())
    } else {
        Err("the server did not hold".into())
    }
}

/// Waits until no lease is open; returns how many are open after the longest wait.
async fn rest(setup: &Setup) -> Result<u64> {
    let began = Instant::now();
    loop {
        let open = open_leases(setup.admin).await?;
        if open == 0 || began.elapsed() >= REST_MAX {
            return Ok(open);
        }
        sleep(SAMPLE).await;
    }
}

/// Prints the memory over time, in ten parts; returns whether it is flat.
fn print_memory(samples: &[Sample]) -> bool {
    let mean = |part: &[Sample]| {
        let sum: u64 = part.iter().map(|sample| sample.resident_kib).sum();
        sum / u64::try_from(part.len().max(1)).unwrap_or(u64::MAX)
    };
    let rows: Vec<_> = samples
        .chunks(samples.len().div_ceil(10).max(1))
        .map(|part| {
            let at = part.last().map_or(0.0, |sample| sample.at.as_secs_f64());
            let most = part.iter().map(|sample| sample.resident_kib).max();
            vec![
                format!("{at:.0} s"),
                (mean(part) >> 10).to_string(),
                (most.unwrap_or(0) >> 10).to_string(),
            ]
        })
        .collect();
    table(&["until", "mean MiB", "most MiB"], &rows);
    let third = samples.len() / 3;
    let (second, last) = (
        mean(&samples[third..2 * third]),
        mean(&samples[2 * third..]),
    );
    let is_flat = last <= second + GROWTH_MAX_KIB;
    let text = format!(
        "mean of the second third {} MiB, of the last one {} MiB, aim at most {} MiB more:",
        second >> 10,
        last >> 10,
        GROWTH_MAX_KIB >> 10
    );
    print_line(&aim(&text, is_flat));
    is_flat
}
