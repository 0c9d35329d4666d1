//! The database: every statement. It runs on one thread.

use std::path::Path;

use jackfield_auth::{StoreError, StoredCredential};
use jackfield_credential::{CredentialId, HealthRecord, ModelKey, Timestamp};
use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};
use secrecy::zeroize::Zeroizing;

use crate::rows::{DefinitionRow, HealthOfSecrets, HealthRow, TokensRow};
use crate::seal::Sealer;
use crate::{Key, OpenError, schema};

/// An open database and its key.
pub(crate) struct Database {
    connection: Connection,
    sealer: Sealer,
}

/// The result of a key check.
enum KeyMatch {
    /// The database was created with this key, perhaps just now.
    Same,
    /// It was created with another key; the text says where that came from.
    Other(String),
}

/// The result of a statement.
type DbResult<T> = Result<T, DbError>;

/// Why a statement failed. Nothing was changed.
pub(crate) struct DbError(pub(crate) StoreError);

impl From<rusqlite::Error> for DbError {
    fn from(error: rusqlite::Error) -> Self {
        Self(StoreError::Failed(format!(
            "database: {}",
            schema::describe_error(&error)
        )))
    }
}

impl Database {
    /// Opens the database in a file, and creates it if it does not exist.
    pub(crate) fn open(path: &Path, key: &Key) -> Result<Self, OpenError> {
        let mut database = Self {
            connection: schema::open(path, &schema::STEPS)?,
            sealer: Sealer::new(key),
        };
        match database.check_key(key) {
            Ok(KeyMatch::Same) => Ok(database),
            Ok(KeyMatch::Other(expected_key)) => Err(OpenError::KeyMismatch {
                path: path.to_owned(),
                key: key.source().to_owned(),
                expected_key,
            }),
            Err(DbError(error)) => Err(OpenError::Database {
                path: path.to_owned(),
                why: error.to_string(),
            }),
        }
    }

    /// Checks the key with a value that was sealed when the database was created. So a wrong key
    /// is reported at the start, not when the first credential is missing.
    fn check_key(&mut self, key: &Key) -> DbResult<KeyMatch> {
        // With the write lock first, two processes cannot both store a key check.
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        let Some(sealed) = read_fact(&transaction, KEY_CHECK)? else {
            let sealed = self
                .sealer
                .seal(&[KEY_CHECK], b"")
                .map_err(|error| to_db_error(&error))?;
            let facts = [
                (KEY_CHECK, sealed.as_slice()),
                (KEY_SOURCE, key.source().as_bytes()),
            ];
            for (name, value) in facts {
                transaction.execute("INSERT INTO facts VALUES (?1, ?2)", params![name, value])?;
            }
            transaction.commit()?;
            return Ok(KeyMatch::Same);
        };
        if self.sealer.open(&[KEY_CHECK], &sealed).is_ok() {
            return Ok(KeyMatch::Same);
        }
        let expected_key = read_fact(&transaction, KEY_SOURCE)?.unwrap_or_default();
        Ok(KeyMatch::Other(
            String::from_utf8_lossy(&expected_key).into_owned(),
        ))
    }

    pub(crate) fn list(&self) -> DbResult<Vec<StoredCredential>> {
        let mut statement = self.connection.prepare_cached(
            "SELECT id, version, enabled, tokens, definition, created_at, updated_at FROM credentials",
        )?;
        let mut rows = statement.query([])?;
        let mut listed = Vec::new();
        while let Some(row) = rows.next()? {
            let id: String = row.get(0)?;
            let tokens = self.open_column::<TokensRow>(&id, "tokens", row.get(3)?)?;
            let definition = self.open_column::<DefinitionRow>(&id, "definition", row.get(4)?)?;
            listed.push(StoredCredential {
                enabled: row.get(2)?,
                tokens: tokens.map(TokensRow::restore),
                definition: definition.map(DefinitionRow::restore),
                created_at: timestamp(row.get(5)?),
                updated_at: timestamp(row.get(6)?),
                version: number(row.get(1)?),
                id: CredentialId::from(id),
            });
        }
        Ok(listed)
    }

    pub(crate) fn save(
        &mut self,
        record: &StoredCredential,
        expected: Option<u64>,
    ) -> DbResult<u64> {
        let id = record.id.as_str();
        let tokens_row = record.tokens.as_ref().map(TokensRow::of);
        let tokens = self.seal_column(id, "tokens", tokens_row.as_ref())?;
        let definition_row = record.definition.as_ref().map(DefinitionRow::of);
        let definition = self.seal_column(id, "definition", definition_row.as_ref())?;
        // Takes the write lock before it reads the version: no other process can save in between.
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        let current = transaction
            .query_row(
                "SELECT version FROM credentials WHERE id = ?1",
                [id],
                |row| row.get::<_, i64>(0),
            )
            .optional()?;
        if current.map(number) != expected {
            return Err(DbError(StoreError::Conflict));
        }
        let version = current.unwrap_or(0) + 1;
        transaction.execute(
            "INSERT INTO credentials VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
             ON CONFLICT (id) DO UPDATE SET version = ?2, enabled = ?3, tokens = ?4,
                 definition = ?5, updated_at = ?7",
            params![
                id,
                version,
                record.enabled,
                tokens,
                definition,
                integer(record.created_at),
                integer(record.updated_at),
            ],
        )?;
        transaction.commit()?;
        Ok(number(version))
    }

    pub(crate) fn delete(&mut self, id: &CredentialId) -> DbResult<()> {
        let transaction = self.connection.transaction()?;
        transaction.execute("DELETE FROM credentials WHERE id = ?1", [id.as_str()])?;
        transaction.execute("DELETE FROM health WHERE credential = ?1", [id.as_str()])?;
        Ok(transaction.commit()?)
    }

    pub(crate) fn list_health(&self) -> DbResult<Vec<HealthRecord>> {
        let mut statement = self
            .connection
            .prepare_cached("SELECT credential, model, state FROM health")?;
        let mut rows = statement.query([])?;
        let mut listed = Vec::new();
        while let Some(row) = rows.next()? {
            let credential: String = row.get(0)?;
            let model: String = row.get(1)?;
            let state: String = row.get(2)?;
            match serde_json::from_str::<HealthOfSecrets>(&state) {
                Ok(state) => listed.push(HealthRecord {
                    credential: CredentialId::from(credential),
                    model: (model != ACCOUNT).then(|| ModelKey::from(model)),
                    health: state.health.restore(),
                    secrets_digest: state.secrets_digest,
                }),
                // Unreadable health does not prevent a start: later calls establish it again.
                Err(error) => tracing::warn!(credential, %error, "stored health not restored"),
            }
        }
        Ok(listed)
    }

    pub(crate) fn save_health(&mut self, records: &[HealthRecord]) -> DbResult<()> {
        let transaction = self.connection.transaction()?;
        for record in records {
            let credential = record.credential.as_str();
            let model = record.model.as_ref().map_or(ACCOUNT, ModelKey::as_str);
            match encode_health(record)? {
                Some(state) => transaction
                    .prepare_cached("INSERT OR REPLACE INTO health VALUES (?1, ?2, ?3)")?
                    .execute(params![credential, model, state])?,
                None => transaction
                    .prepare_cached("DELETE FROM health WHERE credential = ?1 AND model = ?2")?
                    .execute(params![credential, model])?,
            };
        }
        Ok(transaction.commit()?)
    }

    fn seal_column<T: serde::Serialize>(
        &self,
        id: &str,
        column: &str,
        row: Option<&T>,
    ) -> DbResult<Option<Vec<u8>>> {
        let Some(row) = row else { return Ok(None) };
        let json = serde_json::to_vec(row).map_err(|error| to_db_error(&error))?;
        let plain = Zeroizing::new(json);
        let sealed = self.sealer.seal(&[id, column], &plain);
        sealed.map(Some).map_err(|error| to_db_error(&error))
    }

    fn open_column<T: serde::de::DeserializeOwned>(
        &self,
        id: &str,
        column: &str,
        sealed: Option<Vec<u8>>,
    ) -> DbResult<Option<T>> {
        let Some(sealed) = sealed else {
            return Ok(None);
        };
        let damaged = |_| {
            let why = format!(
                "the {column} of credential `{id}` were modified outside Jackfield; restore a backup \
                 of the database, or move it away and lose its contents"
            );
            DbError(StoreError::Failed(why))
        };
        let plain = self.sealer.open(&[id, column], &sealed).map_err(damaged)?;
        let row = serde_json::from_slice(&plain).map_err(|_| malformed_column(id, column))?;
        Ok(Some(row))
    }
}

fn malformed_column(id: &str, column: &str) -> DbError {
    // serde's message could contain a secret.
    let why = format!("the {column} of credential `{id}` are malformed");
    DbError(StoreError::Failed(why))
}

fn to_db_error(error: &dyn std::error::Error) -> DbError {
    DbError(StoreError::Failed(error.to_string()))
}

fn encode_health(record: &HealthRecord) -> DbResult<Option<String>> {
    let row = HealthRow::of(&record.health).map(|health| HealthOfSecrets {
        health,
        secrets_digest: record.secrets_digest,
    });
    let row = row.map(|row| serde_json::to_string(&row));
    row.transpose().map_err(|error| to_db_error(&error))
}

fn read_fact(connection: &Connection, name: &str) -> rusqlite::Result<Option<Vec<u8>>> {
    let mut statement = connection.prepare_cached("SELECT value FROM facts WHERE name = ?1")?;
    statement.query_row([name], |row| row.get(0)).optional()
}

fn timestamp(millis: i64) -> Timestamp {
    Timestamp::from_millis(number(millis))
}

fn integer(at: Timestamp) -> i64 {
    i64::try_from(at.as_millis()).unwrap_or(i64::MAX)
}

fn number(integer: i64) -> u64 {
    u64::try_from(integer).unwrap_or(0)
}

/// Stands for the whole account. No model has an empty name.
const ACCOUNT: &str = "";

/// The name of the value that checks the key.
const KEY_CHECK: &str = "key check";

/// The name of the text that says where that key came from.
const KEY_SOURCE: &str = "key from";
