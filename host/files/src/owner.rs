//! Who may change what is in a folder. Native code and state are only used from folders that no other user can change.

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::process::{getegid, geteuid, getgroups};

/// Why a folder is not used.
#[derive(Debug, thiserror::Error)]
pub enum UnsafeFolder {
    /// It belongs to another user.
    #[error(
        "{folder} belongs to user {owner}, not to this process's user {user}; run `chown {user}` on it"
    )]
    Owner {
        /// The folder.
        folder: PathBuf,
        /// The user id of its owner.
        owner: u32,
        /// The user id of this process.
        user: u32,
    },
    /// Other users can write to it.
    #[error("other users may write to {folder} (mode {mode:o}); run `chmod go-w` on it")]
    Writable {
        /// The folder.
        folder: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// It cannot be examined.
    #[error("{folder}: {error}")]
    Unreadable {
        /// The folder.
        folder: PathBuf,
        /// The system's error.
        error: io::Error,
    },
}

/// The user of this process, and its groups with the supplementary ones.
struct Process {
    user: u32,
    groups: Vec<u32>,
}

impl Process {
    fn this() -> Self {
        let mut groups = vec![getegid().as_raw(), ROOT];
        // Kubernetes gives the group of a volume (`fsGroup`) as a supplementary one.
        let supplementary = getgroups().unwrap_or_default();
        groups.extend(supplementary.into_iter().map(|group| group.as_raw()));
        Self {
            user: geteuid().as_raw(),
            groups,
        }
    }
}

/// Checks that only this process's user, its groups and root can change a folder, and returns its path without symbolic
/// links. Folders above may also be writable by others if they are sticky, as `/tmp` is: there no other user can rename or
/// replace the folder.
///
/// # Errors
/// Which folder is unsafe, and what to change.
pub fn check_folder(folder: &Path) -> Result<PathBuf, UnsafeFolder> {
    check_folder_and_above(folder, false)
}

/// Checks as [`check_folder`], but the folder itself may be sticky and writable by others, as `/tmp` is: what is enough
/// for a socket, which no other user can replace there.
///
/// # Errors
/// Which folder is unsafe, and what to change.
pub(crate) fn check_folder_of_socket(folder: &Path) -> Result<PathBuf, UnsafeFolder> {
    check_folder_and_above(folder, true)
}

fn check_folder_and_above(folder: &Path, may_be_sticky: bool) -> Result<PathBuf, UnsafeFolder> {
    let process = Process::this();
    let unreadable = |folder: &Path, error| UnsafeFolder::Unreadable {
        folder: folder.to_owned(),
        error,
    };
    let folder = folder
        .canonicalize()
        .map_err(|error| unreadable(folder, error))?;
    for (depth, path) in folder.ancestors().enumerate() {
        let metadata = fs::metadata(path).map_err(|error| unreadable(path, error))?;
        let may_be_sticky = may_be_sticky || depth > 0;
        check(path, &Facts::of(&metadata), may_be_sticky, &process)?;
    }
    Ok(folder)
}

/// What counts of a folder's metadata.
#[derive(Clone, Copy)]
struct Facts {
    owner: u32,
    group: u32,
    mode: u32,
}

impl Facts {
    fn of(metadata: &Metadata) -> Self {
        Self {
            owner: metadata.uid(),
            group: metadata.gid(),
            mode: metadata.mode() & 0o7777,
        }
    }
}

fn check(
    path: &Path,
    facts: &Facts,
    may_be_sticky: bool,
    process: &Process,
) -> Result<(), UnsafeFolder> {
    // Root can change everything anyway, and owns the volumes that Kubernetes mounts.
    let is_own = facts.owner == process.user || facts.owner == ROOT;
    if !is_own {
        return Err(UnsafeFolder::Owner {
            folder: path.to_owned(),
            owner: facts.owner,
            user: process.user,
        });
    }
    let is_own_group = process.groups.contains(&facts.group);
    let writers = if is_own_group {
        OTHERS_WRITE
    } else {
        GROUP_WRITE | OTHERS_WRITE
    };
    let is_sticky = may_be_sticky && facts.mode & STICKY != 0;
    if facts.mode & writers != 0 && !is_sticky {
        return Err(UnsafeFolder::Writable {
            folder: path.to_owned(),
            mode: facts.mode,
        });
    }
    Ok(())
}

/// The user id and the group id of root, who can change everything anyway.
const ROOT: u32 = 0;

/// Mode bits, see inode(7).
const STICKY: u32 = 0o1000;
const GROUP_WRITE: u32 = 0o020;
const OTHERS_WRITE: u32 = 0o002;

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    /// Columns: owner, group, mode, whether sticky ones are safe, whether it is safe.
    const CASES: [(u32, u32, u32, bool, bool); 13] = [
        (1000, 1000, 0o700, false, true),
        (1000, 1000, 0o755, false, true),
        (1000, 1000, 0o775, false, true),
        (1000, 50, 0o775, false, false),
        (1000, 1000, 0o777, false, false),
        (1000, 1000, 0o1777, false, false),
        (0, 0, 0o755, false, true),
        (0, 2000, 0o2775, false, true),
        (65534, 65534, 0o755, false, false),
        (0, 0, 0o755, true, true),
        (0, 0, 0o1777, true, true),
        (0, 0, 0o777, true, false),
        (65534, 65534, 0o755, true, false),
    ];

    #[test]
    fn only_own_folders_are_safe() {
        let process = Process {
            user: 1000,
            groups: vec![1000, 2000, ROOT],
        };
        for (owner, group, mode, may_be_sticky, safe) in CASES {
            let facts = Facts { owner, group, mode };
            let found = check(Path::new("/data"), &facts, may_be_sticky, &process);
            assert_eq!(
                found.is_ok(),
                safe,
                "{owner}:{group} {mode:o} sticky={may_be_sticky}"
            );
        }
    }

    #[test]
    fn link_is_judged_by_its_target() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("target");
        fs::create_dir(&target).unwrap();
        let link = folder.path().join("link");
        symlink(&target, &link).unwrap();
        assert_eq!(check_folder(&link).unwrap(), target.canonicalize().unwrap());
        fs::set_permissions(&target, fs::Permissions::from_mode(0o777)).unwrap();
        let refused = check_folder(&link).unwrap_err().to_string();
        assert!(refused.contains("target"), "{refused}");
        assert!(refused.contains("chmod go-w"), "{refused}");
    }

    #[test]
    fn folder_above_that_others_can_change_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("data/cache");
        fs::create_dir_all(&inner).unwrap();
        check_folder(&inner).unwrap();
        fs::set_permissions(
            folder.path().join("data"),
            fs::Permissions::from_mode(0o777),
        )
        .unwrap();
        assert!(matches!(
            check_folder(&inner),
            Err(UnsafeFolder::Writable { mode: 0o777, .. })
        ));
    }
}
