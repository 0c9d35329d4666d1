//! One attempt with one credential, and the effects of its end.

use std::sync::Arc;

use super::PriorFailure;
use crate::{CredentialId, Endpoint, Health, ModelKey, Requester, Slot, Timestamp};

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
    /// The number of the attempt: the later it began, the higher.
    pub(super) number: u64,
    /// The same number, if the attempt is a probe.
    pub(super) probe: Option<u64>,
    /// True if it began within a window of a guess, which its success closes.
    pub(super) trial: bool,
    /// True if it is the window's trial, or has its turn after it: its failure prolongs it. The attempts of a call that goes on
    /// after two failures at a site are none: of many such calls at once, each would double the window.
    pub(super) prolongs: bool,
    /// True if its first content has arrived.
    pub(super) served: bool,
    pub(super) endpoint: Endpoint,
    pub(super) requester: Requester,
    /// The unattributed failures of its call before it began.
    pub(super) failed: Box<[PriorFailure]>,
    /// [`Live::place`](super::entry::Live::place) when it began.
    pub(super) place: u64,
}

impl Attempt {
    /// Returns the credential's slot in the pool.
    pub fn slot(&self) -> Slot {
        self.slot
    }

    /// True if it finds out whether a window is still needed: a probe of a long one, or a trial.
    pub fn is_probe(&self) -> bool {
        self.probe.is_some() || self.prolongs
    }

    /// True if it is the trial of a guess, or has its turn after one.
    pub fn is_trial(&self) -> bool {
        self.prolongs
    }

    /// Returns the endpoint.
    pub fn endpoint(&self) -> Endpoint {
        self.endpoint
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
    /// Changes of health; after an attempt at most one of each [`HealthPlace`], and those of lanes
    /// where the same call failed before.
    pub changes: Vec<HealthChange>,
    /// True if capacity became free.
    pub capacity_freed: bool,
    /// True if a window was closed or a trial decided, so that calls that wait for a cooldown may go on
    /// sooner than they were informed.
    pub cooldown_changed: bool,
}

/// A change of one health.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthChange {
    /// The credential.
    pub credential: CredentialId,
    /// The model; `None` for the account and the way.
    pub model: Option<ModelKey>,
    /// Whose health it is.
    pub place: HealthPlace,
    /// Before.
    pub from: Health,
    /// After.
    pub to: Health,
}

/// Whose health it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HealthPlace {
    /// The credential's account.
    Account,
    /// A model of the credential, with all endpoints.
    Model,
    /// One endpoint of a model of the credential.
    Lane(Endpoint),
    /// One endpoint of a model at the site, the provider's base URL, with all its credentials.
    SiteLane(Endpoint),
    /// The way to the provider, through the credential's proxy, with all models and credentials.
    Way,
}

impl HealthPlace {
    /// Returns the word used in logs and in the admin API.
    pub fn label(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::Model => "model",
            Self::Lane(_) => "lane",
            Self::SiteLane(_) => "site",
            Self::Way => "way",
        }
    }

    /// Returns the endpoint; `None` if it is about all of them.
    pub fn endpoint(self) -> Option<Endpoint> {
        match self {
            Self::Lane(endpoint) | Self::SiteLane(endpoint) => Some(endpoint),
            Self::Account | Self::Model | Self::Way => None,
        }
    }

    /// True if it outlasts a restart. The others are found out again.
    pub fn is_stored(self) -> bool {
        matches!(self, Self::Account | Self::Model)
    }
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
    /// Identifies the secrets that the health belongs to, if that is known. The pool does not use it.
    pub secrets_digest: Option<u64>,
}
