//! The store's port: what is kept of credentials over a restart, and how it is asked for.

use std::collections::BTreeMap;
use std::fmt;
use std::pin::Pin;

use jackfield_credential::{CredentialId, HealthRecord, Timestamp};
use secrecy::SecretString;
use serde_json::Value;

/// A future that a trait object answers with.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

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
