//! What a call asks the pool for.

use super::Slot;
use crate::Endpoint;

/// A call's query for candidates.
#[derive(Clone, Copy, Debug)]
pub struct CandidateQuery<'a> {
    /// The model's name, as the client sent it. A suffix such as `(high)` is ignored, unless a
    /// credential serves exactly this name.
    pub name: &'a str,
    /// The credentials that were tried already.
    pub tried: &'a [Slot],
    /// The round, from 1.
    pub round: u32,
    /// The number of rounds for credentials that define none.
    pub rounds: u32,
    /// What of the model the call uses.
    pub endpoint: Endpoint,
    /// The client and the request.
    pub requester: Requester,
    /// The unattributed failures of this call so far, in order.
    pub failed: &'a [PriorFailure],
    /// The only credential that the call may use. Its cooldowns do not count, but it must be
    /// enabled, not barred and not busy.
    pub only: Option<Slot>,
}

impl<'a> CandidateQuery<'a> {
    /// Creates the query of a call's first attempt, of an unnamed endpoint and requester.
    pub fn first_round(name: &'a str) -> Self {
        Self {
            name,
            tried: &[],
            round: 1,
            rounds: 1,
            endpoint: Endpoint::default(),
            requester: Requester::default(),
            failed: &[],
            only: None,
        }
    }
}

/// Who sends a request, and which: so that the failures of one client's requests do not count
/// against a credential that serves others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Requester {
    /// A hash of the client.
    pub client: u64,
    /// A hash of the request: model, endpoint and body.
    pub digest: u64,
}

/// An earlier failure of the same call that the provider's response attributed to nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PriorFailure {
    /// The credential.
    pub slot: Slot,
    /// The status; `None` if there was none.
    pub status: Option<u16>,
}

impl Requester {
    /// False for the default value: the caller does not know who sends the request.
    pub fn is_known(self) -> bool {
        self != Self::default()
    }
}
