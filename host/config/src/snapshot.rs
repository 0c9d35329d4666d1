//! Builds what the dispatcher and the pool need from the configuration, at start and on reload.

use jackfield_credential::{CooldownPolicy, PoolOptions};
use jackfield_dispatch::snapshot::Snapshot;

use crate::config::Config;

/// Builds a snapshot without plugins.
pub fn build(config: &Config) -> Snapshot {
    let providers = config.providers.iter();
    Snapshot {
        providers: providers
            .map(|provider| (provider.name.clone(), provider.endpoint.clone()))
            .collect(),
        routing: config.routing.clone(),
        retry: config.retry,
        timeouts: config.timeouts,
        ..Snapshot::default()
    }
}

/// Builds the options of the pool. `seed` starts the random numbers of its jitter.
pub fn pool_options(config: &Config, seed: u64) -> PoolOptions {
    let providers = config.providers.iter();
    let in_flight_max = providers.filter_map(|each| Some((each.name.clone(), each.max_in_flight?)));
    PoolOptions {
        policy: CooldownPolicy {
            disable_cooling: config.disable_cooling,
            ..CooldownPolicy::default()
        },
        provider_in_flight_max: in_flight_max.collect(),
        seed,
    }
}
