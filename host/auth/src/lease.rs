//! A lease: the proof that a credential was chosen, settled exactly once.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use jackfield_credential::{Attempt, Credential, ModelKey, Outcome, Quota, Slot, Timestamp};
use secrecy::SecretString;

use crate::account::Tokens;
use crate::state::Inner;

/// The proof that a credential was chosen for one attempt.
///
/// Settle it with what came of the attempt. A lease that is dropped is settled as cancelled: so a
/// client that leaves is never the credential's fault, and no path through the code can forget it.
#[must_use = "a lease that is dropped is settled as cancelled"]
pub struct Lease {
    inner: Arc<Inner>,
    credential: Arc<Credential>,
    tokens: Arc<Tokens>,
    proxy: Option<Arc<SecretString>>,
    refreshable: bool,
    configuration: u64,
    model: ModelKey,
    upstream: Arc<str>,
    probe: bool,
    slot: Slot,
    began: Timestamp,
    /// Taken by whoever settles it first.
    attempt: Option<Attempt>,
}

impl Lease {
    pub(crate) fn new(
        inner: Arc<Inner>,
        attempt: Attempt,
        credential: Arc<Credential>,
        tokens: Arc<Tokens>,
        proxy: Option<Arc<SecretString>>,
        refreshable: bool,
        configuration: u64,
    ) -> Self {
        Self {
            inner,
            credential,
            tokens,
            proxy,
            refreshable,
            configuration,
            model: attempt.model().clone(),
            upstream: Arc::clone(attempt.upstream_model()),
            probe: attempt.is_probe(),
            slot: attempt.slot(),
            began: attempt.began(),
            attempt: Some(attempt),
        }
    }

    /// Of which configuration the credential was when it was chosen: 0 is the first.
    pub fn configuration(&self) -> u64 {
        self.configuration
    }

    /// The credential, as it was when it was chosen.
    pub fn credential(&self) -> &Arc<Credential> {
        &self.credential
    }

    /// The provider's own name of the model, with the suffix that the client asked for.
    pub fn upstream_model(&self) -> &Arc<str> {
        &self.upstream
    }

    /// Whether the attempt finds out if the rest of a long window is needed.
    pub fn is_probe(&self) -> bool {
        self.probe
    }

    /// What the model's health is kept by.
    pub fn model(&self) -> &ModelKey {
        &self.model
    }

    /// Where the credential stands in the pool: how to say that it was tried.
    pub fn slot(&self) -> Slot {
        self.slot
    }

    /// When the attempt began.
    pub fn began(&self) -> Timestamp {
        self.began
    }

    /// A secret of the credential by its name; none if it has no such secret.
    pub fn secret(&self, field: &str) -> Option<&SecretString> {
        self.tokens.secrets.get(field)
    }

    /// The proxy of the credential's connections: a URL, which may hold a password.
    pub fn proxy(&self) -> Option<&Arc<SecretString>> {
        self.proxy.as_ref()
    }

    /// The version of its secrets: what [`AuthManager::refresh`](crate::AuthManager::refresh) wants
    /// to know.
    pub fn token_version(&self) -> u64 {
        self.tokens.version
    }

    /// Whether its tokens can be renewed.
    pub fn refreshable(&self) -> bool {
        self.refreshable
    }

    /// Takes note of what the provider told of a quota.
    pub fn note_quota(&self, quota: Quota) {
        if let Some(attempt) = &self.attempt {
            self.inner.lock().pool.note_quota(attempt, quota);
        }
    }

    /// Ends the attempt with its outcome. `first_byte`: how long the answer's first byte took,
    /// where there was one.
    #[expect(clippy::needless_pass_by_value, reason = "an outcome is told once")]
    pub fn settle(mut self, outcome: Outcome, now: Timestamp, first_byte: Option<Duration>) {
        if let Some(attempt) = self.attempt.take() {
            self.inner
                .settle(attempt, &self.credential, &outcome, first_byte, now);
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(attempt) = self.attempt.take() {
            let now = self.inner.now();
            let credential = &self.credential;
            self.inner
                .settle(attempt, credential, &Outcome::Cancelled, None, now);
        }
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lease")
            .field("credential", &self.credential.id)
            .field("model", &self.model)
            .field("began", &self.began)
            .finish_non_exhaustive()
    }
}
