//! The path of a Unix socket: one process uses it at a time, and what a process left behind is recognized.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use rustix::process::geteuid;

use crate::lock::{LockFailure, lock_file};
use crate::owner::{UnsafeFolder, check_folder_of_socket};

/// The path of a Unix socket that no other process of this program uses. Dropping it removes the socket, if it is still
/// the one that was created here, and lets the next process use the path.
#[derive(Debug)]
pub struct SocketPath {
    path: PathBuf,
    /// The socket that was created, by device and inode.
    created: Option<(u64, u64)>,
    _lock: File,
}

/// What stands at the path of a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SocketState {
    /// Nothing.
    Absent,
    /// A socket of this process's user. Another process may accept there.
    Own,
}

/// Why a path is not used for a socket.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    /// Another process has the path.
    #[error("{path} is in use by {holder}; stop that process, or listen on another path")]
    InUse {
        /// The path.
        path: PathBuf,
        /// The process, as text.
        holder: String,
    },
    /// Something else stands there, which is not removed.
    #[error(
        "{path} exists and is no socket of this process's user; remove it, or listen on another path"
    )]
    Foreign {
        /// The path.
        path: PathBuf,
    },
    /// Other users could replace the socket, and read what clients send.
    #[error("the folder of {path} is not safe for a socket: {error}")]
    Folder {
        /// The path.
        path: PathBuf,
        /// Which folder, and what to change.
        error: UnsafeFolder,
    },
    /// The path cannot be used.
    #[error("{path}: {error}; Jackfield's user needs write access to the folder")]
    File {
        /// The path.
        path: PathBuf,
        /// The system's error.
        error: io::Error,
    },
}

impl SocketPath {
    /// Takes a path for this process. It does not wait for another process. The file `PATH.lock` beside the socket is
    /// locked and stays: to remove it would let two processes lock two files.
    ///
    /// # Errors
    /// When other users can change the folder, another process has the path, or the lock file cannot be created.
    pub fn take(path: &Path) -> Result<Self, SocketError> {
        let folder = match path.parent() {
            Some(folder) if folder != Path::new("") => folder,
            _ => Path::new("."),
        };
        check_folder_of_socket(folder).map_err(|error| SocketError::Folder {
            path: path.to_owned(),
            error,
        })?;
        let mut name = path.as_os_str().to_owned();
        name.push(".lock");
        let lock = lock_file(Path::new(&name)).map_err(|failure| match failure {
            LockFailure::InUse(holder) => SocketError::InUse {
                path: path.to_owned(),
                holder,
            },
            LockFailure::File(error) => SocketError::File {
                path: path.to_owned(),
                error,
            },
        })?;
        Ok(Self {
            path: path.to_owned(),
            created: None,
            _lock: lock,
        })
    }

    /// Returns the path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Examines what stands at the path.
    ///
    /// # Errors
    /// When it is no socket, or another user's.
    pub fn state(&self) -> Result<SocketState, SocketError> {
        let metadata = match fs::symlink_metadata(&self.path) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(SocketState::Absent);
            }
            Err(error) => return Err(self.failed(error)),
        };
        let is_own = metadata.uid() == geteuid().as_raw();
        if is_own && metadata.file_type().is_socket() {
            return Ok(SocketState::Own);
        }
        Err(SocketError::Foreign {
            path: self.path.clone(),
        })
    }

    /// Removes a socket of this process's user, at which no process accepts.
    ///
    /// # Errors
    /// When it is no socket, or another user's, or cannot be removed.
    pub fn remove_stale(&self) -> Result<(), SocketError> {
        match self.state()? {
            SocketState::Absent => Ok(()),
            SocketState::Own => fs::remove_file(&self.path).map_err(|error| self.failed(error)),
        }
    }

    /// Notes that this process has created the socket, so that it is removed at the end.
    ///
    /// # Errors
    /// When the socket cannot be examined.
    pub fn note_created(&mut self) -> Result<(), SocketError> {
        let identity = identity(&self.path).map_err(|error| self.failed(error))?;
        self.created = Some(identity);
        Ok(())
    }

    fn failed(&self, error: io::Error) -> SocketError {
        SocketError::File {
            path: self.path.clone(),
            error,
        }
    }
}

impl Drop for SocketPath {
    fn drop(&mut self) {
        // The operator may have put something else there. The lock ends after this.
        if self.created.is_some() && identity(&self.path).ok() == self.created {
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    let metadata = fs::symlink_metadata(path)?;
    Ok((metadata.dev(), metadata.ino()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::net::UnixListener;

    use super::*;

    #[test]
    fn one_process_has_a_path() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s");
        let first = SocketPath::take(&path).unwrap();
        let refused = SocketPath::take(&path).unwrap_err().to_string();
        let holder = format!("process {}", std::process::id());
        assert!(refused.contains(&holder), "{refused}");
        drop(first);
        SocketPath::take(&path).unwrap();
    }

    #[test]
    fn folder_that_others_can_change_is_refused_unless_it_is_sticky() {
        let folder = tempfile::tempdir().unwrap();
        let set_mode = |mode| {
            fs::set_permissions(folder.path(), fs::Permissions::from_mode(mode)).unwrap();
        };
        let path = folder.path().join("s");
        set_mode(0o777);
        let refused = SocketPath::take(&path).unwrap_err().to_string();
        assert!(refused.contains("chmod go-w"), "{refused}");
        assert!(fs::read_dir(folder.path()).unwrap().next().is_none());
        set_mode(0o1777);
        SocketPath::take(&path).unwrap();
    }

    #[test]
    fn only_own_sockets_are_removed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s");
        let taken = SocketPath::take(&path).unwrap();
        assert_eq!(taken.state().unwrap(), SocketState::Absent);
        taken.remove_stale().unwrap();
        drop(UnixListener::bind(&path).unwrap());
        assert_eq!(taken.state().unwrap(), SocketState::Own);
        taken.remove_stale().unwrap();
        assert_eq!(taken.state().unwrap(), SocketState::Absent);
        fs::write(&path, "data").unwrap();
        assert!(matches!(
            taken.remove_stale(),
            Err(SocketError::Foreign { .. })
        ));
        // The target of a link may be a file of another program.
        fs::remove_file(&path).unwrap();
        let _listener = UnixListener::bind(folder.path().join("other")).unwrap();
        std::os::unix::fs::symlink(folder.path().join("other"), &path).unwrap();
        assert!(taken.remove_stale().is_err());
        assert!(fs::read(&path).is_err() && folder.path().join("other").exists());
    }

    #[test]
    fn the_end_removes_what_was_created_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s");
        let mut taken = SocketPath::take(&path).unwrap();
        let _listener = UnixListener::bind(&path).unwrap();
        taken.note_created().unwrap();
        drop(taken);
        assert!(!path.exists());
        let mut taken = SocketPath::take(&path).unwrap();
        let _first = UnixListener::bind(&path).unwrap();
        taken.note_created().unwrap();
        fs::rename(&path, folder.path().join("away")).unwrap();
        let _second = UnixListener::bind(&path).unwrap();
        drop(taken);
        assert!(path.exists());
    }
}
