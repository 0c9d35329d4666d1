//! Availability in virtual time, reproducible from a seed: some clients send requests that the
//! providers reject in every way, providers have outages and hang, proxies die, tokens live for
//! seconds. The other clients must be served whenever a credential works, and tokens are refreshed
//! no more often than their lifetime requires.
//!
//! A failing seed is in the message. The environment variable `AVAILABILITY_SEEDS` sets how many
//! seeds are run, from 0; the default is [`SEEDS_DEFAULT`].

mod clients;
mod network;
mod timeline;
mod tokens;
mod world;

use crate::stage::run_paused;

/// One call in so many may fail. A call that meets what is really down in all of its rounds, while up to three
/// clients send poison, has had no turn at the credential that works; 150 seeds had 13 in 10,000.
const UNSERVED_PART: u64 = 250;

/// Seeds of an ordinary run. Each simulates twenty minutes.
const SEEDS_DEFAULT: u64 = 24;

#[test]
fn other_clients_are_served_while_a_credential_works() {
    let seeds = std::env::var("AVAILABILITY_SEEDS").ok();
    let seeds = seeds.map_or(SEEDS_DEFAULT, |seeds| seeds.parse().unwrap());
    let first = std::env::var("AVAILABILITY_FIRST").map_or(0, |seed| seed.parse().unwrap());
    let outcomes = (first..first + seeds).map(|seed| world::Outcome {
        trace: Vec::new(),
        ..run_paused(world::run(seed))
    });
    let outcomes: Vec<world::Outcome> = outcomes.collect();
    let calls: u64 = outcomes.iter().map(|outcome| outcome.calls).sum();
    let unserved: u64 = outcomes.iter().map(|outcome| outcome.unserved).sum();
    let reports = outcomes.into_iter().map(|outcome| outcome.report);
    let reports: Vec<String> = reports.filter(|report| !report.is_empty()).collect();
    let summary = format!(
        "{unserved} of {calls} calls were not served although a credential worked, in {} of {seeds} seeds",
        reports.len(),
    );
    println!("{summary}");
    assert!(
        unserved <= calls / UNSERVED_PART && !reports.iter().any(|report| is_other(report)),
        "{summary}:\n{}",
        reports.join("\n\n")
    );
}

/// Whether a broken promise is another one than that of a call.
fn is_other(report: &str) -> bool {
    report.contains("leases are open") || report.contains("refreshes")
}

#[test]
fn tokens_of_a_few_seconds_do_not_cause_a_storm_of_refreshes() {
    for (seed, life_ms) in (0..5_u64).map(|seed| (seed, seed * 1_000)) {
        let refreshes = run_paused(world::run_short_tokens(seed, life_ms));
        let most = world::run_ms() / 1_000 + 1;
        assert!(refreshes <= most, "life of {life_ms} ms: {refreshes}");
    }
}

#[test]
fn availability_is_reproducible() {
    let traces = [0, 0].map(|seed| run_paused(world::run(seed)).trace);
    let [first, second] = &traces;
    for (line, (one, other)) in first.iter().zip(second).enumerate() {
        assert_eq!(one, other, "line {line}");
    }
    assert_eq!(first.len(), second.len());
}
