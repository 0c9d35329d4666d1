//! Reasons why no credential, or not this one, can be chosen.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::HealthPlace;
use crate::{Cause, Timestamp};

/// Why no credential is available for a model.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unavailable {
    /// No credential serves a model of this name.
    #[error("no credential serves this model")]
    UnknownModel,
    /// Credentials serve it, but none of them is available.
    #[error("no credential available ({0})")]
    NoneAvailable(Reasons),
}

/// How many credentials are unavailable, by reason. Each is counted once, under the first reason that
/// holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reasons {
    /// Disabled by the operator.
    pub disabled: u32,
    /// Enabled, but the caller has tried them.
    pub tried: u32,
    /// Not usable until an operator acts.
    pub barred: u32,
    /// Cooling after a failure.
    pub cooling: u32,
    /// Of the cooling ones, those with a probe in flight.
    pub probing: u32,
    /// At the limit of attempts in flight, their own or their provider's.
    pub busy: u32,
    /// With a limit of rounds that this round exceeds.
    pub rounds_exhausted: u32,
    /// Of the cooling ones, those that the call may try, if it were not the turn of others.
    pub turns: u32,
    /// The cooling ones by the class of their window.
    pub classes: CoolingCounts,
    /// When the first of the cooling ones becomes available, or may be tried.
    pub retry_at: Option<Timestamp>,
    /// Why that one cools.
    pub first: Option<CoolingCause>,
    /// What a call may wait for.
    pub times: Box<CoolingTimes>,
}

/// What a call may wait for while credentials cool.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CoolingTimes {
    /// When the first of each class becomes available, or may be tried: not each class is worth waiting for.
    pub first_by_class: BTreeMap<CoolingClass, Timestamp>,
    /// Until when the result of a trial is awaited that is in flight, if there is one: it may make some of the
    /// cooling ones available.
    pub trial_until: Option<Timestamp>,
}

impl CoolingTimes {
    /// Records that a credential of this class becomes available.
    pub(super) fn note(&mut self, class: CoolingClass, at: Timestamp) {
        let first = self.first_by_class.entry(class).or_insert(at);
        *first = at.min(*first);
    }
}

/// Why a credential cools.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CoolingCause {
    /// Whose window it is: of the credential, or of its site or way with all credentials.
    pub place: HealthPlace,
    /// The class of its window.
    pub class: CoolingClass,
    /// The failure that opened the window.
    pub cause: Arc<Cause>,
}

/// A class of cooling windows: what the provider, or its silence, means for the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CoolingClass {
    /// A rate limit or a quota.
    Limit,
    /// The provider is overloaded.
    Overload,
    /// The provider, or the way to it, fails.
    Outage,
    /// The provider refuses the credential.
    Refused,
    /// The account has no credit.
    Billing,
    /// The provider does not serve the model, or not this endpoint of it.
    Missing,
}

impl CoolingClass {
    /// True if a request that is served proves that the window is wrong. Limits are of many requests,
    /// and say nothing about those that were accepted before.
    pub(crate) fn is_refuted_by_service(self) -> bool {
        match self {
            Self::Missing | Self::Outage | Self::Overload | Self::Refused => true,
            Self::Billing | Self::Limit => false,
        }
    }
}

/// The number of cooling credentials by class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CoolingCounts {
    /// [`CoolingClass::Limit`].
    pub limit: u32,
    /// [`CoolingClass::Overload`].
    pub overload: u32,
    /// [`CoolingClass::Outage`].
    pub outage: u32,
    /// [`CoolingClass::Refused`].
    pub refused: u32,
    /// [`CoolingClass::Billing`].
    pub billing: u32,
    /// [`CoolingClass::Missing`].
    pub missing: u32,
}

impl CoolingCounts {
    /// Returns the number of a class.
    pub fn of(&self, class: CoolingClass) -> u32 {
        match class {
            CoolingClass::Limit => self.limit,
            CoolingClass::Overload => self.overload,
            CoolingClass::Outage => self.outage,
            CoolingClass::Refused => self.refused,
            CoolingClass::Billing => self.billing,
            CoolingClass::Missing => self.missing,
        }
    }

    pub(super) fn of_mut(&mut self, class: CoolingClass) -> &mut u32 {
        match class {
            CoolingClass::Limit => &mut self.limit,
            CoolingClass::Overload => &mut self.overload,
            CoolingClass::Outage => &mut self.outage,
            CoolingClass::Refused => &mut self.refused,
            CoolingClass::Billing => &mut self.billing,
            CoolingClass::Missing => &mut self.missing,
        }
    }
}

impl fmt::Display for Reasons {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let needs = if self.barred == 1 { "needs" } else { "need" };
        let barred = format!("{needs} operator action (log in again or reset)");
        let counted = [
            (self.disabled, "disabled"),
            (self.tried, "already tried"),
            (self.barred, barred.as_str()),
            (self.cooling, "cooling"),
            (self.busy, "busy"),
            (self.rounds_exhausted, "out of rounds"),
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
    /// Whether every enabled credential that serves the model was tried, so that waiting does not help.
    pub fn all_tried(&self) -> bool {
        let Self::NoneAvailable(reasons) = self else {
            return false;
        };
        let others = Reasons {
            tried: 0,
            disabled: 0,
            ..reasons.clone()
        };
        others == Reasons::default()
    }

    /// Whether every enabled credential that serves the model cools. Then [`Self::retry_at`] says when
    /// to try again.
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

    /// The counts by reason; `None` if no credential serves the model.
    pub fn reasons(&self) -> Option<Reasons> {
        match self {
            Self::UnknownModel => None,
            Self::NoneAvailable(reasons) => Some(reasons.clone()),
        }
    }

    /// Whether some credential is only busy, so that waiting for capacity can help.
    pub fn has_busy(&self) -> bool {
        matches!(self, Self::NoneAvailable(Reasons { busy: 1.., .. }))
    }

    /// When the first of the cooling credentials becomes available.
    pub fn retry_at(&self) -> Option<Timestamp> {
        match self {
            Self::UnknownModel => None,
            Self::NoneAvailable(reasons) => reasons.retry_at,
        }
    }
}

/// Why an attempt cannot begin with a credential that was a candidate before.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LeaseError {
    /// It cools: its account, or the model.
    #[error("the credential cools until {until}")]
    Cooling {
        /// When it becomes available.
        until: Timestamp,
    },
    /// It is not usable until an operator acts.
    #[error("the credential needs operator action (log in again or reset)")]
    Barred,
    /// It, or its provider, is at the limit of attempts in flight.
    #[error("the credential is at its limit of attempts in flight")]
    Busy,
    /// The operator disabled it.
    #[error("the credential is disabled")]
    Disabled,
    /// It is not in the pool (any more).
    #[error("the credential is not in the pool")]
    NotInPool,
    /// It does not serve the model (any more).
    #[error("the credential does not serve this model")]
    ModelNotServed,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_listed_without_zeros() {
        let reasons = Reasons {
            disabled: 1,
            barred: 1,
            cooling: 2,
            probing: 1,
            ..Reasons::default()
        };
        assert_eq!(
            reasons.to_string(),
            "1 disabled, 1 needs operator action (log in again or reset), 2 cooling"
        );
        let barred = Reasons {
            barred: 2,
            ..Reasons::default()
        };
        assert_eq!(
            Unavailable::NoneAvailable(barred).to_string(),
            "no credential available (2 need operator action (log in again or reset))"
        );
    }
}
