//! Why no credential, or not this one, is available.

use std::fmt;

use crate::Timestamp;

/// Why no credential is available for a model.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unavailable {
    /// No credential serves a model of this name.
    #[error("no credential serves a model of this name")]
    UnknownModel,
    /// Credentials serve it, but none is available.
    #[error("no credential is available: {0}")]
    NoneAvailable(Reasons),
}

/// Why credentials are not available. Each is counted once, under the first reason that applies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reasons {
    /// Disabled by the operator.
    pub disabled: u32,
    /// Enabled, but tried already by this call.
    pub tried: u32,
    /// Barred until the operator acts.
    pub barred: u32,
    /// Cooling after a failure.
    pub cooling: u32,
    /// Those of the cooling ones with a probe in flight.
    pub probing: u32,
    /// At the limit of attempts in flight, of the credential or its provider.
    pub busy: u32,
    /// Without further rounds: the credential's own number of rounds is used up.
    pub rounds_exhausted: u32,
    /// When the first of the cooling ones is available again.
    pub retry_at: Option<Timestamp>,
}

impl fmt::Display for Reasons {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counted = [
            (self.disabled, "disabled"),
            (self.tried, "already tried"),
            (self.barred, "needs operator action (log in again or reset)"),
            (self.cooling, "cooling"),
            (self.busy, "busy"),
            (self.rounds_exhausted, "without further rounds"),
        ];
        let mut separator = "";
        for (number, reason) in counted.into_iter().filter(|(number, _)| *number > 0) {
            write!(f, "{separator}{number} {reason}")?;
            separator = ", ";
        }
        Ok(())
    }
}

impl Unavailable {
    /// True if every enabled credential that serves the model was tried: waiting cannot help.
    pub fn all_tried(&self) -> bool {
        let Self::NoneAvailable(reasons) = self else {
            return false;
        };
        let others = Reasons {
            tried: 0,
            disabled: 0,
            ..*reasons
        };
        others == Reasons::default()
    }

    /// True if every enabled credential that serves the model is cooling: a retry at
    /// [`Unavailable::retry_at`] may succeed.
    pub fn all_cooling(&self) -> bool {
        matches!(
            self,
            Self::NoneAvailable(Reasons {
                tried: 0,
                barred: 0,
                busy: 0,
                rounds_exhausted: 0,
                cooling: 1..,
                ..
            })
        )
    }

    /// Returns the reasons, unless no credential serves the model.
    pub fn reasons(&self) -> Option<Reasons> {
        match *self {
            Self::UnknownModel => None,
            Self::NoneAvailable(reasons) => Some(reasons),
        }
    }

    /// True if a credential is only busy: the call can wait for capacity.
    pub fn has_busy(&self) -> bool {
        matches!(self, Self::NoneAvailable(Reasons { busy: 1.., .. }))
    }

    /// Returns when the first of the cooling credentials is available again.
    pub fn retry_at(&self) -> Option<Timestamp> {
        match *self {
            Self::UnknownModel => None,
            Self::NoneAvailable(reasons) => reasons.retry_at,
        }
    }
}

/// Why an attempt cannot begin with a credential that was a candidate a moment ago.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LeaseError {
    /// It is cooling, as a whole or for this model.
    #[error("the credential is cooling until {until}")]
    Cooling {
        /// When it is available again.
        until: Timestamp,
    },
    /// It is barred until the operator acts.
    #[error("the credential needs operator action (log in again or reset)")]
    Barred,
    /// It, or its provider, is at the limit of attempts in flight.
    #[error("the credential is at its limit of attempts in flight")]
    Busy,
    /// The operator disabled it.
    #[error("the credential is disabled")]
    Disabled,
    /// It is not in the pool, or no longer.
    #[error("the credential is not in the pool")]
    NotInPool,
    /// It does not serve the model, or no longer.
    #[error("the credential does not serve this model")]
    ModelNotServed,
}
