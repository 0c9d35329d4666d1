//! An entry of a name's index, and its state.

use super::Member;
use super::model_group::GroupNumber;
use crate::{CoolingClass, Timestamp};

/// One credential in the index of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct IndexEntry {
    pub(super) member: Member,
    pub(super) priority: i32,
    /// The number of its provider.
    pub(super) provider: u32,
    /// The credential's own number of rounds.
    pub(super) rounds: Option<u32>,
    /// All models of the credential under the name, if there are several. The member has the first.
    pub(super) group: GroupNumber,
    /// The number of its site, way and model in the index of the name.
    pub(super) lane: LaneNumber,
}

/// The number of a site and way with a model. Equal entries have the same turns, except for what is the
/// credential's own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct LaneNumber(pub(super) u32);

/// The window of a guess of a credential's account, model or lane that no success has closed yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct OwnGuess {
    /// The end of the window, which may be in the future while its probe is due; of no meaning without a window.
    pub(super) until: Timestamp,
    pub(super) class: Option<CoolingClass>,
    pub(super) counts_for: CountsFor,
}

/// The clients whose calls take turns after a credential's own window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum CountsFor {
    /// There is no such window: only those of the site or way count.
    #[default]
    NoClient,
    AllClients,
    /// The only client whose requests failed.
    Client(u64),
    /// It depends on more than one window, or more than one model.
    Unclear,
}

/// The state of an entry, which decides where it is listed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum EntryState {
    /// Disabled, or no entry.
    #[default]
    Disabled,
    Barred,
    Ready,
    /// Ready after windows of guesses that no success has closed yet.
    Due(OwnGuess),
    Waiting {
        /// When its availability changes.
        wake: Timestamp,
        /// The end of the window.
        until: Timestamp,
        /// The class of the window.
        class: CoolingClass,
        /// True if a probe is in flight.
        probing: bool,
    },
    /// Healthy, but at the limit of attempts in flight.
    Busy,
}

impl EntryState {
    /// Returns the better one of the states of two models.
    pub(super) fn better(self, other: Self) -> Self {
        if let (
            Self::Waiting {
                wake,
                until,
                class,
                probing,
            },
            Self::Waiting {
                wake: other_wake,
                until: other_until,
                class: other_class,
                probing: other_probing,
            },
        ) = (self, other)
        {
            let class = if other_until < until {
                other_class
            } else {
                class
            };
            return Self::Waiting {
                wake: wake.min(other_wake),
                until: until.min(other_until),
                class,
                probing: probing && other_probing,
            };
        }
        let badness = |state: Self| match state {
            Self::Ready => 0,
            Self::Due(_) => 1,
            Self::Busy => 2,
            Self::Waiting { .. } => 3,
            Self::Barred => 4,
            Self::Disabled => 5,
        };
        if badness(other) < badness(self) {
            other
        } else {
            self
        }
    }
}
