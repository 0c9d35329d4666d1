//! One credential beside the pool: its tokens, where they come from, and the state of their
//! refresh.

mod identity;
mod refresh_state;

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::future::Shared;
use jackfield_credential::{Credential, REFRESH_INTERVAL_MIN, RefreshFacts, Renewal, Timestamp};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use crate::port::{BoxFuture, Definition, RefreshError, Refresher, StoredCredential, StoredTokens};
use crate::registration::{Origin, RefreshTiming, Registration};
use identity::Owner;
pub(crate) use refresh_state::{RefreshState, Trigger};

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
                refreshed_at: registration.refreshed_at.map(|at| at.min(now)),
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

    /// Updates the account from its source. `before` and the registration's credential are the
    /// definitions before and after. If the source has other secrets, refreshed or rejected tokens no
    /// longer apply. Returns what the change means for the account's health, if anything.
    pub(crate) fn redefine(
        &mut self,
        before: &Credential,
        registration: &Registration,
        now: Timestamp,
    ) -> Option<Renewal> {
        let old = Owner::new(before, &self.metadata);
        let new = Owner::new(&registration.credential, &registration.metadata);
        let same_account = old.is_same_account(&new);
        let same_provider = old.has_same_provider(&new);
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
            return (!same_provider).then_some(Renewal::NewAccount);
        }
        self.source_digest = digest;
        self.tokens = Arc::new(Tokens {
            secrets: registration.secrets.clone(),
            version: self.tokens.version + 1,
            expires_at: registration.expires_at,
            // A time in the future would postpone refreshes.
            refreshed_at: registration.refreshed_at.map(|at| at.min(now)),
        });
        self.record.refreshed = false;
        self.refresh = self.refresh.with_new_secrets();
        Some(if same_account {
            Renewal::SameAccount
        } else {
            Renewal::NewAccount
        })
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

    /// Identifies the secrets of the source, as in the store's records of health. It has the length of the
    /// index in the admin API, and reveals no more.
    pub(crate) fn secrets_digest(&self) -> u64 {
        let first = self.source_digest.iter().take(size_of::<u64>());
        first.fold(0, |digest, &byte| (digest << 8) | u64::from(byte))
    }

    /// Returns the refreshed secrets, if they stay in use with this registration and have other names
    /// than the registration's.
    pub(crate) fn refreshed_secrets(
        &self,
        registration: &Registration,
    ) -> Option<&BTreeMap<String, SecretString>> {
        let secrets = &self.tokens.secrets;
        // The digest comes last, because it costs most.
        let stay = self.record.refreshed
            && !secrets.keys().eq(registration.secrets.keys())
            && self.source_digest == registration.digest();
        stay.then_some(secrets)
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

    /// True if a call has to wait for a refresh: the access token has expired, there is none yet, or the
    /// provider rejected it and a refresh is running. False if nothing shows that the tokens can be
    /// refreshed.
    pub(crate) fn awaits_refresh(&self, now: Timestamp) -> bool {
        (self.has_expired(now) && self.can_refresh())
            || self.lacks_token()
            || (self.is_rejected() && self.refresh.running.is_some())
    }

    /// True if the access token is unusable: it has expired, the provider rejected it, or there is none.
    pub(crate) fn is_unusable(&self, now: Timestamp) -> bool {
        self.has_expired(now) || self.lacks_token() || self.is_rejected()
    }

    /// True if a call got an authentication error with these tokens.
    pub(crate) fn is_rejected(&self) -> bool {
        self.refresh.rejected_tokens == Some(self.tokens.version)
    }

    /// A token counts as valid for a moment after its refresh, whatever the provider reported: otherwise
    /// a life of zero would fail every call.
    fn has_expired(&self, now: Timestamp) -> bool {
        let fresh = self.tokens.refreshed_at.map(|at| at + REFRESH_INTERVAL_MIN);
        let end = self
            .tokens
            .expires_at
            .map(|end| end.max(fresh.unwrap_or_default()));
        end.is_some_and(|end| end <= now)
    }

    /// True if there is a refresh token, but no secret for requests yet.
    fn lacks_token(&self) -> bool {
        let has = |name| self.tokens.secrets.contains_key(name);
        has(REFRESH_TOKEN) && !has(ACCESS_TOKEN) && !has(API_KEY)
    }

    fn can_refresh(&self) -> bool {
        self.record.refreshed || self.tokens.secrets.contains_key(REFRESH_TOKEN)
    }

    /// Returns when a refresh that a call needs may begin; see [`RefreshFacts::required_at`].
    fn required_at(&self) -> Option<Timestamp> {
        if self.is_rejected() {
            return Some(self.refresh.on_demand.next_at());
        }
        let needed = self.refresh.expired_tokens == Some(self.tokens.version);
        (needed || self.lacks_token()).then(Timestamp::default)
    }

    /// Returns when the next refresh and the next policy check are due. Nothing is due once the provider
    /// has rejected the refresh token, except that the credential is barred when its access token ends.
    pub(crate) fn due(&self, credential: &Credential, refresher: &dyn Refresher) -> Due {
        if self.refresh.running.is_some() {
            return Due::default();
        }
        if self.refresh.rejected.is_some() {
            return Due {
                refresh: self.tokens.expires_at.filter(|_| !self.refresh.barred),
                policy_check: None,
            };
        }
        let has_policy = refresher.has_refresh_policy(&credential.provider);
        // The operator's lead overrides the executor's.
        let lead = self.timing.lead;
        let facts = RefreshFacts {
            enabled: credential.enabled,
            kind: credential.kind,
            required_at: self
                .required_at()
                .filter(|_| refresher.can_refresh(&credential.provider)),
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

/// The secrets that the host knows: all executors that Jackfield brings use these names.
const ACCESS_TOKEN: &str = "access-token";

/// See [`ACCESS_TOKEN`].
const REFRESH_TOKEN: &str = "refresh-token";

/// See [`ACCESS_TOKEN`].
const API_KEY: &str = "api-key";
