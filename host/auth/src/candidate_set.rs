//! The candidates of one pick, to be read a column at a time.

use std::fmt;
use std::sync::Arc;

use jackfield_credential::{Candidates, Credential, Member, Members, Pool, Slot};

use crate::inner::Inner;

/// The credentials that were fit when they were asked for: at least one, ordered by id, all of the
/// same priority.
///
/// It holds no lock. Each column has one value a candidate, in their order, and locks the pool only
/// while it is copied: columns read one after the other may be of different moments.
#[derive(Clone)]
pub struct CandidateSet {
    inner: Arc<Inner>,
    candidates: Candidates,
    /// What was asked for, where that is more than the name: with a suffix.
    requested: Option<Arc<str>>,
}

impl CandidateSet {
    pub(crate) fn new(inner: Arc<Inner>, candidates: Candidates, requested: &str) -> Self {
        let more = *candidates.name != *requested;
        Self {
            requested: more.then(|| Arc::from(requested)),
            inner,
            candidates,
        }
    }

    /// The model as it was asked for: an attempt tells the provider the suffix.
    pub(crate) fn requested_name(&self) -> &str {
        self.requested.as_deref().unwrap_or(&self.candidates.name)
    }

    /// How many there are; at least one.
    #[expect(clippy::len_without_is_empty, reason = "it is never empty")]
    pub fn len(&self) -> usize {
        self.candidates.members.len()
    }

    /// The model, by the name that was asked for without its suffix: so a client cannot make names.
    pub fn name(&self) -> &Arc<str> {
        &self.candidates.name
    }

    /// Where the candidate at `index` stands in the pool.
    pub fn slot(&self, index: usize) -> Option<Slot> {
        self.candidates.members.get(index).map(Member::slot)
    }

    /// The candidate at `index`; none beyond the end, or if it left the pool meanwhile.
    pub fn credential(&self, index: usize) -> Option<Arc<Credential>> {
        let slot = self.slot(index)?;
        self.inner.lock().pool.credential(slot).map(Arc::clone)
    }

    /// A number that stands for each: [`CredentialId::hash53`]; 0 for those that left the pool.
    pub fn identities(&self) -> Vec<u64> {
        let credentials = self.read(Pool::credentials);
        let identity = |credential: Option<Arc<Credential>>| {
            credential.map_or(0, |credential| credential.id.hash53())
        };
        credentials.into_iter().map(identity).collect()
    }

    /// Weights, as configured.
    pub fn weights(&self) -> Vec<u32> {
        self.read(Pool::weights)
    }

    /// Attempts under way, whatever the model.
    pub fn in_flight(&self) -> Vec<u32> {
        self.read(Pool::in_flight)
    }

    /// Failed attempts of the last 32 with this model, in thousandths; 0 while there were none.
    pub fn error_permille(&self) -> Vec<u16> {
        self.read(Pool::error_permille)
    }

    /// Time to the first byte with this model in milliseconds, a moving average; 0 while unknown.
    pub fn latency_ms(&self) -> Vec<u32> {
        self.read(Pool::latency_ms)
    }

    /// What is left of the quota, in thousandths; 1000 while unknown.
    pub fn quota_left_permille(&self) -> Vec<u16> {
        self.read(Pool::quota_left_permille)
    }

    /// When the quota is whole again, in milliseconds since the Unix epoch; 0 while unknown.
    pub fn quota_reset_ms(&self) -> Vec<u64> {
        self.read(Pool::quota_reset_ms)
    }

    /// When it was last chosen, in milliseconds since the Unix epoch; 0 for never.
    pub fn last_used_ms(&self) -> Vec<u64> {
        self.read(Pool::last_used_ms)
    }

    /// An attribute of each; none where it has no such attribute.
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
