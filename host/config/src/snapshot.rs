//! What a configuration says of calls, as what calls go by. Reading it anew makes the same of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use jackfield_credential::{BudgetPolicy, CooldownPolicy, PoolOptions, ProviderName};
use jackfield_dispatch::snapshot::{Provider, RetryPolicy, Routing, Snapshot, Timeouts};
use jackfield_dispatch::{AffinityKey, Condition, Fallback};

use crate::config::Config;
use crate::routes::FallbackOn;
use crate::{providers, routes, routing};

/// A snapshot without plugins.
pub fn build(config: &Config) -> Snapshot {
    let timeouts = &config.timeouts;
    Snapshot {
        providers: config.providers.iter().map(provider).collect(),
        routing: Routing {
            selector: config.routing.selector.as_str().into(),
            settings: config.routing.settings.as_str().into(),
            queue_timeout: config.routing.queue_timeout,
            affinity: affinity(config),
            fallbacks: fallbacks(config),
        },
        retry: RetryPolicy {
            rounds: config.retry.rounds,
            max_wait: config.retry.max_wait,
            max_credentials: config.retry.max_credentials,
            budget: BudgetPolicy {
                ratio_permille: config.retry.budget.ratio_permille,
                per_second: config.retry.budget.per_second,
                burst: config.retry.budget.burst,
            },
        },
        timeouts: Timeouts {
            connect: timeouts.connect,
            first_byte: timeouts.first_byte,
            idle: timeouts.idle,
            total: timeouts.total,
        },
        ..Snapshot::default()
    }
}

/// What stands in for the names that have such.
fn fallbacks(config: &Config) -> BTreeMap<Arc<str>, Vec<Fallback>> {
    let condition = |on: &FallbackOn| match on {
        FallbackOn::Cooling => Condition::Cooling,
        FallbackOn::Unavailable => Condition::Unavailable,
        FallbackOn::Failed => Condition::Failed,
        FallbackOn::ContextLength => Condition::ContextLength,
    };
    let fallback = |configured: &routes::Fallback| Fallback {
        model: configured.model.as_str().into(),
        on: configured.on.iter().map(condition).collect(),
    };
    let chains = config.fallbacks.iter();
    let chains =
        chains.map(|(name, chain)| (name.as_str().into(), chain.iter().map(fallback).collect()));
    chains.collect()
}

/// Where sessions stand; where the operator says nothing, where tools put them.
fn affinity(config: &Config) -> Vec<AffinityKey> {
    let key = |affinity: &routing::Affinity| match affinity {
        routing::Affinity::Header(name) => name.parse().ok().map(AffinityKey::Header),
        routing::Affinity::Body(pointer) => Some(AffinityKey::BodyPointer(pointer.as_str().into())),
        routing::Affinity::ClientKey => Some(AffinityKey::ClientKey),
    };
    match config.routing.affinity.as_slice() {
        [] => AffinityKey::defaults(),
        configured => configured.iter().filter_map(key).collect(),
    }
}

fn provider(provider: &providers::Provider) -> (ProviderName, Provider) {
    let snapshot_provider = Provider {
        executor: provider.executor.as_str().into(),
        base_url: Arc::new(provider.base_url.clone()),
        settings: provider.settings.as_str().into(),
        grants: provider.grants.clone(),
    };
    (
        ProviderName::from(provider.name.as_str()),
        snapshot_provider,
    )
}

/// What the pool goes by. `seed`: where its jitter begins.
pub fn pool_options(config: &Config, seed: u64) -> PoolOptions {
    let in_flight_max = |provider: &providers::Provider| {
        let name = ProviderName::from(provider.name.as_str());
        provider.max_in_flight.map(|most| (name, most))
    };
    PoolOptions {
        policy: CooldownPolicy {
            disable_cooling: config.disable_cooling,
            ..CooldownPolicy::default()
        },
        provider_in_flight_max: config.providers.iter().filter_map(in_flight_max).collect(),
        seed,
    }
}
