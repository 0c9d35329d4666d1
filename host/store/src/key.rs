//! The key for the encryption of secrets: derived from a configured secret, or read from a file
//! that the first start creates.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use jackfield_files::{SmallFile, read_small_file};
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretBox, SecretString};
use sha2::{Digest, Sha256};

use crate::limits::{KEY_FILE_BYTES_MAX, KEY_FILE_READ_MAX};
use crate::{DATABASE, permissions};

/// A 256-bit key. `Debug` shows where it came from, and nothing else.
pub struct Key {
    bytes: SecretBox<[u8; 32]>,
    source: String,
}

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// Other users can read the file.
    #[error("other users can read {0}; run `chmod 600` on it")]
    Exposed(PathBuf),
    /// The file is missing, but there is a database, which a new key could not open.
    #[error(
        "the key file {path} is missing, but there is a database {database}: restore the key file, \
         or configure the encryption key that the database was created with, or move the database \
         away and lose its contents"
    )]
    Missing {
        /// The key file.
        path: PathBuf,
        /// The database beside it.
        database: PathBuf,
    },
    /// The file cannot be read or created.
    #[error("key file {path}: {error}")]
    File {
        /// The key file.
        path: PathBuf,
        /// The system's error.
        error: io::Error,
    },
    /// The file does not contain a key.
    #[error("{0} is not a key file: expected 64 hexadecimal digits; restore the right file")]
    Malformed(PathBuf),
    /// The system has no random numbers.
    #[error("the system has no random numbers: {0}")]
    NoRandomness(getrandom::Error),
}

impl Key {
    /// Derives the key from a secret text. The text should be random: hashing does not make a
    /// short password strong.
    pub fn from_secret(secret: &SecretString) -> Self {
        let mut digest = Sha256::new();
        digest.update(b"jackfield store key 1\0");
        digest.update(secret.expose_secret().as_bytes());
        Self {
            bytes: SecretBox::new(Box::new(digest.finalize().into())),
            source: "the configured encryption key".to_owned(),
        }
    }

    /// Reads the key from a file. If there is neither the file nor a database beside it, creates
    /// the file with a random key. An existing file is never changed.
    ///
    /// # Errors
    /// The file cannot be read or created, other users can read it, it does not contain a key, or
    /// it is missing.
    pub fn from_file(path: &Path) -> Result<Self, KeyError> {
        let failed = |error| KeyError::File {
            path: path.to_owned(),
            error,
        };
        let file = match read_key_file(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let database = permissions::parent_dir(path).join(DATABASE);
                // An empty database file contains nothing sealed, so a new key loses nothing.
                if fs::metadata(&database).is_ok_and(|database| database.len() > 0) {
                    let path = path.to_owned();
                    return Err(KeyError::Missing { path, database });
                }
                create_key_file(path)?;
                // Another process may have created the file first, with its own key.
                read_key_file(path).map_err(failed)?
            }
            Err(error) => return Err(failed(error)),
        };
        let text = Zeroizing::new(file.bytes);
        if permissions::is_exposed(file.mode) {
            return Err(KeyError::Exposed(path.to_owned()));
        }
        let hex = std::str::from_utf8(&text).ok();
        let bytes = hex
            .and_then(|hex| parse_hex(hex.trim()))
            .ok_or_else(|| KeyError::Malformed(path.to_owned()))?;
        Ok(Self {
            bytes: SecretBox::new(Box::new(bytes)),
            source: format!("the key file {}", path.display()),
        })
    }

    /// Returns a key for another purpose, from which this one cannot be computed.
    pub fn derive(&self, purpose: &str) -> [u8; 32] {
        let mut digest = Sha256::new();
        digest.update(b"jackfield derived key 1\0");
        digest.update(self.bytes());
        digest.update(purpose.as_bytes());
        digest.finalize().into()
    }

    pub(crate) fn bytes(&self) -> &[u8; 32] {
        self.bytes.expose_secret()
    }

    /// Returns where the key came from, as text.
    pub(crate) fn source(&self) -> &str {
        &self.source
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key")
            .field("from", &self.source)
            .finish_non_exhaustive()
    }
}

/// The mode is that of the opened file: the path may lead to another one meanwhile.
fn read_key_file(path: &Path) -> io::Result<SmallFile> {
    read_small_file(path, KEY_FILE_BYTES_MAX, KEY_FILE_READ_MAX)
}

/// Creates the file completely or not at all: writes and syncs a draft, then links it to the
/// file's name. The link fails if another process was faster; then that one's key is used.
fn create_key_file(path: &Path) -> Result<(), KeyError> {
    let mut key = Zeroizing::new([0; 32]);
    getrandom::fill(&mut *key).map_err(KeyError::NoRandomness)?;
    let mut name = [0; 8];
    getrandom::fill(&mut name).map_err(KeyError::NoRandomness)?;
    let draft = path.with_extension(format!("new-{}", hex(&name)));
    let created = (|| {
        let folder = permissions::parent_dir(path);
        permissions::create_private_dir(folder)?;
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&draft)?;
        file.write_all(Zeroizing::new(hex(&*key)).as_bytes())?;
        file.write_all(b"\n")?;
        file.sync_all()?;
        // Not `rename`, which would replace the key of a faster process.
        match fs::hard_link(&draft, path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            linked => linked?,
        }
        // Syncs the file's name: without the key, all sealed data would be lost after a crash.
        File::open(folder)?.sync_all()
    })();
    // The key keeps its own name. A draft that cannot be removed does no harm.
    let _ = fs::remove_file(&draft);
    created.map_err(|error| KeyError::File {
        path: path.to_owned(),
        error,
    })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn parse_hex(text: &str) -> Option<[u8; 32]> {
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    let mut bytes = [0; 32];
    for (index, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * index..2 * index + 2)?, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};

    use super::*;

    #[test]
    fn creates_key_once_with_owner_only_mode() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data/key");
        let created = Key::from_file(&path).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
        assert_eq!(mode(&path), 0o600);
        assert_eq!(mode(path.parent().unwrap()), 0o700);
        let again = Key::from_file(&path).unwrap();
        assert_eq!(created.bytes(), again.bytes());
        let left = fs::read_dir(path.parent().unwrap()).unwrap().count();
        assert_eq!(left, 1, "the draft is removed");
        assert!(!format!("{created:?}").contains(&hex(created.bytes())));
        let other = Key::from_file(&folder.path().join("other")).unwrap();
        assert_ne!(created.bytes(), other.bytes());
        assert_eq!(created.derive("a"), again.derive("a"));
        for different in [created.derive("b"), other.derive("a"), *created.bytes()] {
            assert_ne!(created.derive("a"), different);
        }
    }

    #[test]
    fn rejects_exposed_or_malformed_key_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        Key::from_file(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(Key::from_file(&path), Err(KeyError::Exposed(_))));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        for invalid in ["", "abc", &"g".repeat(64), &"0".repeat(63)] {
            fs::write(&path, invalid).unwrap();
            assert!(
                matches!(Key::from_file(&path), Err(KeyError::Malformed(_))),
                "{invalid}"
            );
        }
    }

    #[test]
    fn refuses_new_key_beside_existing_database() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        fs::write(folder.path().join(DATABASE), "sealed").unwrap();
        let error = Key::from_file(&path).unwrap_err();
        assert!(matches!(error, KeyError::Missing { .. }), "{error}");
        assert!(!path.exists());
    }

    /// A start that ended while it created the key leaves a draft; the next start ignores it.
    #[test]
    fn ignores_leftover_draft() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("jackfield.key");
        let draft = folder.path().join("jackfield.new-0123456789abcdef");
        fs::write(&draft, "0123").unwrap();
        let created = Key::from_file(&path).unwrap();
        assert_eq!(fs::read(&draft).unwrap(), b"0123");
        assert_eq!(Key::from_file(&path).unwrap().bytes(), created.bytes());
    }

    #[test]
    fn concurrent_creators_get_same_key() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data/key");
        let keys: Vec<Key> = std::thread::scope(|scope| {
            let create = || Key::from_file(&path).unwrap();
            let all: Vec<_> = (0..8).map(|_| scope.spawn(create)).collect();
            all.into_iter().map(|one| one.join().unwrap()).collect()
        });
        assert!(keys.iter().all(|key| key.bytes() == keys[0].bytes()));
    }
}
