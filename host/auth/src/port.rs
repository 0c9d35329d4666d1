//! The ports of the auth manager: the clock, the store, and the refresher that fetches new tokens.

use std::collections::BTreeMap;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use jackfield_credential::{Credential, CredentialId, HealthRecord, ProviderName, Timestamp};
use secrecy::SecretString;
use serde_json::Value;

/// A boxed future, as trait objects return it.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Returns the present time. It must be steady: the wall-clock time at the start plus the time of
/// a monotonic clock since then. A jump of the wall clock would shift every cooldown.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// Persists credentials and their health. Writes are durable: when the future of a write resolves,
/// the data survive a crash and a power loss.
pub trait Store: Send + Sync + fmt::Debug + 'static {
    /// Returns all records, in no particular order.
    fn list(&self) -> BoxFuture<'_, Result<Vec<StoredCredential>, StoreError>>;

    /// Saves a record if the stored one has the version `expected` (`None`: if there is none), and
    /// returns the new version.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if the stored record has another version; nothing is changed.
    fn save(
        &self,
        record: StoredCredential,
        expected: Option<u64>,
    ) -> BoxFuture<'_, Result<u64, StoreError>>;

    /// Deletes a credential and its health, if they exist.
    fn delete(&self, id: CredentialId) -> BoxFuture<'_, Result<(), StoreError>>;

    /// Returns all saved health. [`Health::Ready`](jackfield_credential::Health::Ready) is not
    /// stored.
    fn list_health(&self) -> BoxFuture<'_, Result<Vec<HealthRecord>, StoreError>>;

    /// Saves health, all of it or nothing. Records that are ready again are deleted.
    fn save_health(&self, records: Vec<HealthRecord>) -> BoxFuture<'_, Result<(), StoreError>>;

    /// Ends the use of the store, so that another process can use it. Later operations fail with
    /// [`StoreError::Closed`].
    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {})
    }
}

/// Why a store operation failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Another process has saved the record meanwhile.
    #[error("another version of the record was saved meanwhile")]
    Conflict,
    /// This process shuts down and has left the store to the next one.
    #[error(
        "Jackfield is shutting down and has left its data folder to the next process; repeat this there"
    )]
    Closed,
    /// Any other failure. The text says what failed and what to do, and contains no secret.
    #[error("{0}")]
    Failed(String),
}

/// The stored record of one credential.
#[derive(Clone, Debug)]
pub struct StoredCredential {
    /// The credential.
    pub id: CredentialId,
    /// The operator's override of `enabled`.
    pub enabled: Option<bool>,
    /// Its tokens, if they were refreshed since the source supplied them.
    pub tokens: Option<StoredTokens>,
    /// Its definition, if it was created through the admin API.
    pub definition: Option<Definition>,
    /// When it was first saved.
    pub created_at: Timestamp,
    /// When it was last saved.
    pub updated_at: Timestamp,
    /// Number of saves of this record. [`Store::save`] sets it.
    pub version: u64,
}

/// Refreshed tokens.
#[derive(Clone, Debug)]
pub struct StoredTokens {
    /// All secrets of the credential, by name.
    pub secrets: BTreeMap<String, SecretString>,
    /// When the access token expires, if known.
    pub expires_at: Option<Timestamp>,
    /// When they were refreshed.
    pub refreshed_at: Option<Timestamp>,
    /// A digest of the source's secrets at the time of the refresh. If the source has other
    /// secrets now, the operator re-authenticated, and these tokens no longer apply.
    pub source_digest: [u8; 32],
}

/// A credential that was created through the admin API.
#[derive(Clone, Debug)]
pub struct Definition {
    /// Its provider and other data that is not secret, as the admin API received them.
    pub body: Value,
    /// Its secrets, by name.
    pub secrets: BTreeMap<String, SecretString>,
}

/// Requests new tokens from providers.
pub trait Refresher: Send + Sync {
    /// Requests new tokens. The implementation has its own deadline.
    fn refresh(&self, job: RefreshJob) -> BoxFuture<'_, Result<TokenPatch, RefreshError>>;

    /// Returns how long before expiry this provider's executor wants tokens refreshed.
    fn lead(&self, provider: &ProviderName) -> Option<Duration>;

    /// True if this provider's executor can refresh tokens.
    fn can_refresh(&self, _provider: &ProviderName) -> bool {
        true
    }

    /// True if this provider's executor decides itself when to refresh.
    fn has_refresh_policy(&self, _provider: &ProviderName) -> bool {
        false
    }

    /// Asks the executor whether to refresh now; `None` leaves it to interval and lead. The
    /// implementation has its own deadline.
    fn should_refresh(&self, _query: PolicyQuery) -> BoxFuture<'_, Option<bool>> {
        Box::pin(async { None })
    }
}

/// What an executor decides on. It contains no secret.
#[derive(Clone, Debug)]
pub struct PolicyQuery {
    /// The credential.
    pub credential: Arc<Credential>,
    /// When the access token expires, if known.
    pub expires_at: Option<Timestamp>,
    /// When the tokens were last refreshed, if known.
    pub refreshed_at: Option<Timestamp>,
}

/// What a refresh needs.
#[derive(Clone, Debug)]
pub struct RefreshJob {
    /// The credential.
    pub credential: Arc<Credential>,
    /// All its secrets, by name.
    pub secrets: BTreeMap<String, SecretString>,
    /// The proxy of its connections.
    pub proxy: Option<Arc<SecretString>>,
}

/// The result of a refresh. Secrets that it does not contain stay as they are.
#[derive(Clone, Debug, Default)]
pub struct TokenPatch {
    /// New secrets, by name.
    pub secrets: BTreeMap<String, SecretString>,
    /// When the access token expires, if known.
    pub expires_at: Option<Timestamp>,
}

/// Why a refresh failed. It contains no secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RefreshError {
    /// The provider rejected the refresh token: the operator must log in again.
    #[error("the provider rejected the refresh token: {0}")]
    Rejected(RefreshFailure),
    /// It failed, and may succeed later.
    #[error("refresh failed: {0}")]
    Failed(RefreshFailure),
    /// None may begin yet: the last one failed, or there were too many.
    #[error(
        "the next refresh is not due yet{}",
        .last.as_ref().map(|last| format!("; the last one failed: {last}")).unwrap_or_default()
    )]
    Postponed {
        /// When the next one may begin.
        until: Timestamp,
        /// The last failure, if there was no success since.
        last: Option<RefreshFailure>,
    },
    /// The credential is an API key, or there is no refresher.
    #[error("the credential has no tokens to refresh")]
    NotRefreshable,
    /// The credential does not exist, or no longer.
    #[error("unknown credential")]
    NotFound,
}

/// A failed refresh. It contains no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefreshFailure {
    /// The status of the token endpoint's response, if there was one.
    pub status: Option<u16>,
    /// One sentence for operators.
    pub message: String,
    /// False if no request was planned: the executor or the configuration does not allow it.
    pub planned: bool,
}

impl From<String> for RefreshFailure {
    fn from(message: String) -> Self {
        Self {
            status: None,
            message,
            planned: true,
        }
    }
}

impl From<&str> for RefreshFailure {
    fn from(message: &str) -> Self {
        message.to_owned().into()
    }
}

impl fmt::Display for RefreshFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.status {
            Some(status) => write!(f, "status {status}: {}", self.message),
            None => f.write_str(&self.message),
        }
    }
}
