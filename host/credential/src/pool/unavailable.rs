//! Why nobody, or not this one, can be chosen.

use std::fmt;

use crate::Timestamp;

/// Why no credential is fit for a model.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unavailable {
    /// No credential serves a model of this name.
    #[error("no credential serves a model of this name")]
    UnknownModel,
    /// Credentials serve it, but none is fit.
    #[error("no credential for this model is fit: {0}")]
    NoneAvailable(Reasons),
}

/// Why credentials are not fit: each is counted once, under the first that holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reasons {
    /// Disabled by the operator.
    pub disabled: u32,
    /// Enabled, but among those that the caller has tried.
    pub tried: u32,
    /// Waiting for somebody to act.
    pub barred: u32,
    /// Left alone after a failure.
    pub cooling: u32,
    /// Of the cooling ones, those that one attempt is just probing.
    pub probing: u32,
    /// With as many attempts under way as it, or its provider, may have.
    pub busy: u32,
    /// Not to be tried in as late a round.
    pub rounds_exhausted: u32,
    /// When the first of the cooling ones may be chosen again.
    pub retry_at: Option<Timestamp>,
}

impl fmt::Display for Reasons {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counted = [
            (self.disabled, "disabled"),
            (self.tried, "tried already"),
            (self.barred, "barred until somebody acts"),
            (self.cooling, "cooling"),
            (self.busy, "busy"),
            (self.rounds_exhausted, "not tried in further rounds"),
        ];
        let mut separator = "";
        for (number, what) in counted.into_iter().filter(|(number, _)| *number > 0) {
            write!(f, "{separator}{number} {what}")?;
            separator = ", ";
        }
        Ok(())
    }
}

impl Unavailable {
    /// Whether every enabled credential that serves the model was tried: none is left that could ever do.
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

    /// Whether every enabled credential that serves the model cools: then there is a time at which
    /// it is worth to ask again.
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

    /// Why those that serve the model are not fit; none if there are none.
    pub fn reasons(&self) -> Option<Reasons> {
        match *self {
            Self::UnknownModel => None,
            Self::NoneAvailable(reasons) => Some(reasons),
        }
    }

    /// Whether some credential is only busy: it is worth to wait for room.
    pub fn has_busy(&self) -> bool {
        matches!(self, Self::NoneAvailable(Reasons { busy: 1.., .. }))
    }

    /// When the first of the cooling credentials may be chosen again.
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
    /// It cools, for its account or for the model.
    #[error("the credential cools until {until}")]
    Cooling {
        /// When it may be chosen again.
        until: Timestamp,
    },
    /// It waits for somebody to act.
    #[error("the credential is barred until somebody acts")]
    Barred,
    /// It, or its provider, has as many attempts under way as it may.
    #[error("the credential has as many attempts under way as it may")]
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
