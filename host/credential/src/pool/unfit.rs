//! Why nobody, or not this one, can be chosen.

use crate::Timestamp;

/// Why no credential is fit for a model.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// No credential serves a model of this name.
    #[error("no credential serves a model of this name")]
    UnknownModel,
    /// Credentials serve it, but none is fit. Each is counted once, under the first that holds.
    #[error(
        "no credential for this model is fit: {disabled} disabled, {tried} tried already, \
         {cooling} cooling"
    )]
    NoneFit {
        /// Disabled by the operator.
        disabled: u32,
        /// Enabled, but among those that the caller has tried.
        tried: u32,
        /// Left alone after a failure.
        cooling: u32,
        /// When the first of the cooling ones may be chosen again.
        retry_at: Option<Timestamp>,
    },
}

impl Unfit {
    /// Whether every enabled credential that serves the model cools: then there is a time at which
    /// it is worth to ask again.
    pub fn all_cooling(&self) -> bool {
        matches!(
            self,
            Self::NoneFit {
                tried: 0,
                cooling: 1..,
                ..
            }
        )
    }

    /// When the first of the cooling credentials may be chosen again.
    pub fn retry_at(&self) -> Option<Timestamp> {
        match *self {
            Self::UnknownModel => None,
            Self::NoneFit { retry_at, .. } => retry_at,
        }
    }
}

/// Why an attempt cannot begin with a credential that was a candidate a moment ago.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotFit {
    /// It cools, for its account or for the model.
    #[error("the credential cools until {until}")]
    Cooling {
        /// When it may be chosen again.
        until: Timestamp,
    },
    /// The operator disabled it.
    #[error("the credential is disabled")]
    Disabled,
    /// It is not in the pool, or no longer.
    #[error("the credential is not in the pool")]
    Gone,
    /// It does not serve the model, or no longer.
    #[error("the credential does not serve this model")]
    Unserved,
}
