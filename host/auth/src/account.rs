//! What the manager knows of one credential beside the pool: tokens, where they come from, and how
//! their renewal stands.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::future::Shared;
use jackfield_credential::{Credential, RefreshFacts, Timestamp};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use crate::refresh::{RefreshFailed, Refresher};
use crate::{
    BoxFuture, Definition, Origin, RefreshTiming, Registration, StoredCredential, StoredTokens,
};

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
    pub(crate) life: u64,
    pub(crate) tokens: Arc<Tokens>,
    pub(crate) proxy: Option<Arc<SecretString>>,
    pub(crate) origin: Origin,
    pub(crate) timing: RefreshTiming,
    pub(crate) metadata: BTreeMap<String, Value>,
    pub(crate) source_digest: [u8; 32],
    /// When the tokens end, as its source says.
    source_end: Option<Timestamp>,
    pub(crate) record: Record,
    pub(crate) renewal: Renewal,
}

/// What the store has of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Record {
    /// The version there; none if the store has nothing.
    pub(crate) version: Option<u64>,
    /// The operator's word on whether it is in use.
    pub(crate) enabled: Option<bool>,
    /// Whether the tokens were renewed since the source gave them.
    pub(crate) renewed: bool,
    pub(crate) definition: Option<Definition>,
    pub(crate) created_at: Timestamp,
}

/// How the renewal of its tokens stands.
#[derive(Default)]
pub(crate) struct Renewal {
    /// The one under way: whoever wants one waits for this.
    pub(crate) running: Option<Running>,
    /// In a row.
    pub(crate) failures: u32,
    pub(crate) not_before: Option<Timestamp>,
    /// Why the provider will not renew them any more.
    pub(crate) rejected: Option<String>,
    /// What the executor last said of whether to renew, until it is asked again.
    pub(crate) opinion: Option<bool>,
    /// When it is to be asked again, if it has an opinion at all.
    pub(crate) ask_at: Timestamp,
    /// Whether it is being asked.
    pub(crate) asking: bool,
}

/// When something is to be done about an account's tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Due {
    pub(crate) refresh: Option<Timestamp>,
    pub(crate) question: Option<Timestamp>,
}

/// A refresh that many may wait for.
pub(crate) type Running = Shared<BoxFuture<'static, Result<(), RefreshFailed>>>;

impl Account {
    pub(crate) fn new(registration: &Registration, now: Timestamp, life: u64) -> Self {
        Self {
            life,
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
            source_end: registration.expires_at,
            record: Record {
                definition: registration.definition.clone(),
                created_at: now,
                ..Record::default()
            },
            renewal: Renewal::default(),
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
        let ends_elsewhen = self.source_end != registration.expires_at;
        self.source_end = registration.expires_at;
        let digest = registration.digest();
        if digest == self.source_digest {
            if ends_elsewhen && !self.record.renewed {
                self.end_at(registration.expires_at);
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
        self.record.renewed = false;
        self.renewal = Renewal {
            running: self.renewal.running.take(),
            asking: self.renewal.asking,
            ..Renewal::default()
        };
        true
    }

    /// The same tokens, of which the source says now when they end. A refresh under way goes on.
    fn end_at(&mut self, expires_at: Option<Timestamp>) {
        self.tokens = Arc::new(Tokens {
            secrets: self.tokens.secrets.clone(),
            expires_at,
            ..*self.tokens
        });
    }

    /// Takes tokens that were renewed before a restart, if they are of what the source gives now.
    fn restore(&mut self, stored: StoredTokens) {
        if stored.source_digest != self.source_digest {
            return;
        }
        self.tokens = Arc::new(Tokens {
            secrets: stored.secrets,
            version: self.tokens.version + 1,
            expires_at: stored.expires_at,
            refreshed_at: stored.refreshed_at,
        });
        self.record.renewed = true;
    }

    /// Whether its source says something else than before.
    pub(crate) fn differs(&self, registration: &Registration) -> bool {
        let exposed = |proxy: &SecretString| proxy.expose_secret().to_owned();
        self.origin != registration.origin
            || self.timing != registration.timing
            || self.metadata != registration.metadata
            || self.source_end != registration.expires_at
            || self.proxy.as_deref().map(exposed) != registration.proxy.as_ref().map(exposed)
            || self.source_digest != registration.digest()
    }

    /// Takes what was kept of it over a restart. Answers whether its tokens had been renewed.
    pub(crate) fn recall(&mut self, stored: StoredCredential) -> bool {
        self.record.version = Some(stored.version);
        self.record.created_at = stored.created_at;
        self.record.enabled = stored.enabled;
        if let Some(tokens) = stored.tokens {
            self.restore(tokens);
        }
        self.record.renewed
    }

    /// What is to be kept of its tokens.
    pub(crate) fn stored(&self, tokens: &Tokens) -> StoredTokens {
        StoredTokens {
            secrets: tokens.secrets.clone(),
            expires_at: tokens.expires_at,
            refreshed_at: tokens.refreshed_at,
            source_digest: self.source_digest,
        }
    }

    /// When its tokens are to be renewed, and when the executor is to be asked whether to.
    pub(crate) fn due(&self, credential: &Credential, refresher: &dyn Refresher) -> Due {
        if self.renewal.rejected.is_some() || self.renewal.running.is_some() {
            return Due::default();
        }
        let evaluates = refresher.evaluates(&credential.provider);
        // The operator's lead counts more than the executor's.
        let lead = self.timing.lead;
        let facts = RefreshFacts {
            enabled: credential.enabled,
            kind: credential.kind,
            evaluated: self.renewal.opinion.filter(|_| evaluates),
            interval: self.timing.interval,
            lead: lead.or_else(|| refresher.lead(&credential.provider)),
            expires_at: self.tokens.expires_at,
            refreshed_at: self.tokens.refreshed_at,
            not_before: self.renewal.not_before,
        };
        let asked = evaluates && !self.renewal.asking;
        Due {
            refresh: facts.due_at(),
            question: asked.then(|| facts.ask_at(self.renewal.ask_at)).flatten(),
        }
    }
}
