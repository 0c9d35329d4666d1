//! The limits of the store, each with its unit and its reason.

use std::time::Duration;

/// Jobs waiting for the database thread. Beyond that, callers wait to enqueue. A refresh has one
/// job at a time, and health is saved in batches.
pub(crate) const JOBS_WAITING_MAX: usize = 64;

/// How long another process, such as a backup, may lock the database before a statement fails.
pub(crate) const DATABASE_BUSY_MAX: Duration = Duration::from_secs(5);

/// Bytes read of a key file. It has 65; a path that names a large file by mistake must not fill
/// the memory.
pub(crate) const KEY_FILE_BYTES_MAX: u64 = 4_096;

/// How long the key file may take. It is a small file on a disk; a pipe without a writer must not hang the start.
pub(crate) const KEY_FILE_READ_MAX: Duration = Duration::from_secs(10);
