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

/// Seeds of an ordinary run. Each simulates twenty minutes.
const SEEDS_DEFAULT: u64 = 24;

#[test]
fn other_clients_are_served_while_a_credential_works() {
    let seeds = std::env::var("AVAILABILITY_SEEDS").ok();
    let seeds = seeds.map_or(SEEDS_DEFAULT, |seeds| seeds.parse().unwrap());
    let first = std::env::var("AVAILABILITY_FIRST").map_or(0, |seed| seed.parse().unwrap());
    let failed: Vec<String> = (first..first + seeds)
        .filter_map(|seed| run_paused(world::run(seed)).err())
        .collect();
    assert!(
        failed.is_empty(),
        "{} of {seeds} seeds:\n{}",
        failed.len(),
        failed.join("\n\n")
    );
}

#[test]
fn tokens_of_a_few_seconds_do_not_cause_a_storm_of_refreshes() {
    for (seed, life_ms) in (0..5_u64).map(|seed| (seed, seed * 1_000)) {
        let refreshes = run_paused(world::run_short_tokens(seed, life_ms)).unwrap();
        let most = world::DURATION_MS / 1_000 + 1;
        assert!(refreshes <= most, "life of {life_ms} ms: {refreshes}");
    }
}
