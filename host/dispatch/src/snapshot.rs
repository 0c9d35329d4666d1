//! Everything that can be swapped, immutable: a call holds one snapshot to its last byte.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jackfield_credential::{BudgetPolicy, ProviderName};
use url::Url;

use crate::affinity::AffinityKey;
use crate::error::CallError;
use crate::fallback::Fallback;
use crate::port::{Executor, Selector};

/// Routes, plugins and policies, as they stand for one call.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// Counts the snapshots.
    pub generation: u64,
    /// The number of the configuration that it is of, as leases carry it.
    pub configuration: u64,
    /// The providers by name.
    pub providers: BTreeMap<ProviderName, Provider>,
    /// The plugins that serve. They change apart from the configuration, and as one value: a change
    /// of either leaves the other alone.
    pub plugins: Arc<Plugins>,
    /// How credentials are chosen.
    pub routing: Routing,
    /// When and how often a call is tried.
    pub retry: RetryPolicy,
    /// How long anything may take.
    pub timeouts: Timeouts,
}

/// The plugins that serve, by name.
#[derive(Debug, Clone, Default)]
pub struct Plugins {
    /// The executors.
    pub executors: BTreeMap<Arc<str>, Arc<dyn Executor>>,
    /// The selectors.
    pub selectors: BTreeMap<Arc<str>, Arc<dyn Selector>>,
}

impl Snapshot {
    /// The next snapshot, with the same configuration and other plugins.
    #[must_use]
    pub fn with_plugins(&self, plugins: Arc<Plugins>) -> Self {
        Self {
            generation: self.generation + 1,
            plugins,
            ..self.clone()
        }
    }

    /// The next snapshot, with the same plugins and another configuration, of which this is the number.
    #[must_use]
    pub fn with_configuration(&self, number: u64, configured: Self) -> Self {
        Self {
            generation: self.generation + 1,
            configuration: number,
            plugins: Arc::clone(&self.plugins),
            ..configured
        }
    }

    /// A provider, and the executor that speaks to it.
    pub(crate) fn serving(
        &self,
        name: &ProviderName,
    ) -> Result<(&Provider, &Arc<dyn Executor>), CallError> {
        let provider = self.providers.get(name);
        let provider = provider.ok_or_else(|| CallError::ProviderNotFound(name.to_string()))?;
        let executor = self.plugins.executors.get(&provider.executor);
        let executor = executor.ok_or_else(|| CallError::ExecutorNotFound {
            provider: name.to_string(),
            executor: provider.executor.as_ref().to_owned(),
        })?;
        Ok((provider, executor))
    }
}

/// One provider.
#[derive(Debug, Clone)]
pub struct Provider {
    /// The name of its executor.
    pub executor: Arc<str>,
    /// Where its API begins. Plans may name its origin and those of `grants`.
    pub base_url: Arc<Url>,
    /// The executor's settings for it, as the text of a JSON object.
    pub settings: Arc<str>,
    /// Origins that its executor may name beside its own, if it says that it wants to: a token
    /// endpoint.
    pub grants: Vec<Url>,
}

/// How credentials are chosen.
#[derive(Debug, Clone)]
pub struct Routing {
    /// The name of the selector.
    pub selector: Arc<str>,
    /// Its settings, as the text of a JSON object.
    pub settings: Arc<str>,
    /// Models that take another's place when it cannot be had, by the name that clients use for that
    /// other one; tried in order.
    pub fallbacks: BTreeMap<Arc<str>, Vec<Fallback>>,
    /// How long a call may wait for room, where credentials have as much under way as they may.
    pub queue_timeout: Duration,
    /// Where a call's session stands, the first that counts first.
    pub affinity: Vec<AffinityKey>,
}

impl Default for Routing {
    fn default() -> Self {
        Self {
            selector: Arc::from("round-robin"),
            settings: Arc::from("{}"),
            fallbacks: BTreeMap::new(),
            queue_timeout: Duration::from_secs(30),
            affinity: AffinityKey::defaults(),
        }
    }
}

/// When and how often a call is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Rounds over the pool, at least 1.
    pub rounds: u32,
    /// How long a call may wait for a cooldown to end, before another round.
    pub max_wait: Duration,
    /// Credentials tried in one call; 0 for all.
    pub max_credentials: u32,
    /// How many further attempts there may be after failures that are the provider's or the way's.
    pub budget: BudgetPolicy,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            rounds: 3,
            max_wait: Duration::from_secs(30),
            max_credentials: 0,
            budget: BudgetPolicy::default(),
        }
    }
}

/// How long anything may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// Making a connection.
    pub connect: Duration,
    /// From sending a request to the first byte of the answer's body.
    pub first_byte: Duration,
    /// Silence in an answer.
    pub idle: Duration,
    /// A whole call, its retries and its stream included.
    pub total: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            first_byte: Duration::from_secs(60),
            idle: Duration::from_secs(120),
            total: Duration::from_secs(600),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(selector: &str) -> Snapshot {
        let mut snapshot = Snapshot::default();
        snapshot.routing.selector = Arc::from(selector);
        snapshot
    }

    #[test]
    fn each_writer_keeps_what_the_other_wrote() {
        let plugins = Arc::new(Plugins::default());
        let configured = Snapshot::default().with_configuration(3, named("one"));
        let both = configured.with_plugins(Arc::clone(&plugins));
        assert_eq!((both.generation, both.configuration), (2, 3));
        assert_eq!(&*both.routing.selector, "one");
        assert!(Arc::ptr_eq(&both.plugins, &plugins));
        let reloaded = both.with_configuration(4, named("two"));
        assert_eq!((reloaded.generation, reloaded.configuration), (3, 4));
        assert_eq!(&*reloaded.routing.selector, "two");
        assert!(Arc::ptr_eq(&reloaded.plugins, &plugins));
    }
}
