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
    /// The executors that serve, by name.
    pub executors: BTreeMap<Arc<str>, Arc<dyn Executor>>,
    /// The selectors that serve, by name.
    pub selectors: BTreeMap<Arc<str>, Arc<dyn Selector>>,
    /// How credentials are chosen.
    pub routing: Routing,
    /// When and how often a call is tried.
    pub retry: RetryPolicy,
    /// How long anything may take.
    pub timeouts: Timeouts,
}

impl Snapshot {
    /// A provider, and the executor that speaks to it.
    pub(crate) fn serving(
        &self,
        name: &ProviderName,
    ) -> Result<(&Provider, &Arc<dyn Executor>), CallError> {
        let provider = self.providers.get(name);
        let provider = provider.ok_or_else(|| CallError::ProviderNotFound(name.to_string()))?;
        let executor = self.executors.get(&provider.executor);
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
