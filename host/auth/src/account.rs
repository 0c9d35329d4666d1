//! What the manager knows of one credential beside the pool: tokens, where they come from, and how
//! their renewal stands.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::future::Shared;
use jackfield_credential::{Credential, RefreshFacts, Timestamp};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use crate::port::{BoxFuture, Definition, RefreshError, Refresher, StoredCredential, StoredTokens};
use crate::registration::{Origin, RefreshTiming, Registration};

/// The secrets of one credential as they are at one moment. Leases hold on to them.
#[derive(Debug, Default)]
pub(crate) struct Tokens {
    pub(crate) secrets: BTreeMap<String, SecretString>,
    /// Goes up with every change.
    pub(crate) version: u64,
    pub(crate) expires_at: Option<Timestamp>,
    pub(crate) refreshed_at: Option<Timestamp>,
}

/// One credential beside the pool.
pub(crate) struct Account {
    /// Tells it from another one that had, or will have, the same id.
    pub(crate) incarnation: u64,
    pub(crate) tokens: Arc<Tokens>,
    pub(crate) proxy: Option<Arc<SecretString>>,
    pub(crate) origin: Origin,
    pub(crate) timing: RefreshTiming,
    pub(crate) metadata: BTreeMap<String, Value>,
    pub(crate) source_digest: [u8; 32],
    /// When the tokens end, as its source says.
    source_expires_at: Option<Timestamp>,
    pub(crate) record: Record,
    pub(crate) refresh: RefreshState,
}

/// What the store has of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Record {
    /// The version there; none if the store has nothing.
    pub(crate) version: Option<u64>,
    /// The operator's word on whether it is in use.
    pub(crate) enabled: Option<bool>,
    /// Whether the tokens were renewed since the source gave them.
    pub(crate) refreshed: bool,
    pub(crate) definition: Option<Definition>,
    pub(crate) created_at: Timestamp,
}

/// How the renewal of its tokens stands.
#[derive(Default)]
pub(crate) struct RefreshState {
    /// The one under way: whoever wants one waits for this.
    pub(crate) running: Option<Running>,
    /// In a row.
    pub(crate) failures: u32,
    pub(crate) not_before: Option<Timestamp>,
    /// Why the provider will not renew them any more.
    pub(crate) rejected: Option<String>,
    /// What the executor last said of whether to renew, until it is asked again.
    pub(crate) policy_decision: Option<bool>,
    /// When it is to be asked again, if it has an opinion at all.
    pub(crate) check_at: Timestamp,
    /// Whether it is being asked.
    pub(crate) checking: bool,
}

/// When something is to be done about an account's tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Due {
    pub(crate) refresh: Option<Timestamp>,
    pub(crate) policy_check: Option<Timestamp>,
}

/// A refresh that many may wait for.
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

    /// Takes what its source says now. Answers whether the source gives other secrets than before:
    /// then somebody has logged in anew, and whatever was renewed or rejected is void.
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
            running: self.refresh.running.take(),
            checking: self.refresh.checking,
            ..RefreshState::default()
        };
        true
    }

    /// The same tokens, of which the source says now when they end. A refresh under way goes on.
    fn set_expiry(&mut self, expires_at: Option<Timestamp>) {
        self.tokens = Arc::new(Tokens {
            secrets: self.tokens.secrets.clone(),
            expires_at,
            ..*self.tokens
        });
    }

    /// Takes tokens that were renewed before a restart, if they are of what the source gives now.
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

    /// Whether its source says something else than before.
    pub(crate) fn differs_from(&self, registration: &Registration) -> bool {
        let exposed = |proxy: &SecretString| proxy.expose_secret().to_owned();
        self.origin != registration.origin
            || self.timing != registration.timing
            || self.metadata != registration.metadata
            || self.source_expires_at != registration.expires_at
            || self.proxy.as_deref().map(exposed) != registration.proxy.as_ref().map(exposed)
            || self.source_digest != registration.digest()
    }

    /// Takes what was kept of it over a restart. Answers whether its tokens had been renewed.
    pub(crate) fn apply_stored(&mut self, stored: StoredCredential) -> bool {
        self.record.version = Some(stored.version);
        self.record.created_at = stored.created_at;
        self.record.enabled = stored.enabled;
        if let Some(tokens) = stored.tokens {
            self.restore_tokens(tokens);
        }
        self.record.refreshed
    }

    /// What is to be kept of its tokens.
    pub(crate) fn to_stored_tokens(&self, tokens: &Tokens) -> StoredTokens {
        StoredTokens {
            secrets: tokens.secrets.clone(),
            expires_at: tokens.expires_at,
            refreshed_at: tokens.refreshed_at,
            source_digest: self.source_digest,
        }
    }

    /// When its tokens are to be renewed, and when the executor is to be asked whether to.
    pub(crate) fn due(&self, credential: &Credential, refresher: &dyn Refresher) -> Due {
        if self.refresh.rejected.is_some() || self.refresh.running.is_some() {
            return Due::default();
        }
        let has_policy = refresher.has_refresh_policy(&credential.provider);
        // The operator's lead counts more than the executor's.
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
