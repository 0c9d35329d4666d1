//! The candidates of one selection, read column by column.

use std::fmt;
use std::sync::Arc;

use jackfield_credential::{
    CandidateQuery, Candidates, Credential, Endpoint, Member, Members, Pool, PriorFailure,
    Requester, Slot,
};

use crate::inner::Inner;

/// The credentials that were available when they were requested: at least one, ordered by id, all
/// of the same priority.
///
/// It holds no lock. A column has one value per candidate, in their order, and is copied under the
/// lock. Two columns may therefore show different moments.
#[derive(Clone)]
pub struct CandidateSet {
    inner: Arc<Inner>,
    candidates: Candidates,
    /// The requested name, if it differs from the indexed one by a suffix.
    requested: Option<Arc<str>>,
    endpoint: Endpoint,
    requester: Requester,
    /// `None` if the call has not failed yet, as most.
    failed: Option<Arc<[PriorFailure]>>,
    only: Option<Slot>,
}

impl CandidateSet {
    pub(crate) fn new(
        inner: Arc<Inner>,
        candidates: Candidates,
        query: &CandidateQuery<'_>,
    ) -> Self {
        let more = *candidates.name != *query.name;
        Self {
            requested: more.then(|| Arc::from(query.name)),
            endpoint: query.endpoint,
            requester: query.requester,
            failed: (!query.failed.is_empty()).then(|| query.failed.into()),
            only: query.only,
            inner,
            candidates,
        }
    }

    /// Returns the query that a lease on one of them needs.
    pub(crate) fn query(&self) -> CandidateQuery<'_> {
        CandidateQuery {
            endpoint: self.endpoint,
            requester: self.requester,
            failed: self.failed.as_deref().unwrap_or_default(),
            only: self.only,
            ..CandidateQuery::first_round(self.requested_name())
        }
    }

    /// True if the only candidate cools, and the attempt finds out whether it still has to.
    pub fn is_trial(&self) -> bool {
        self.candidates.trial
    }

    /// Returns the number of available credentials that were left out; see [`Candidates::passed_over`].
    pub fn passed_over(&self) -> u32 {
        self.candidates.passed_over
    }

    /// Returns the model as it was requested, with its suffix: the attempt sends the suffix
    /// upstream.
    fn requested_name(&self) -> &str {
        self.requested.as_deref().unwrap_or(&self.candidates.name)
    }

    /// Returns the number of candidates; at least one.
    #[expect(
        clippy::len_without_is_empty,
        reason = "a candidate set is never empty"
    )]
    pub fn len(&self) -> usize {
        self.candidates.members.len()
    }

    /// Returns the model's name without the requested suffix. So clients cannot create new names
    /// in selectors' state.
    pub fn name(&self) -> &Arc<str> {
        &self.candidates.name
    }

    /// Returns the slot of the candidate at `index`.
    pub fn slot(&self, index: usize) -> Option<Slot> {
        self.candidates.members.get(index).map(Member::slot)
    }

    /// Returns the candidate at `index`; `None` beyond the end, or if it has left the pool.
    pub fn credential(&self, index: usize) -> Option<Arc<Credential>> {
        let slot = self.slot(index)?;
        self.inner.lock().pool.credential(slot).map(Arc::clone)
    }

    /// Returns [`CredentialId::hash53`] of each; 0 for credentials that have left the pool.
    pub fn identities(&self) -> Vec<u64> {
        let credentials = self.read(Pool::credentials);
        let identity = |credential: Option<Arc<Credential>>| {
            credential.map_or(0, |credential| credential.id.hash53())
        };
        credentials.into_iter().map(identity).collect()
    }

    /// Returns the configured weights.
    pub fn weights(&self) -> Vec<u32> {
        self.read(Pool::weights)
    }

    /// Returns the attempts in flight, over all models.
    pub fn in_flight(&self) -> Vec<u32> {
        self.read(Pool::in_flight)
    }

    /// Returns the failed share of the last 32 attempts with this model, in thousandths; 0 without
    /// any.
    pub fn error_permille(&self) -> Vec<u16> {
        self.read(Pool::error_permille)
    }

    /// Returns the moving average of the time to the first byte with this model, in milliseconds;
    /// 0 if unknown.
    pub fn latency_ms(&self) -> Vec<u32> {
        self.read(Pool::latency_ms)
    }

    /// Returns the remaining quota, in thousandths; 1000 if unknown.
    pub fn quota_left_permille(&self) -> Vec<u16> {
        self.read(Pool::quota_left_permille)
    }

    /// Returns when the quota resets, in milliseconds since the Unix epoch; 0 if unknown.
    pub fn quota_reset_ms(&self) -> Vec<u64> {
        self.read(Pool::quota_reset_ms)
    }

    /// Returns when each was last chosen, in milliseconds since the Unix epoch; 0 if never.
    pub fn last_used_ms(&self) -> Vec<u64> {
        self.read(Pool::last_used_ms)
    }

    /// Returns an attribute of each; `None` for credentials without it.
    pub fn attribute(&self, name: &str) -> Vec<Option<String>> {
        let credentials = self.read(Pool::credentials);
        let attribute = |credential: Option<Arc<Credential>>| {
            credential.and_then(|credential| credential.attributes.get(name).cloned())
        };
        credentials.into_iter().map(attribute).collect()
    }

    fn read<T>(&self, column: impl Fn(&Pool, &Members) -> Vec<T>) -> Vec<T> {
        column(&self.inner.lock().pool, &self.candidates.members)
    }
}

impl fmt::Debug for CandidateSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut set = f.debug_struct("CandidateSet");
        set.field("name", self.name())
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}
