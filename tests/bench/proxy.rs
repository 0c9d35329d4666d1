//! End to end on loopback: the upstream alone, the bare proxy and Jackfield in one run, as ratios. Each
//! server has its own process. A missed aim is shown; only a wrong response makes the benchmark fail.

mod bare;
mod chat;
mod load;
mod measure;
mod process;
mod report;
mod role;
mod summary;
mod upstream;

use std::fs;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::time::Instant;

use crate::chat::{ALIAS, CLIENT_KEY, MODEL};
use crate::measure::{Samples, Servers};
use crate::process::Server;
use crate::role::serve_until_orphaned;
use crate::summary::Starts;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Starts of the binary to measure their time: without compiled code, and with it.
const COLD_STARTS: usize = 3;
const WARM_STARTS: usize = 9;

/// How long the servers are idle before their memory is measured again.
const REST: Duration = Duration::from_secs(2);

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let mut runtime = match words.as_slice() {
        // The same number of threads as Jackfield.
        ["bare", _] => tokio::runtime::Builder::new_multi_thread(),
        _ => tokio::runtime::Builder::new_current_thread(),
    };
    let runtime = runtime.enable_all().build()?;
    match words.as_slice() {
        ["bare", upstream] => {
            let upstream = upstream.parse()?;
            runtime.block_on(serve_until_orphaned(|listener| {
                bare::serve(listener, upstream)
            }))
        }
        ["upstream"] => runtime.block_on(serve_until_orphaned(upstream::serve)),
        _ if is_selected(&words) => runtime.block_on(measure_until_stopped()),
        _ => Ok(()),
    }
}

/// Prints the progress.
fn note(line: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

/// Cargo passes a filter to every benchmark.
fn is_selected(arguments: &[&str]) -> bool {
    let mut filters = arguments.iter().filter(|word| !word.starts_with('-'));
    filters.clone().next().is_none() || filters.any(|filter| "proxy".contains(filter))
}

/// Runs the measurements until a signal arrives, which drops them and the servers.
async fn measure_until_stopped() -> Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        measured = measure() => measured,
        _ = terminate.recv() => Err("stopped".into()),
        _ = interrupt.recv() => Err("stopped".into()),
    }
}

async fn measure() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let upstream = Server::role(&["upstream"]).await?;
    let address = upstream.address.to_string();
    let bare = Server::role(&["bare", &address]).await?;
    let config = folder.path().join("jackfield.yaml");
    fs::write(&config, configuration(&address))?;
    note("starting jackfield, cold and warm");
    let starts = starts(&config, &folder.path().join("data")).await?;
    let jackfield = Server::jackfield(&config).await?;
    jackfield.ready().await?;
    jackfield.compiled().await?;
    let servers = Servers {
        upstream,
        bare,
        jackfield,
    };
    let idle = (servers.bare.memory()?, servers.jackfield.memory()?);
    let samples = Samples::take(&servers).await?;
    tokio::time::sleep(REST).await;
    let after = (servers.bare.memory()?, servers.jackfield.memory()?);
    summary::exchanges(&samples);
    summary::memory(idle, after);
    summary::starts(&starts);
    Ok(())
}

fn configuration(upstream: &str) -> String {
    format!(
        "listen: 127.0.0.1:0\n\
         client-keys: [ {{ name: benchmark, key: {CLIENT_KEY} }} ]\n\
         providers:\n\
         \x20 - name: acme\n\
         \x20   executor: openai-compatible\n\
         \x20   base-url: http://{upstream}/v1\n\
         \x20   credentials: [ {{ id: acme-a, api-key: key-a }}, {{ id: acme-b, api-key: key-b }} ]\n\
         \x20   models: [ {{ name: {MODEL}, alias: {ALIAS} }} ]\n\
         routing: {{ selector: round-robin }}\n"
    )
}

/// Starts the binary several times.
async fn starts(config: &Path, data: &Path) -> Result<Starts> {
    let mut starts = Starts::default();
    for _ in 0..COLD_STARTS {
        if data.exists() {
            fs::remove_dir_all(data)?;
        }
        starts.cold.push(start(config).await?);
    }
    // It ended before it had compiled the plugins that are not in use.
    let server = Server::jackfield(config).await?;
    server.ready().await?;
    server.compiled().await?;
    server.end().await?;
    for _ in 0..WARM_STARTS {
        starts.warm.push(start(config).await?);
    }
    Ok(starts)
}

/// Returns the milliseconds from start to ready.
async fn start(config: &Path) -> Result<f64> {
    let began = Instant::now();
    let server = Server::jackfield(config).await?;
    server.ready().await?;
    let took = began.elapsed();
    server.end().await?;
    Ok(took.as_secs_f64() * 1e3)
}
