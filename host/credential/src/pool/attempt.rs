//! One attempt with one credential, and what its end changes.

use std::sync::Arc;

use crate::{CredentialId, Health, ModelKey, Slot, Timestamp};

/// One attempt with one credential, under way. It ends in [`Pool::settle`](crate::Pool::settle),
/// and nowhere else: an attempt that is dropped stays in flight for ever.
#[derive(Debug)]
#[must_use = "settle it, or its credential counts it as in flight for ever"]
pub struct Attempt {
    pub(super) slot: Slot,
    /// Where the model stood in the credential's entry when the attempt began.
    pub(super) model: u32,
    pub(super) key: ModelKey,
    pub(super) upstream: Arc<str>,
    pub(super) began: Timestamp,
    /// The number of the probe that it is, if it is one.
    pub(super) probe: Option<u64>,
}

impl Attempt {
    /// Where the credential stands in the pool.
    pub fn slot(&self) -> Slot {
        self.slot
    }

    /// Whether it finds out if the rest of a long window is needed.
    pub fn is_probe(&self) -> bool {
        self.probe.is_some()
    }

    /// The provider's own name of the model, with the suffix that the client asked for.
    pub fn upstream_model(&self) -> &Arc<str> {
        &self.upstream
    }

    /// What the model's health is kept by.
    pub fn model(&self) -> &ModelKey {
        &self.key
    }

    /// When it began.
    pub fn began(&self) -> Timestamp {
        self.began
    }
}

/// What an attempt's end changed, for whoever logs and persists it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Effects {
    /// After an attempt at most two: the account's health and the model's.
    pub changes: Vec<HealthChange>,
    /// Whether there is room for another attempt where there was none.
    pub capacity_freed: bool,
}

/// A change of one health.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthChange {
    /// Whose.
    pub credential: CredentialId,
    /// For which model; none for the account as a whole.
    pub model: Option<ModelKey>,
    /// As it stood.
    pub from: Health,
    /// As it stands.
    pub to: Health,
}

/// One health as it is kept over a restart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthRecord {
    /// Whose.
    pub credential: CredentialId,
    /// For which model; none for the account as a whole.
    pub model: Option<ModelKey>,
    /// How it stands.
    pub health: Health,
}
