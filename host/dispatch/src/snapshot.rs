//! The snapshot: configuration and plugins, immutable. A call keeps one snapshot to its last byte; a
//! change stores a new snapshot.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jackfield_credential::ProviderName;
use jackfield_login::LoginSettings;
use url::Url;

use crate::error::CallError;
use crate::header_pattern::HeaderPattern;
use crate::port::{Executor, Selector};
use crate::provider_traits::ProviderTraits;
pub use crate::retry_policy::RetryPolicy;
pub use crate::routing::Routing;
pub use crate::timeouts::Timeouts;

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
    /// Headers of clients that its executor may read or pass on, beyond those of the built-in list.
    pub client_headers: Vec<HeaderPattern>,
    /// What it takes, by model.
    pub traits: Arc<ProviderTraits>,
    /// How its accounts log in, if the configuration says it.
    pub login: Option<Arc<LoginSettings>>,
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
