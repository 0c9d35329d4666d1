//! The store: a thread runs the database's jobs one after the other.

use std::fmt;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::thread;

use jackfield_auth::{BoxFuture, Store, StoreError, StoredCredential};
use jackfield_credential::{CredentialId, HealthRecord};
use jackfield_files::{FolderLock, LockError, UnsafeFolder, check_folder};
use tokio::sync::{mpsc, oneshot};

use crate::database::{Database, DbError};
use crate::limits::JOBS_WAITING_MAX;
use crate::{Key, KeyError, permissions};

/// The database's file name.
pub(crate) const DATABASE: &str = "jackfield.db";

/// Stores credentials and health in an SQLite database. When it is dropped, its thread ends after
/// the jobs in the queue.
pub struct SqliteStore {
    jobs: mpsc::Sender<Job>,
    path: PathBuf,
}

/// A job for the thread. There is no database after [`Store::close`].
type Job = Box<dyn FnOnce(&mut Option<Open>) + Send>;

/// The open database. The lock comes last: it is released when the database is closed.
struct Open {
    database: Database,
    file: FileId,
    /// None if another process has the folder: then nothing is written.
    lock: Option<FolderLock>,
}

/// Why a database was not opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// There is no key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// Another user can change the folder.
    #[error("the data folder is not safe: {0}")]
    Folder(#[from] UnsafeFolder),
    /// Another process uses the folder, or it cannot be locked.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// An error of SQLite or the file system.
    #[error("database {path}: {why}; if it is damaged, restore a backup or move it away")]
    Database {
        /// The database file.
        path: PathBuf,
        /// What failed.
        why: String,
    },
    /// A later version of Jackfield has migrated it.
    #[error(
        "database {path} has schema version {version}, but this version of Jackfield supports {known}: use a later one"
    )]
    Newer {
        /// The database file.
        path: PathBuf,
        /// Its schema version.
        version: i64,
        /// The newest version that this program knows.
        known: i64,
    },
    /// It was created with another key.
    #[error(
        "database {path} does not open with {key}: it was created with {expected_key}; restore that key, \
         or move the database away and lose its contents"
    )]
    KeyMismatch {
        /// The database file.
        path: PathBuf,
        /// Where the key came from.
        key: String,
        /// Where the database's key came from.
        expected_key: String,
    },
}

impl SqliteStore {
    /// Locks a folder and opens the database in it. Creates both if they do not exist, readable by their
    /// owner only. The lock ends with [`Store::close`]. This function blocks, but not for the lock.
    ///
    /// # Errors
    /// What is wrong with the file or the key, and what to do; which process has the folder.
    pub fn open(folder: &Path, key: &Key) -> Result<Self, OpenError> {
        let lock = lock(folder)?;
        Self::start(folder, key, Some(lock))
    }

    /// Opens the database in a folder that another process has locked. Writes fail.
    ///
    /// # Errors
    /// As [`SqliteStore::open`], except for the lock.
    pub fn open_beside_other(folder: &Path, key: &Key) -> Result<Self, OpenError> {
        Self::start(folder, key, None)
    }

    fn start(folder: &Path, key: &Key, lock: Option<FolderLock>) -> Result<Self, OpenError> {
        let path = folder.join(DATABASE);
        let database = Database::open(&path, key)?;
        let file = FileId::of(&path).map_err(|error| OpenError::Database {
            path: path.clone(),
            why: error.to_string(),
        })?;
        let mut open = Some(Open {
            database,
            file,
            lock,
        });
        let (jobs, mut queue) = mpsc::channel::<Job>(JOBS_WAITING_MAX);
        // SQLite may block for seconds, which would stop a worker of the runtime.
        let spawned = thread::Builder::new()
            .name("store".to_owned())
            .spawn(move || {
                while let Some(job) = queue.blocking_recv() {
                    job(&mut open);
                }
            });
        spawned.map_err(|error| OpenError::Database {
            path: path.clone(),
            why: format!("cannot start its thread: {error}"),
        })?;
        Ok(Self { jobs, path })
    }

    fn write<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Database) -> Result<T, DbError> + Send + 'static,
    ) -> BoxFuture<'_, Result<T, StoreError>> {
        let path = self.path.clone();
        self.run(move |open| {
            let failed = |why: String| Err(DbError(StoreError::Failed(why)));
            if open.lock.is_none() {
                return failed("another process uses the data folder, so nothing is saved".to_owned());
            }
            // The system lets this process write to a deleted file, and a restart would find nothing of it.
            if FileId::of(&path).ok() != Some(open.file) {
                return failed(format!(
                    "the database {} was removed or replaced while Jackfield uses it; put it back, or restart",
                    path.display()
                ));
            }
            job(&mut open.database)
        })
    }

    fn read<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Database) -> Result<T, DbError> + Send + 'static,
    ) -> BoxFuture<'_, Result<T, StoreError>> {
        self.run(|open| job(&mut open.database))
    }

    fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Open) -> Result<T, DbError> + Send + 'static,
    ) -> BoxFuture<'_, Result<T, StoreError>> {
        Box::pin(async move {
            let ended = |()| StoreError::Failed("the store has stopped".to_owned());
            let (sender, receiver) = oneshot::channel();
            let job: Job = Box::new(move |open| {
                let result = match open {
                    Some(open) => job(open).map_err(|problem| problem.0),
                    None => Err(StoreError::Closed),
                };
                // The send fails if the caller has gone.
                let _ = sender.send(result);
            });
            self.jobs.send(job).await.map_err(|_| ended(()))?;
            receiver.await.map_err(|_| ended(()))?
        })
    }
}

/// A file, independent of its path: device and inode. The inode is not given to another file while the database is open.
#[derive(Clone, Copy, PartialEq, Eq)]
struct FileId(u64, u64);

impl FileId {
    fn of(path: &Path) -> io::Result<Self> {
        let metadata = fs::metadata(path)?;
        Ok(Self(metadata.dev(), metadata.ino()))
    }
}

fn lock(folder: &Path) -> Result<FolderLock, OpenError> {
    permissions::create_private_dir(folder).map_err(|error| OpenError::Database {
        path: folder.join(DATABASE),
        why: error.to_string(),
    })?;
    check_folder(folder)?;
    Ok(FolderLock::acquire(folder)?)
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
        self.read(|database| database.list())
    }

    fn save(
        &self,
        record: StoredCredential,
        expected: Option<u64>,
    ) -> BoxFuture<'_, Result<u64, StoreError>> {
        self.write(move |database| database.save(&record, expected))
    }

    fn delete(&self, id: CredentialId) -> BoxFuture<'_, Result<(), StoreError>> {
        self.write(move |database| database.delete(&id))
    }

    fn list_health(&self) -> BoxFuture<'_, Result<Vec<HealthRecord>, StoreError>> {
        self.read(|database| database.list_health())
    }

    fn save_health(&self, records: Vec<HealthRecord>) -> BoxFuture<'_, Result<(), StoreError>> {
        self.write(move |database| database.save_health(&records))
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            let (sender, receiver) = oneshot::channel();
            let job: Job = Box::new(move |open| {
                drop(open.take());
                let _ = sender.send(());
            });
            // An error means that the thread has ended, and with it the lock.
            if self.jobs.send(job).await.is_ok() {
                let _ = receiver.await;
            }
        })
    }
}

#[cfg(test)]
mod tests;
