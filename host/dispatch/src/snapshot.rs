//! The snapshot: configuration and plugins, immutable. A call keeps one snapshot to its last byte; a
//! change stores a new snapshot.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jackfield_credential::{BudgetPolicy, ProviderName};
use url::Url;

use crate::affinity::AffinityKey;
use crate::error::CallError;
use crate::fallback::Fallback;
use crate::limits::CLIENT_STALL_TIMEOUT;
use crate::port::{Executor, Selector};
use crate::provider_traits::ProviderTraits;

/// The configuration and the plugins that a call uses.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// The number of the snapshot, from 0.
    pub generation: u64,
    /// The number of the configuration, which leases carry as well.
    pub configuration: u64,
    /// The providers by name.
    pub providers: BTreeMap<ProviderName, Provider>,
    /// The serving plugins. One value, so that a reload carries over one field.
    pub plugins: Arc<Plugins>,
    /// How credentials are picked.
    pub routing: Routing,
    /// When and how often a call is retried.
    pub retry: RetryPolicy,
    /// Time limits of a call.
    pub timeouts: Timeouts,
}

/// The serving plugins, by name.
#[derive(Debug, Clone, Default)]
pub struct Plugins {
    /// The executors.
    pub executors: BTreeMap<Arc<str>, Arc<dyn Executor>>,
    /// The selectors.
    pub selectors: BTreeMap<Arc<str>, Arc<dyn Selector>>,
    /// Plugins that are being compiled, or wait for it, and of which no version serves.
    pub compiling: BTreeSet<Arc<str>>,
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

    /// A provider and its executor.
    pub(crate) fn serving(
        &self,
        name: &ProviderName,
    ) -> Result<(&Provider, &Arc<dyn Executor>), CallError> {
        let provider = self.providers.get(name);
        let provider = provider.ok_or_else(|| CallError::ProviderNotFound(name.to_string()))?;
        let executor = self.plugins.executors.get(&provider.executor);
        let executor = executor.ok_or_else(|| self.missing(name, &provider.executor))?;
        Ok((provider, executor))
    }

    fn missing(&self, provider: &ProviderName, executor: &Arc<str>) -> CallError {
        if self.plugins.compiling.contains(executor) {
            return CallError::PluginCompiling(Arc::clone(executor));
        }
        CallError::ExecutorNotFound {
            provider: provider.to_string(),
            executor: executor.as_ref().to_owned(),
        }
    }
}

/// One provider.
#[derive(Debug, Clone)]
pub struct Provider {
    /// The name of its executor.
    pub executor: Arc<str>,
    /// The base URL of its API. Plans may use its origin, and those of `grants`.
    pub base_url: Arc<Url>,
    /// The executor's settings for it, as the text of a JSON object.
    pub settings: Arc<str>,
    /// Further origins that plans may use if the executor declares their hosts, such as a token
    /// endpoint's.
    pub grants: Vec<Url>,
    /// What it takes, by model.
    pub traits: Arc<ProviderTraits>,
}

/// How credentials are picked.
#[derive(Debug, Clone)]
pub struct Routing {
    /// The name of the selector.
    pub selector: Arc<str>,
    /// Its settings, as the text of a JSON object.
    pub settings: Arc<str>,
    /// Fallback models, in order, by the client's name for the model that they replace.
    pub fallbacks: BTreeMap<Arc<str>, Vec<Fallback>>,
    /// How long a call may wait in the queue when all credentials are busy.
    pub queue_timeout: Duration,
    /// Where a call names its session; the first place with a value counts. Empty turns affinity off.
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

/// When and how often a call is retried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Rounds over the pool, at least 1.
    pub rounds: u32,
    /// How long a call may wait for a cooldown to end, before another round.
    pub max_wait: Duration,
    /// Credentials tried in one call; 0 for all.
    pub max_credentials: u32,
    /// Budget of the attempts after failures of the provider or the transport.
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

/// Time limits of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// Connecting.
    pub connect: Duration,
    /// From sending a request to the first byte of the response's body. A whole response with content
    /// has until `total`: the provider sends nothing until it is complete.
    pub first_byte: Duration,
    /// From sending a request for a stream to the head of its response, while another credential could
    /// serve the call.
    pub per_try: Duration,
    /// From the beginning of a call for a stream to the head that the client gets without content.
    pub client_head: Duration,
    /// How long a client may leave what waits for it unread.
    pub client_stall: Duration,
    /// Between two chunks of a response.
    pub idle: Duration,
    /// A whole call with all retries. It bounds a stream up to its first content.
    pub total: Duration,
    /// A stream, from its request to its end; `None` for no limit.
    pub stream: Option<Duration>,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            first_byte: Duration::from_secs(60),
            per_try: Duration::from_secs(8),
            client_head: Duration::from_secs(10),
            client_stall: CLIENT_STALL_TIMEOUT,
            idle: Duration::from_secs(120),
            total: Duration::from_secs(600),
            stream: None,
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
