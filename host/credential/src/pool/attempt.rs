//! One attempt with one credential, and what its end changes.

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
    pub(super) began: Timestamp,
}

impl Attempt {
    /// Where the credential stands in the pool.
    pub fn slot(&self) -> Slot {
        self.slot
    }

    /// The provider's own name of the model.
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
    /// At most two: the account's health and the model's.
    pub changes: Vec<HealthChange>,
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
