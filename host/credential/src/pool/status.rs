//! What people may know of the pool.

use std::sync::Arc;

use super::Pool;
use crate::{Availability, Cause, CredentialId, Health, ModelKey, ProviderName, Timestamp};

impl Pool {
    /// How every credential stands, ordered by id.
    pub fn status(&self, now: Timestamp) -> Vec<CredentialStatus> {
        let now = self.latest.max(now);
        let live = self
            .by_id
            .values()
            .filter_map(|&slot| self.entries.live(slot));
        let status = live.map(|live| CredentialStatus {
            id: live.credential.id.clone(),
            provider: live.credential.provider.clone(),
            enabled: live.credential.enabled,
            priority: live.credential.priority,
            weight: live.credential.weight,
            in_flight: live.in_flight,
            last_used: Some(live.last_used).filter(|&at| at > Timestamp::default()),
            account: Standing::of(&live.account, now),
            models: live
                .models
                .iter()
                .map(|model| ModelStatus {
                    model: model.key.clone(),
                    standing: Standing::of(&model.health, now),
                    error_permille: model.traffic.error_permille(),
                    latency_ms: model.traffic.latency_ms(),
                })
                .collect(),
            last_failure: live.last_failure.clone(),
        });
        status.collect()
    }

    /// The names that clients may ask for, sorted, without those that only disabled credentials
    /// serve.
    pub fn names(&self) -> impl Iterator<Item = ServedName> {
        let shards = self
            .by_name
            .values()
            .filter_map(|&index| self.shards.get(index as usize));
        let names = shards.map(|shard| ServedName {
            name: Arc::clone(shard.name()),
            providers: Arc::clone(shard.providers()),
        });
        names.filter(|served| !served.providers.is_empty())
    }
}

/// How one credential stands. Nothing in it is secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CredentialStatus {
    /// Its name.
    pub id: CredentialId,
    /// Whose it is.
    pub provider: ProviderName,
    /// Whether it may be used at all.
    pub enabled: bool,
    /// Its priority.
    pub priority: i32,
    /// Its share among equals.
    pub weight: u32,
    /// Attempts under way.
    pub in_flight: u32,
    /// When it was last chosen; none for never.
    pub last_used: Option<Timestamp>,
    /// How the account stands, whatever the model.
    pub account: Standing,
    /// How each model stands, apart from the account. In the credential's own order.
    pub models: Vec<ModelStatus>,
    /// The last failure told, apart from the client's own. A success does not clear it: it has its
    /// time.
    pub last_failure: Option<LastFailure>,
}

/// How one model of a credential stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelStatus {
    /// The provider's own name of it.
    pub model: ModelKey,
    /// How it stands.
    pub standing: Standing,
    /// Failed attempts of the last 32, in thousandths.
    pub error_permille: u16,
    /// Time to the first byte in milliseconds, a moving average; 0 while unknown.
    pub latency_ms: u32,
}

/// A health, as seen at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Whether it may be chosen.
    pub availability: Availability,
    /// Windows in a row whose length was guessed.
    pub strikes: u32,
    /// The failure that opened the last window, as long as no success closed it.
    pub cause: Option<Arc<Cause>>,
}

impl Standing {
    fn of(health: &Health, now: Timestamp) -> Self {
        Self {
            availability: health.availability(now),
            strikes: health.strikes(),
            cause: health.cause().map(Arc::clone),
        }
    }
}

/// A failure, and when it was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastFailure {
    /// When it was told.
    pub at: Timestamp,
    /// With which model.
    pub model: ModelKey,
    /// What it was.
    pub cause: Arc<Cause>,
}

/// A name that clients may ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServedName {
    /// The name.
    pub name: Arc<str>,
    /// Who serves it, sorted; at least one.
    pub providers: Arc<[ProviderName]>,
}
