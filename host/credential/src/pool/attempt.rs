//! One attempt with one credential, and the effects of its end.

use std::sync::Arc;

use crate::{CredentialId, Health, ModelKey, Slot, Timestamp};

/// One attempt in flight. End it with [`Pool::settle`](crate::Pool::settle): an attempt that is
/// dropped counts as in flight for ever.
#[derive(Debug)]
#[must_use = "settle it; otherwise it counts as in flight for ever"]
pub struct Attempt {
    pub(super) slot: Slot,
    /// Index of the model in the credential's entry when the attempt began.
    pub(super) model: u32,
    pub(super) key: ModelKey,
    pub(super) upstream: Arc<str>,
    pub(super) began: Timestamp,
    /// The number of the probe, if the attempt is one.
    pub(super) probe: Option<u64>,
}

impl Attempt {
    /// Returns the credential's slot in the pool.
    pub fn slot(&self) -> Slot {
        self.slot
    }

    /// True if it probes whether a long window is still needed.
    pub fn is_probe(&self) -> bool {
        self.probe.is_some()
    }

    /// Returns the provider's name of the model, with the suffix that the client requested.
    pub fn upstream_model(&self) -> &Arc<str> {
        &self.upstream
    }

    /// Returns the key of the model's health.
    pub fn model(&self) -> &ModelKey {
        &self.key
    }

    /// Returns when it began.
    pub fn began(&self) -> Timestamp {
        self.began
    }
}

/// What an attempt's end changed, for logs and persistence.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Effects {
    /// Changes of health; after an attempt at most two, the account's and the model's.
    pub changes: Vec<HealthChange>,
    /// True if capacity became free.
    pub capacity_freed: bool,
}

/// A change of one health.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthChange {
    /// The credential.
    pub credential: CredentialId,
    /// The model; `None` for the account.
    pub model: Option<ModelKey>,
    /// Before.
    pub from: Health,
    /// After.
    pub to: Health,
}

/// One health, as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthRecord {
    /// The credential.
    pub credential: CredentialId,
    /// The model; `None` for the account.
    pub model: Option<ModelKey>,
    /// The health.
    pub health: Health,
}
