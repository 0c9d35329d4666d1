//! The ports of the auth manager: the clock, the store, and the refresher that fetches new tokens.

use std::collections::BTreeMap;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use jackfield_credential::{Credential, CredentialId, HealthRecord, ProviderName, Timestamp};
use secrecy::SecretString;
use serde_json::Value;

/// A future that a trait object answers with.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Says what time it is, for leases that are dropped. It must be steady: the wall clock's time at
/// start plus a monotonic clock's since then, since a jump would shift every cooldown.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// Keeps credentials and their health over a restart. What it answers is durable: when a future
/// that writes is done, its writing survives the loss of the process and of power.
pub trait Store: Send + Sync + fmt::Debug + 'static {
    /// Everything that was saved and not deleted, in no order.
    fn list(&self) -> BoxFuture<'_, Result<Vec<StoredCredential>, StoreError>>;

    /// Saves a record if the one that is there has the version `expected` (none: if there is none),
    /// and answers its new version.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] where another version is there; nothing is changed then.
    fn save(
        &self,
        record: StoredCredential,
        expected: Option<u64>,
    ) -> BoxFuture<'_, Result<u64, StoreError>>;

    /// Forgets a credential and its health; nothing happens where there is none.
    fn delete(&self, id: CredentialId) -> BoxFuture<'_, Result<(), StoreError>>;

    /// All health that was saved, apart from what is ready again.
    fn list_health(&self) -> BoxFuture<'_, Result<Vec<HealthRecord>, StoreError>>;

    /// Saves health, all of it or nothing. What is ready is forgotten.
    fn save_health(&self, records: Vec<HealthRecord>) -> BoxFuture<'_, Result<(), StoreError>>;
}

/// Why a store did not do what it was asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Somebody else has saved the record meanwhile.
    #[error("another version of the record was saved meanwhile")]
    Conflict,
    /// Something else; the text says what and what to do about it, and nothing secret.
    #[error("{0}")]
    Failed(String),
}

/// What is kept of one credential.
#[derive(Clone, Debug)]
pub struct StoredCredential {
    /// Whose it is.
    pub id: CredentialId,
    /// The operator's word against the source's on whether it is in use.
    pub enabled: Option<bool>,
    /// Its tokens, where they were renewed since its source gave them.
    pub tokens: Option<StoredTokens>,
    /// All of it, where the admin API made it and no source has it.
    pub definition: Option<Definition>,
    /// When it was saved first.
    pub created_at: Timestamp,
    /// When it was saved last.
    pub updated_at: Timestamp,
    /// Counts the savings of this record. Whoever saves need not fill it in.
    pub version: u64,
}

/// Tokens that were renewed.
#[derive(Clone, Debug)]
pub struct StoredTokens {
    /// All secrets of the credential by name.
    pub secrets: BTreeMap<String, SecretString>,
    /// When the access token ends, where that is known.
    pub expires_at: Option<Timestamp>,
    /// When they were renewed.
    pub refreshed_at: Option<Timestamp>,
    /// A digest of the secrets that the source gave when these were renewed: where the source gives
    /// others now, somebody has logged in anew, and these are void.
    pub source_digest: [u8; 32],
}

/// A credential that no file and no configuration defines.
#[derive(Clone, Debug)]
pub struct Definition {
    /// Whose provider it is of, and everything else that is not secret, as the admin API took it.
    pub body: Value,
    /// Its secrets by name.
    pub secrets: BTreeMap<String, SecretString>,
}

/// Carries out refreshes: asks the provider for new tokens.
pub trait Refresher: Send + Sync {
    /// Asks for new tokens. It has a deadline of its own.
    fn refresh(&self, job: RefreshJob) -> BoxFuture<'_, Result<TokenPatch, RefreshError>>;

    /// How long before their end the executor of this provider wants tokens renewed.
    fn lead(&self, provider: &ProviderName) -> Option<Duration>;

    /// Whether the executor of this provider has an opinion of its own on when tokens are renewed.
    fn has_refresh_policy(&self, _provider: &ProviderName) -> bool {
        false
    }

    /// Asks the executor, if it has one, whether to renew now; none leaves it to interval and lead.
    /// It has a deadline of its own.
    fn should_refresh(&self, _query: PolicyQuery) -> BoxFuture<'_, Option<bool>> {
        Box::pin(async { None })
    }
}

/// What an executor is asked about. No secret is in it.
#[derive(Clone, Debug)]
pub struct PolicyQuery {
    /// Whose tokens.
    pub credential: Arc<Credential>,
    /// When the access token ends, where that is known.
    pub expires_at: Option<Timestamp>,
    /// When the tokens were last renewed, where that is known.
    pub refreshed_at: Option<Timestamp>,
}

/// What a refresh is done with.
#[derive(Clone, Debug)]
pub struct RefreshJob {
    /// Whose tokens.
    pub credential: Arc<Credential>,
    /// All its secrets.
    pub secrets: BTreeMap<String, SecretString>,
    /// The proxy of its connections.
    pub proxy: Option<Arc<SecretString>>,
}

/// What a refresh changes: what is not in it stays.
#[derive(Clone, Debug, Default)]
pub struct TokenPatch {
    /// Secrets that are new, by name.
    pub secrets: BTreeMap<String, SecretString>,
    /// When the access token ends, where the provider says so.
    pub expires_at: Option<Timestamp>,
}

/// Why there are no new tokens. Nothing in it is secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RefreshError {
    /// The provider will not renew them any more: somebody must log in anew.
    #[error("the provider will not renew the tokens: {0}")]
    Rejected(String),
    /// It did not work this time.
    #[error("the refresh failed: {0}")]
    Failed(String),
    /// The credential has nothing to be renewed, or nobody renews it.
    #[error("the credential's secrets are not of the kind that is renewed")]
    NotRefreshable,
    /// The credential is not there, or no longer.
    #[error("there is no such credential")]
    NotFound,
}
