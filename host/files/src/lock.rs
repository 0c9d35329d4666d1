//! The lock of a data folder: one process writes to it.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use rustix::process::geteuid;

/// A folder that this process has locked until the value is dropped. The system releases it too when the process ends,
/// however it ends.
#[derive(Debug)]
pub struct FolderLock {
    _file: File,
}

/// Why a folder is not locked.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another process has locked it.
    #[error(
        "data folder {folder} is in use by {holder}: stop that process first, or configure another `data` folder for \
         this one"
    )]
    InUse {
        /// The folder.
        folder: PathBuf,
        /// The process, as text.
        holder: String,
    },
    /// The lock file cannot be created or locked.
    #[error(
        "cannot lock data folder {folder}: {error}; Jackfield's user needs write access, and the file system must have \
         locks (flock)"
    )]
    File {
        /// The folder.
        folder: PathBuf,
        /// The system's error.
        error: io::Error,
    },
}

impl FolderLock {
    /// Locks a folder, which must exist. Does not wait for another process.
    ///
    /// # Errors
    /// Another process has locked it, or it cannot be locked.
    pub fn acquire(folder: &Path) -> Result<Self, LockError> {
        let failed = |error| LockError::File {
            folder: folder.to_owned(),
            error,
        };
        match lock_file(&folder.join(LOCK_FILE)) {
            Ok(file) => Ok(Self { _file: file }),
            Err(LockFailure::InUse(holder)) => Err(LockError::InUse {
                folder: folder.to_owned(),
                holder,
            }),
            Err(LockFailure::File(error)) => Err(failed(error)),
        }
    }
}

/// Why a file is not locked.
pub(crate) enum LockFailure {
    /// Another process has locked it. The text names the process.
    InUse(String),
    /// It cannot be created or locked.
    File(io::Error),
}

/// Locks a file, which is created if it is missing, until the value is dropped. Does not wait for another process. The
/// file has the id of this process, for the message of another one. Since its content is replaced, it must be a file of
/// this process's user that has no other name, and no link.
pub(crate) fn lock_file(path: &Path) -> Result<File, LockFailure> {
    // A pipe at the path must not make the call wait.
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .custom_flags(flags.bits() as i32)
        .open(path)
        .map_err(LockFailure::File)?;
    check_own(&file).map_err(LockFailure::File)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(LockFailure::InUse(holder(&mut file))),
        Err(TryLockError::Error(error)) => return Err(LockFailure::File(error)),
    }
    // Only for the message of another process. The file stays: to remove it would let two processes lock two files.
    let write = |file: &mut File| {
        file.set_len(0)?;
        file.rewind()?;
        writeln!(file, "{}", std::process::id())
    };
    write(&mut file).map_err(LockFailure::File)?;
    Ok(file)
}

/// Another user may have put the file there, as a trap for what is written into it.
fn check_own(file: &File) -> io::Result<()> {
    let metadata = file.metadata()?;
    // Root locks the folders of other users, too.
    let user = geteuid();
    let is_own = metadata.uid() == user.as_raw() || user.is_root();
    if metadata.is_file() && metadata.nlink() == 1 && is_own {
        return Ok(());
    }
    Err(io::Error::other(
        "the lock file is no regular file of this process's user with one name; remove it",
    ))
}

/// Describes the process that wrote its id into the file.
fn holder(file: &mut File) -> String {
    let mut text = String::new();
    let read = file.take(HOLDER_BYTES_MAX).read_to_string(&mut text);
    match text.trim().parse::<u32>() {
        Ok(id) if read.is_ok() => format!("process {id}"),
        _ => "another process".to_owned(),
    }
}

/// The file in the folder that is locked.
const LOCK_FILE: &str = "jackfield.lock";

/// Bytes read of the lock file: a process id has 10 digits at most.
const HOLDER_BYTES_MAX: u64 = 32;

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use rustix::fs::{CWD, FileType, Mode, mknodat};

    use super::*;

    #[test]
    fn second_holder_is_refused_and_learns_who_holds_it() {
        let folder = tempfile::tempdir().unwrap();
        let held = FolderLock::acquire(folder.path()).unwrap();
        let refused = FolderLock::acquire(folder.path()).unwrap_err();
        let holder = format!("process {}", std::process::id());
        assert!(
            matches!(&refused, LockError::InUse { holder: found, .. } if *found == holder),
            "{refused}"
        );
        drop(held);
        FolderLock::acquire(folder.path()).unwrap();
    }

    /// The lock file would be truncated, whatever it is.
    #[test]
    fn lock_file_that_is_another_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let (victim, lock) = (folder.path().join("victim"), folder.path().join(LOCK_FILE));
        fs::write(&victim, "text").unwrap();
        symlink(&victim, &lock).unwrap();
        assert!(FolderLock::acquire(folder.path()).is_err());
        fs::remove_file(&lock).unwrap();
        fs::hard_link(&victim, &lock).unwrap();
        let refused = FolderLock::acquire(folder.path()).unwrap_err().to_string();
        assert!(refused.contains("remove it"), "{refused}");
        fs::remove_file(&lock).unwrap();
        mknodat(CWD, &lock, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        assert!(FolderLock::acquire(folder.path()).is_err());
        fs::remove_file(&lock).unwrap();
        FolderLock::acquire(folder.path()).unwrap();
        assert_eq!(fs::read_to_string(&victim).unwrap(), "text");
    }

    #[test]
    fn missing_folder_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let refused = FolderLock::acquire(&folder.path().join("missing")).unwrap_err();
        assert!(refused.to_string().contains("missing"), "{refused}");
    }
}
