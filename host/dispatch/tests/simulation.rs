//! Simulation of the dispatcher and the auth manager in virtual time, reproducible from a seed:
//! providers fail in every way, tokens expire, the store fails at times, clients cancel, an
//! operator edits credentials and reloads configurations, and plugins are replaced. The world
//! records what really happened, and reports the seed with each broken promise.
//!
//! A failure prints the seed, and the command that runs it again. Add the seed to [`SEEDS`]. The
//! environment variables `SIMULATION_FIRST` and `SIMULATION_SEEDS` set the first seed and how many are run.

mod accounts;
mod actors;
mod client;
mod oracle;
mod provider;
mod reload;
mod sites;
mod windows;
mod world;
mod world_setup;

use std::panic::{catch_unwind, resume_unwind};
use std::time::Duration;

use crate::stage::run_paused;

/// Seeds of every run: each one found a bug once, of the product or of the oracle, or is arbitrary.
const SEEDS: [u64; 19] = [
    8_009_837_808_133_967_672,
    1,
    2,
    5_077,
    4_336_720_275_494_132_567,
    14_842_310_864_706_099_376,
    5_136_987_953_048_589_924,
    13_610_038_774_143_831_441,
    12_349_440_564_874_025_228,
    3_735_853_611_465_514_829,
    109,
    1_275,
    100_716,
    400_130,
    900_018,
    910_114,
    910_115,
    930_028,
    940_027,
];

/// After so long an ordinary run begins no more fresh seeds. One takes a second or two, and more on a busy machine.
const FRESH_TIME: Duration = Duration::from_secs(30);

/// The most fresh seeds of an ordinary run.
const FRESH_SEEDS_MAX: u64 = 16;

#[test]
fn invariants_hold_for_known_seeds() {
    for seed in SEEDS {
        check(seed);
    }
}

#[test]
fn invariants_hold_for_fresh_seeds() {
    let number = |name| {
        let number = std::env::var(name).ok()?;
        Some(number.parse().unwrap())
    };
    let count: Option<u64> = number("SIMULATION_SEEDS");
    let first = number("SIMULATION_FIRST").unwrap_or_else(|| fastrand::u64(..));
    #[expect(
        clippy::disallowed_methods,
        reason = "it bounds how long the test really takes"
    )]
    let began = std::time::Instant::now();
    let seeds = (0..count.unwrap_or(FRESH_SEEDS_MAX)).map(|number| first.wrapping_add(number));
    let in_time = |_: &u64| count.is_some() || began.elapsed() < FRESH_TIME;
    let failed = seeds.take_while(in_time);
    let failed = failed.filter(|&seed| catch_unwind(|| check(seed)).is_err());
    let failed: Vec<u64> = failed.collect();
    assert!(failed.is_empty(), "failed seeds: {failed:?}");
}

#[test]
fn simulation_is_deterministic() {
    let (first, second) = (check(SEEDS[0]), check(SEEDS[0]));
    for (line, (one, other)) in first.iter().zip(&second).enumerate() {
        assert_eq!(one, other, "line {line}");
    }
    assert_eq!(first.len(), second.len());
}

/// Runs a seed, and returns its log. A failure says how to run the seed again.
#[expect(
    clippy::print_stdout,
    reason = "it stands before the report of the failed test"
)]
fn check(seed: u64) -> Vec<String> {
    catch_unwind(|| run_paused(actors::run(seed))).unwrap_or_else(|panic| {
        println!(
            "to run seed {seed} again: \
             SIMULATION_FIRST={seed} SIMULATION_SEEDS=1 cargo test -p jackfield-dispatch simulation"
        );
        resume_unwind(panic)
    })
}
