//! The same executor in several languages: the time of a plan that is remembered and of one that is not, and the memory of
//! an instance.

use std::fs;
use std::hint::black_box;
use std::sync::Arc;

use bytes::Bytes;
use jackfield_dispatch::port::Executor;
use jackfield_runtime::{Origin, Registry};
use jackfield_test_support::{GuestKind, example_guest};
use tokio::time::Instant;

use crate::Result;
use crate::credentials::MODEL;
use crate::guests::{body, context, executor, registry};
use crate::report::{aim, print_line, table};

/// Languages whose tools the tests install.
const LANGUAGES: [&str; 3] = ["rust", "javascript", "python"];

/// Plans in one measurement, and measurements, of which the median counts.
const REMEMBERED: u32 = 20_000;
const CALLED: u32 = 100;
const BATCHES: usize = 9;

/// Instances by which the memory of one is measured.
const INSTANCES: usize = 16;

/// Prints the table.
pub(crate) async fn print_languages() -> Result<()> {
    print_line(
        "\nThe example executor by language: a plan, in us, and the resident memory of an instance.\n",
    );
    let mut rows: Vec<Vec<String>> = Vec::new();
    let mut of_rust = None;
    for language in LANGUAGES {
        // The registry keeps the generations in use alive.
        let (_registry, remembering, calling) = load(language).await?;
        let (before, body) = (resident_kib()?, body(1 << 10));
        let context = context(MODEL);
        let mut replies = Vec::new();
        for _ in 0..INSTANCES {
            replies.push(calling.reply(&context, &body, Bytes::new()).await?);
        }
        let memory = resident_kib()?.saturating_sub(before) / INSTANCES;
        drop(replies);
        let remembered = median_us(&remembering, REMEMBERED, &body).await?;
        let called = median_us(&calling, CALLED, &body).await?;
        let (rust_remembered, rust_called) = *of_rust.get_or_insert((remembered, called));
        let ratio = remembered / rust_remembered;
        rows.push(vec![
            language.to_owned(),
            format!("{remembered:.2}"),
            format!("{ratio:.2}"),
            aim("<= 1.2", ratio <= 1.2),
            format!("{called:.1}"),
            format!("{:.1}", called / rust_called),
            memory.to_string(),
        ]);
    }
    let heads = [
        "",
        "remembered",
        "of Rust's",
        "aim",
        "called",
        "of Rust's",
        "KiB",
    ];
    table(&heads, &rows);
    Ok(())
}

/// Loads the executor twice: its plans are remembered, and they are not.
async fn load(language: &str) -> Result<(Registry, Arc<dyn Executor>, Arc<dyn Executor>)> {
    let (registry, serving) = registry("calling")?;
    let names = ["remembering", "calling"];
    for name in names {
        let bytes = example_guest(language, GuestKind::Executor);
        registry.load(name, bytes, Origin::BuiltIn).await?;
    }
    let serving = Arc::clone(&serving.lock());
    let [remembering, calling] = names.map(|name| executor(&serving, name));
    Ok((registry, remembering?, calling?))
}

async fn median_us(executor: &Arc<dyn Executor>, plans: u32, body: &Bytes) -> Result<f64> {
    let context = context(MODEL);
    let mut times = Vec::new();
    for _ in 0..BATCHES {
        let began = Instant::now();
        for _ in 0..plans {
            let planned = black_box(executor.prepare(&context, body).await);
            planned.map_err(|rejection| format!("{rejection:?}"))?;
        }
        times.push(began.elapsed().as_secs_f64() * 1e6 / f64::from(plans));
    }
    times.sort_unstable_by(f64::total_cmp);
    Ok(times[BATCHES / 2])
}

fn resident_kib() -> Result<usize> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().nth(1));
    Ok(number.ok_or("no VmRSS")?.parse()?)
}
