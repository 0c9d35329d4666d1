//! The manager: the pool and the secrets behind one short lock.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use jackfield_credential::{
    Ask, Attempt, Availability, Credential, CredentialId, CredentialStatus, Effects, NotFit,
    Outcome, Pool, PoolError, PoolOptions, ServedName, Timestamp, Unfit,
};
use parking_lot::{Mutex, MutexGuard};
use secrecy::SecretString;

use crate::{CandidateSet, Lease, Registration};

/// Says what time it is, for leases that are dropped. It must be steady: the wall clock's time at
/// start plus a monotonic clock's since then, since a jump would shift every cooldown.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// The credentials with their secrets, and who is fit. A handle: clones are the same manager.
#[derive(Clone)]
pub struct AuthManager {
    inner: Arc<Inner>,
}

impl AuthManager {
    /// A manager of these credentials, all of them ready.
    ///
    /// # Errors
    ///
    /// Names every credential that cannot be registered, and why.
    pub fn new(
        registrations: Vec<Registration>,
        options: PoolOptions,
        clock: Clock,
    ) -> Result<Self, PoolError> {
        let (credentials, secrets) = split(registrations);
        let state = State {
            pool: Pool::new(credentials, options)?,
            secrets,
            leases: LeaseCounts::default(),
        };
        let inner = Inner {
            state: Mutex::new(state),
            clock,
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// Takes these credentials in place of the present ones. Whose id stays keeps its health; its
    /// leases go on with the secrets they began with. Whose id goes is forgotten.
    ///
    /// # Errors
    ///
    /// Names every credential that cannot be registered, and why. All is then as before.
    pub fn replace(&self, registrations: Vec<Registration>) -> Result<(), PoolError> {
        let (credentials, secrets) = split(registrations);
        let mut state = self.inner.lock();
        state.pool.replace(credentials)?;
        state.secrets = secrets;
        Ok(())
    }

    /// The credentials that are fit for a model, by the name that clients use, without those that
    /// were tried: of the highest priority that has any, ordered by id. At least one.
    ///
    /// # Errors
    ///
    /// Says why there is none.
    pub fn candidates(&self, ask: &Ask<'_>, now: Timestamp) -> Result<CandidateSet, Unfit> {
        let candidates = self.inner.lock().pool.candidates(ask, now)?;
        Ok(CandidateSet::new(Arc::clone(&self.inner), candidates))
    }

    /// Takes a lease on the candidate at `index`.
    ///
    /// # Errors
    ///
    /// Says why it is no longer fit, since others choose at the same time: then ask for candidates
    /// again. An index beyond the set's end is [`NotFit::Gone`].
    pub fn lease(
        &self,
        candidates: &CandidateSet,
        index: usize,
        now: Timestamp,
    ) -> Result<Lease, NotFit> {
        let slot = candidates.slot(index).ok_or(NotFit::Gone)?;
        let mut state = self.inner.lock();
        let credential = state.pool.credential(slot).ok_or(NotFit::Gone)?;
        let credential = Arc::clone(credential);
        let secrets = state
            .secrets
            .get(&credential.id)
            .map(Arc::clone)
            .unwrap_or_default();
        let attempt = state.pool.begin(slot, candidates.name(), now)?;
        state.leases.open += 1;
        drop(state);
        Ok(Lease::new(
            Arc::clone(&self.inner),
            attempt,
            credential,
            secrets,
        ))
    }

    /// How many leases are open. None are when no call is under way.
    pub fn leases_open(&self) -> u64 {
        self.lease_counts().open
    }

    /// How many leases are open, and how the others were settled since the start.
    pub fn lease_counts(&self) -> LeaseCounts {
        self.inner.lock().leases
    }

    /// How every credential stands, ordered by id. Nothing in it is secret.
    pub fn status(&self, now: Timestamp) -> Vec<CredentialStatus> {
        self.inner.lock().pool.status(now)
    }

    /// The names that clients may ask for, sorted, without those that only disabled credentials
    /// serve.
    pub fn names(&self) -> Vec<ServedName> {
        self.inner.lock().pool.names().collect()
    }
}

impl fmt::Debug for AuthManager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthManager").finish_non_exhaustive()
    }
}

/// How many leases there were.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LeaseCounts {
    /// Not settled yet.
    pub open: u64,
    /// Settled as a success.
    pub success: u64,
    /// Settled as a failure, whoever's fault.
    pub failed: u64,
    /// Settled as cancelled, or dropped.
    pub cancelled: u64,
    /// Settled without a verdict, since a plugin failed.
    pub unjudged: u64,
}

impl LeaseCounts {
    fn settle(&mut self, outcome: &Outcome) {
        self.open = self.open.saturating_sub(1);
        let count = match outcome {
            Outcome::Cancelled => &mut self.cancelled,
            Outcome::Failed(_) => &mut self.failed,
            Outcome::Success => &mut self.success,
            Outcome::Unjudged => &mut self.unjudged,
        };
        *count += 1;
    }
}

/// What handles, candidate sets and leases share.
pub(crate) struct Inner {
    state: Mutex<State>,
    clock: Clock,
}

/// The secrets of one credential, by name. Leases hold on to them.
pub(crate) type Secrets = Arc<BTreeMap<String, SecretString>>;

pub(crate) struct State {
    pub(crate) pool: Pool,
    secrets: HashMap<CredentialId, Secrets>,
    leases: LeaseCounts,
}

impl Inner {
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    pub(crate) fn now(&self) -> Timestamp {
        (self.clock)()
    }

    pub(crate) fn settle(
        &self,
        attempt: Attempt,
        outcome: &Outcome,
        first_byte: Option<Duration>,
        now: Timestamp,
    ) {
        let mut state = self.lock();
        state.leases.settle(outcome);
        let effects = state.pool.settle(attempt, outcome, first_byte, now);
        drop(state);
        log(&effects, now);
    }
}

fn split(registrations: Vec<Registration>) -> (Vec<Credential>, HashMap<CredentialId, Secrets>) {
    let mut secrets = HashMap::with_capacity(registrations.len());
    let mut credentials = Vec::with_capacity(registrations.len());
    for registration in registrations {
        let (credential, own) = registration.split();
        secrets.insert(credential.id.clone(), Arc::new(own));
        credentials.push(credential);
    }
    (credentials, secrets)
}

fn log(effects: &Effects, now: Timestamp) {
    for change in &effects.changes {
        let credential = change.credential.as_str();
        let model = change.model.as_ref().map(|model| model.as_str());
        match (change.to.availability(now), change.to.cause()) {
            (Availability::Cooling { until }, Some(cause)) => tracing::info!(
                credential,
                model,
                cause = &*cause.kind,
                status = cause.status,
                message = &*cause.message,
                until_ms = until.as_millis(),
                strikes = change.to.strikes(),
                "credential cools"
            ),
            _ => tracing::info!(credential, model, "credential is ready again"),
        }
    }
}

#[cfg(test)]
mod tests;
