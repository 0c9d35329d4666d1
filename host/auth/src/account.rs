//! One credential beside the pool: its tokens, where they come from, and the state of their
//! refresh.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::future::Shared;
use jackfield_credential::{Credential, RefreshFacts, Timestamp};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use crate::port::{BoxFuture, Definition, RefreshError, Refresher, StoredCredential, StoredTokens};
use crate::registration::{Origin, RefreshTiming, Registration};

/// The secrets of one credential at one moment. Leases keep a reference to them.
#[derive(Debug, Default)]
pub(crate) struct Tokens {
    pub(crate) secrets: BTreeMap<String, SecretString>,
    /// Incremented with every change.
    pub(crate) version: u64,
    pub(crate) expires_at: Option<Timestamp>,
    pub(crate) refreshed_at: Option<Timestamp>,
}

/// What the manager keeps of one credential, beside the pool.
pub(crate) struct Account {
    /// Distinguishes this credential from an earlier or later one with the same id.
    pub(crate) incarnation: u64,
    pub(crate) tokens: Arc<Tokens>,
    pub(crate) proxy: Option<Arc<SecretString>>,
    pub(crate) origin: Origin,
    pub(crate) timing: RefreshTiming,
    pub(crate) metadata: BTreeMap<String, Value>,
    pub(crate) source_digest: [u8; 32],
    /// When the tokens expire, according to their source.
    source_expires_at: Option<Timestamp>,
    pub(crate) record: Record,
    pub(crate) refresh: RefreshState,
}

/// What the store has, or should have, of a credential.
#[derive(Clone, Debug, Default)]
pub(crate) struct Record {
    /// The version of the stored record; `None` if there is none.
    pub(crate) version: Option<u64>,
    /// The operator's override of `enabled`.
    pub(crate) enabled: Option<bool>,
    /// True if the tokens were refreshed since the source supplied them.
    pub(crate) refreshed: bool,
    pub(crate) definition: Option<Definition>,
    pub(crate) created_at: Timestamp,
}

/// The state of the token refresh.
#[derive(Default)]
pub(crate) struct RefreshState {
    /// The running refresh. Callers share it.
    pub(crate) running: Option<Running>,
    /// Consecutive failures.
    pub(crate) failures: u32,
    pub(crate) not_before: Option<Timestamp>,
    /// Why the provider rejected the refresh token.
    pub(crate) rejected: Option<String>,
    /// The executor's last decision, until the next check.
    pub(crate) policy_decision: Option<bool>,
    /// When the next check is due, if the executor has a policy.
    pub(crate) check_at: Timestamp,
    /// True while a check is running.
    pub(crate) checking: bool,
}

/// When an account's next refresh and policy check are due.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Due {
    pub(crate) refresh: Option<Timestamp>,
    pub(crate) policy_check: Option<Timestamp>,
}

/// A running refresh that several callers may wait for.
pub(crate) type Running = Shared<BoxFuture<'static, Result<(), RefreshError>>>;

impl Account {
    pub(crate) fn new(registration: &Registration, now: Timestamp, incarnation: u64) -> Self {
        Self {
            incarnation,
            tokens: Arc::new(Tokens {
                secrets: registration.secrets.clone(),
                version: 1,
                expires_at: registration.expires_at,
                refreshed_at: registration.refreshed_at,
            }),
            proxy: registration.proxy.clone().map(Arc::new),
            origin: registration.origin.clone(),
            timing: registration.timing,
            metadata: registration.metadata.clone(),
            source_digest: registration.digest(),
            source_expires_at: registration.expires_at,
            record: Record {
                definition: registration.definition.clone(),
                created_at: now,
                ..Record::default()
            },
            refresh: RefreshState::default(),
        }
    }

    /// Updates the account from its source. Returns true if the source has other secrets than
    /// before, i.e. the operator re-authenticated; refreshed or rejected tokens no longer apply.
    pub(crate) fn redefine(&mut self, registration: &Registration) -> bool {
        self.proxy = registration.proxy.clone().map(Arc::new);
        self.origin = registration.origin.clone();
        self.timing = registration.timing;
        self.metadata = registration.metadata.clone();
        self.record.definition.clone_from(&registration.definition);
        let expiry_changed = self.source_expires_at != registration.expires_at;
        self.source_expires_at = registration.expires_at;
        let digest = registration.digest();
        if digest == self.source_digest {
            // The source's expiry belongs to its own tokens, not to refreshed ones.
            if expiry_changed && !self.record.refreshed {
                self.set_expiry(registration.expires_at);
            }
            return false;
        }
        self.source_digest = digest;
        self.tokens = Arc::new(Tokens {
            secrets: registration.secrets.clone(),
            version: self.tokens.version + 1,
            expires_at: registration.expires_at,
            refreshed_at: registration.refreshed_at,
        });
        self.record.refreshed = false;
        self.refresh = RefreshState {
            // Without these two, a second refresh or check could start beside the running one.
            running: self.refresh.running.take(),
            checking: self.refresh.checking,
            ..RefreshState::default()
        };
        true
    }

    /// Changes the expiry of the same tokens. The version stays, so a running refresh still
    /// applies.
    fn set_expiry(&mut self, expires_at: Option<Timestamp>) {
        self.tokens = Arc::new(Tokens {
            secrets: self.tokens.secrets.clone(),
            expires_at,
            ..*self.tokens
        });
    }

    /// Restores tokens that were refreshed before a restart, unless the source has other secrets
    /// now.
    fn restore_tokens(&mut self, stored: StoredTokens) {
        if stored.source_digest != self.source_digest {
            return;
        }
        self.tokens = Arc::new(Tokens {
            secrets: stored.secrets,
            version: self.tokens.version + 1,
            expires_at: stored.expires_at,
            refreshed_at: stored.refreshed_at,
        });
        self.record.refreshed = true;
    }

    /// True if the source's data differ from the account's.
    pub(crate) fn differs_from(&self, registration: &Registration) -> bool {
        let exposed = |proxy: &SecretString| proxy.expose_secret().to_owned();
        self.origin != registration.origin
            || self.timing != registration.timing
            || self.metadata != registration.metadata
            || self.source_expires_at != registration.expires_at
            || self.proxy.as_deref().map(exposed) != registration.proxy.as_ref().map(exposed)
            || self.source_digest != registration.digest()
    }

    /// Restores the account from its stored record. Returns true if its tokens had been refreshed.
    pub(crate) fn apply_stored(&mut self, stored: StoredCredential) -> bool {
        self.record.version = Some(stored.version);
        self.record.created_at = stored.created_at;
        self.record.enabled = stored.enabled;
        if let Some(tokens) = stored.tokens {
            self.restore_tokens(tokens);
        }
        self.record.refreshed
    }

    /// Returns the tokens in the form that the store keeps.
    pub(crate) fn to_stored_tokens(&self, tokens: &Tokens) -> StoredTokens {
        StoredTokens {
            secrets: tokens.secrets.clone(),
            expires_at: tokens.expires_at,
            refreshed_at: tokens.refreshed_at,
            source_digest: self.source_digest,
        }
    }

    /// Returns when the next refresh and the next policy check are due.
    pub(crate) fn due(&self, credential: &Credential, refresher: &dyn Refresher) -> Due {
        if self.refresh.rejected.is_some() || self.refresh.running.is_some() {
            return Due::default();
        }
        let has_policy = refresher.has_refresh_policy(&credential.provider);
        // The operator's lead overrides the executor's.
        let lead = self.timing.lead;
        let facts = RefreshFacts {
            enabled: credential.enabled,
            kind: credential.kind,
            policy_decision: self.refresh.policy_decision.filter(|_| has_policy),
            interval: self.timing.interval,
            lead: lead.or_else(|| refresher.lead(&credential.provider)),
            expires_at: self.tokens.expires_at,
            refreshed_at: self.tokens.refreshed_at,
            not_before: self.refresh.not_before,
        };
        let may_check = has_policy && !self.refresh.checking;
        Due {
            refresh: facts.due_at(),
            policy_check: may_check
                .then(|| facts.check_at(self.refresh.check_at))
                .flatten(),
        }
    }
}
