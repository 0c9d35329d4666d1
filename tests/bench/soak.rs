//! The real binary among hostile clients, providers and plugins. `--calls N`: good clients make N calls, and none may be
//! lost, while memory, leases and descriptors stay bounded. `--hostile-guests`: what looping calls of a plugin cost the
//! calls of others. Without one of the two it does nothing, since both take minutes.

mod chat;
#[expect(dead_code, reason = "the benchmark `proxy` uses the rest")]
mod load;
mod process;
mod report;
#[expect(dead_code, reason = "the benchmark `proxy` uses the rest")]
mod role;
mod upstream;

#[path = "soak/attacks.rs"]
mod attacks;
#[path = "soak/configuration.rs"]
mod configuration;
#[path = "soak/good_clients.rs"]
mod good_clients;
#[path = "soak/hostile_guests.rs"]
mod hostile_guests;
#[path = "soak/hostile_provider.rs"]
mod hostile_provider;
#[path = "soak/observer.rs"]
mod observer;
#[path = "soak/run.rs"]
mod run;

use tokio::signal::unix::{SignalKind, signal};

use crate::role::serve_until_orphaned;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    // Cargo adds this one.
    let words = arguments.iter().map(String::as_str);
    let words: Vec<&str> = words.filter(|word| *word != "--bench").collect();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    match words.as_slice() {
        ["upstream"] => runtime.block_on(serve_until_orphaned(upstream::serve)),
        ["hostile-provider"] => runtime.block_on(serve_until_orphaned(hostile_provider::serve)),
        ["--calls", calls] => runtime.block_on(until_stopped(run::soak(calls.parse()?))),
        ["--hostile-guests", more @ ..] => {
            runtime.block_on(until_stopped(hostile_guests::measure(more)))
        }
        _ => {
            report::print_line(
                "soak: give `--calls NUMBER`, or `--hostile-guests` and lines of configuration to compare",
            );
            Ok(())
        }
    }
}

/// Runs until a signal arrives, which drops all tasks and servers.
async fn until_stopped(running: impl Future<Output = Result<()>>) -> Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        ended = running => ended,
        _ = terminate.recv() => Err("stopped".into()),
        _ = interrupt.recv() => Err("stopped".into()),
    }
}
