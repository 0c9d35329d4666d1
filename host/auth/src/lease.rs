//! A credential with its secrets: for one attempt a [`Lease`], settled exactly once; for any other
//! request an [`Access`], without consequences.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use jackfield_credential::{
    Attempt, Credential, HealthPlace, ModelKey, Outcome, Quota, Slot, Timestamp,
};
use secrecy::SecretString;

use crate::account::{Account, Tokens};
use crate::inner::Inner;

/// A credential with its secrets, as they were when it was requested.
pub struct Access {
    credential: Arc<Credential>,
    tokens: Arc<Tokens>,
    proxy: Option<Arc<SecretString>>,
}

impl Access {
    pub(crate) fn new(credential: Arc<Credential>, account: &Account) -> Self {
        Self {
            credential,
            tokens: Arc::clone(&account.tokens),
            proxy: account.proxy.clone(),
        }
    }

    /// Returns the credential.
    pub fn credential(&self) -> &Arc<Credential> {
        &self.credential
    }

    /// Returns a secret by its name.
    pub fn secret(&self, name: &str) -> Option<&SecretString> {
        self.tokens.secrets.get(name)
    }

    /// Returns the proxy of the credential's connections: a URL, which may contain a password.
    pub fn proxy(&self) -> Option<&Arc<SecretString>> {
        self.proxy.as_ref()
    }

    /// Returns the version of the secrets, for [`AuthManager::refresh`](crate::AuthManager::refresh).
    pub fn token_version(&self) -> u64 {
        self.tokens.version
    }
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Access")
            .field("credential", &self.credential.id)
            .finish_non_exhaustive()
    }
}

/// What a refresh can do for the tokens of a lease.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Refreshability {
    /// True if the tokens can be refreshed.
    pub(crate) refreshable: bool,
    /// True if the access token has expired, or there is none yet.
    pub(crate) awaits_refresh: bool,
}

/// The right to use a credential for one attempt.
///
/// Settle it with the outcome of the attempt. A lease that is dropped is settled as cancelled. So
/// a client that disconnects never counts against the credential, and no code path can forget to
/// settle.
#[must_use = "a lease that is dropped is settled as cancelled"]
pub struct Lease {
    inner: Arc<Inner>,
    access: Access,
    refreshability: Refreshability,
    configuration: u64,
    model: ModelKey,
    upstream: Arc<str>,
    probe: bool,
    trial: bool,
    slot: Slot,
    began: Timestamp,
    /// `None` once the lease is settled.
    attempt: Option<Attempt>,
    /// Boxed, because few requests are signed.
    derived_secrets: Option<Box<DerivedSecrets>>,
}

/// What the requests of an attempt computed from secrets, such as signatures.
#[derive(Default)]
struct DerivedSecrets(Vec<SecretString>);

impl Lease {
    pub(crate) fn new(
        inner: Arc<Inner>,
        attempt: Attempt,
        access: Access,
        refreshability: Refreshability,
        configuration: u64,
    ) -> Self {
        Self {
            inner,
            access,
            refreshability,
            configuration,
            model: attempt.model().clone(),
            upstream: Arc::clone(attempt.upstream_model()),
            probe: attempt.is_probe(),
            trial: attempt.is_trial(),
            slot: attempt.slot(),
            began: attempt.began(),
            attempt: Some(attempt),
            derived_secrets: None,
        }
    }

    /// Returns the number of the configuration that the lease was taken under; 0 is the first.
    pub fn configuration(&self) -> u64 {
        self.configuration
    }

    /// Returns the provider's name of the model, with the suffix that the client requested.
    pub fn upstream_model(&self) -> &Arc<str> {
        &self.upstream
    }

    /// True if this attempt probes whether a long cooldown is still needed.
    pub fn is_probe(&self) -> bool {
        self.probe
    }

    /// True if this attempt is the trial of a guess, or has its turn after one.
    pub fn is_trial(&self) -> bool {
        self.trial
    }

    /// Returns the key of the model's health.
    pub fn model(&self) -> &ModelKey {
        &self.model
    }

    /// Returns the credential's slot in the pool, for the list of tried credentials.
    pub fn slot(&self) -> Slot {
        self.slot
    }

    /// Returns when the attempt began.
    pub fn began(&self) -> Timestamp {
        self.began
    }

    /// True if the credential's tokens can be refreshed.
    pub fn refreshable(&self) -> bool {
        self.refreshability.refreshable
    }

    /// True if the access token has expired or was rejected, or there is none yet. Wait for
    /// [`AuthManager::refresh_expired`](crate::AuthManager::refresh_expired) instead of sending it.
    pub fn awaits_refresh(&self) -> bool {
        self.refreshability.awaits_refresh
    }

    /// Returns what the attempt's requests computed from secrets. It must be shown as little as they.
    pub fn derived_secrets(&self) -> &[SecretString] {
        let derived = self.derived_secrets.as_ref();
        derived.map_or(&[], |derived| &derived.0)
    }

    /// Records what a request of the attempt computed from secrets.
    pub fn note_derived_secrets(&mut self, derived: Vec<SecretString>) {
        if !derived.is_empty() {
            let known = self.derived_secrets.get_or_insert_default();
            known.0.extend(derived);
        }
    }

    /// Records the quota that the provider reported.
    pub fn note_quota(&self, quota: Quota, of_credential: bool) {
        if let Some(attempt) = &self.attempt {
            self.inner
                .lock()
                .pool
                .note_quota(attempt, quota, of_credential);
        }
    }

    /// Records that the response has reached its first content: the provider serves the attempt.
    pub fn note_content(&mut self, now: Timestamp) {
        let Some(attempt) = &mut self.attempt else {
            return;
        };
        let mut state = self.inner.lock();
        let effects = state.pool.note_content(attempt, now);
        self.inner.take_effects(&mut state, effects);
        self.inner.finish(state);
    }

    /// Records that the response head takes unusually long: other credentials are preferred until
    /// it arrives.
    pub fn note_slow(&self, now: Timestamp) {
        if self.attempt.is_some() {
            self.inner.lock().pool.note_slow(self.slot, now);
        }
    }

    /// Ends the attempt with its outcome. `first_byte` is the time to the first byte of the
    /// response, if there was one. Returns what cools by it: nothing, as mostly.
    #[expect(clippy::needless_pass_by_value, reason = "an outcome is settled once")]
    pub fn settle(
        mut self,
        outcome: Outcome,
        now: Timestamp,
        first_byte: Option<Duration>,
    ) -> Vec<HealthPlace> {
        let Some(attempt) = self.attempt.take() else {
            return Vec::new();
        };
        self.inner
            .settle(attempt, &self.access.credential, &outcome, first_byte, now)
    }
}

/// A lease gives access to its credential, as it was when the lease was taken.
impl Deref for Lease {
    type Target = Access;

    fn deref(&self) -> &Access {
        &self.access
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(attempt) = self.attempt.take() {
            let now = self.inner.now();
            let credential = &self.access.credential;
            let _ = (self.inner).settle(attempt, credential, &Outcome::Cancelled, None, now);
        }
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lease")
            .field("credential", &self.access.credential.id)
            .field("model", &self.model)
            .field("began", &self.began)
            .finish_non_exhaustive()
    }
}
