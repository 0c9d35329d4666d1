//! The store: a thread of its own does what the database is asked for, one thing after the other.

use std::fmt;
use std::path::{Path, PathBuf};
use std::thread;

use jackfield_auth::{BoxFuture, Store, StoreError, StoredCredential};
use jackfield_credential::{CredentialId, HealthRecord};
use tokio::sync::{mpsc, oneshot};

use crate::database::{Database, DbError};
use crate::limits::JOBS_WAITING_MAX;
use crate::{Key, KeyError};

/// The name of the database's file in its folder.
pub const DATABASE: &str = "jackfield.db";

/// Keeps credentials and health in an SQLite database. Dropping it ends its thread when everything
/// that was asked for is done.
pub struct SqliteStore {
    jobs: mpsc::Sender<Job>,
    path: PathBuf,
}

/// What the thread is to do.
type Job = Box<dyn FnOnce(&mut Database) + Send>;

/// Why a database was not opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// There is no key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// SQLite, or the file system, says no.
    #[error("the database {path}: {why}; if it is damaged, put back a copy or move it away")]
    Database {
        /// Which file.
        path: PathBuf,
        /// What was said.
        why: String,
    },
    /// A later version of Jackfield has changed it.
    #[error(
        "the database {path} is of version {version}, and this Jackfield knows {known}: use a later one"
    )]
    Newer {
        /// Which file.
        path: PathBuf,
        /// Its version.
        version: i64,
        /// The last that is known here.
        known: i64,
    },
    /// It was sealed with another key.
    #[error(
        "the database {path} does not open with {key}: it was made with {expected_key}; put that key \
         back, or move the database away and lose what it holds"
    )]
    KeyMismatch {
        /// Which file.
        path: PathBuf,
        /// Where the key is from, in words.
        key: String,
        /// Where its own key was from, in words.
        expected_key: String,
    },
}

impl SqliteStore {
    /// Opens the database in a folder; makes both where they are not there, readable for their
    /// owner only. It blocks while it does.
    ///
    /// # Errors
    /// What is wrong with the file or the key, and what to do.
    pub fn open(folder: &Path, key: &Key) -> Result<Self, OpenError> {
        let path = folder.join(DATABASE);
        let mut database = Database::open(&path, key)?;
        let (jobs, mut queue) = mpsc::channel::<Job>(JOBS_WAITING_MAX);
        let spawned = thread::Builder::new()
            .name("store".to_owned())
            .spawn(move || {
                while let Some(job) = queue.blocking_recv() {
                    job(&mut database);
                }
            });
        spawned.map_err(|error| OpenError::Database {
            path: path.clone(),
            why: format!("no thread for it: {error}"),
        })?;
        Ok(Self { jobs, path })
    }

    fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Database) -> Result<T, DbError> + Send + 'static,
    ) -> BoxFuture<'_, Result<T, StoreError>> {
        Box::pin(async move {
            let ended = |()| StoreError::Failed("the store has ended".to_owned());
            let (sender, receiver) = oneshot::channel();
            let job: Job = Box::new(move |database| {
                // Nobody may wait any more.
                let _ = sender.send(job(database));
            });
            self.jobs.send(job).await.map_err(|_| ended(()))?;
            let result = receiver.await.map_err(|_| ended(()))?;
            result.map_err(|problem| problem.0)
        })
    }
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteStore")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

impl Store for SqliteStore {
    fn list(&self) -> BoxFuture<'_, Result<Vec<StoredCredential>, StoreError>> {
        self.run(|database| database.list())
    }

    fn save(
        &self,
        record: StoredCredential,
        expected: Option<u64>,
    ) -> BoxFuture<'_, Result<u64, StoreError>> {
        self.run(move |database| database.save(&record, expected))
    }

    fn delete(&self, id: CredentialId) -> BoxFuture<'_, Result<(), StoreError>> {
        self.run(move |database| database.delete(&id))
    }

    fn list_health(&self) -> BoxFuture<'_, Result<Vec<HealthRecord>, StoreError>> {
        self.run(|database| database.list_health())
    }

    fn save_health(&self, records: Vec<HealthRecord>) -> BoxFuture<'_, Result<(), StoreError>> {
        self.run(move |database| database.save_health(&records))
    }
}

#[cfg(test)]
mod tests;
