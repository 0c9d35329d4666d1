//! The key that secrets are encrypted with: from a secret of the operator's, or from a file that is
//! made at the first start.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret, SecretBox, SecretString};
use sha2::{Digest, Sha256};

/// A key of 256 bits. `Debug` shows where it is from, and no more.
pub struct Key {
    bytes: SecretBox<[u8; 32]>,
    from: String,
}

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// Others can read it, so it protects nothing.
    #[error("{0} can be read by others; run `chmod 600` on it")]
    Exposed(PathBuf),
    /// It cannot be read or made.
    #[error("the key file {path}: {error}")]
    File {
        /// Which file.
        path: PathBuf,
        /// What went wrong.
        error: io::Error,
    },
    /// It holds something else.
    #[error("{0} is not a key file: it should hold 64 hexadecimal digits; put back the right one")]
    Malformed(PathBuf),
    /// The system gives no random numbers.
    #[error("the system gives no random numbers: {0}")]
    NoRandomness(getrandom::Error),
}

impl Key {
    /// The key that follows from a secret text. The text should have been made at random: a digest
    /// makes no short password long.
    pub fn from_secret(secret: &SecretString) -> Self {
        let mut digest = Sha256::new();
        digest.update(b"jackfield store key 1\0");
        digest.update(secret.expose_secret().as_bytes());
        Self {
            bytes: SecretBox::new(Box::new(digest.finalize().into())),
            from: "the configured encryption key".to_owned(),
        }
    }

    /// The key in a file; the file is made, with a key made at random, if it is not there.
    ///
    /// # Errors
    /// It cannot be read or made, others can read it, or it holds something else.
    pub fn from_file(path: &Path) -> Result<Self, KeyError> {
        let failed = |error| KeyError::File {
            path: path.to_owned(),
            error,
        };
        let text = match read(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                make(path)?;
                read(path).map_err(failed)?
            }
            Err(error) => return Err(failed(error)),
        };
        let mode = fs::metadata(path).map_err(failed)?.mode();
        if mode & 0o077 != 0 {
            return Err(KeyError::Exposed(path.to_owned()));
        }
        let bytes = bytes(text.trim()).ok_or_else(|| KeyError::Malformed(path.to_owned()))?;
        Ok(Self {
            bytes: SecretBox::new(Box::new(bytes)),
            from: format!("the key file {}", path.display()),
        })
    }

    pub(crate) fn bytes(&self) -> &[u8; 32] {
        self.bytes.expose_secret()
    }

    /// Where it is from, in words.
    pub(crate) fn from(&self) -> &str {
        &self.from
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key")
            .field("from", &self.from)
            .finish_non_exhaustive()
    }
}

fn read(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?
        .take(FILE_BYTES_MAX)
        .read_to_string(&mut text)?;
    Ok(text)
}

/// Makes the file whole or not at all: under another name, synced, and then linked to its own, which
/// fails if another process was faster. Its key counts then.
fn make(path: &Path) -> Result<(), KeyError> {
    let mut key = [0; 32];
    getrandom::fill(&mut key).map_err(KeyError::NoRandomness)?;
    let mut name = [0; 8];
    getrandom::fill(&mut name).map_err(KeyError::NoRandomness)?;
    let draft = path.with_extension(format!("new-{}", hex(&name)));
    let made = (|| {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&draft)?;
        file.write_all(format!("{}\n", hex(&key)).as_bytes())?;
        file.sync_all()?;
        match fs::hard_link(&draft, path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            linked => linked?,
        }
        if let Some(folder) = path.parent() {
            File::open(folder)?.sync_all()?;
        }
        Ok(())
    })();
    // Without the draft's name the key stays; with it, nothing is lost either.
    let _ = fs::remove_file(&draft);
    made.map_err(|error| KeyError::File {
        path: path.to_owned(),
        error,
    })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn bytes(text: &str) -> Option<[u8; 32]> {
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    let mut bytes = [0; 32];
    for (index, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * index..2 * index + 2)?, 16).ok()?;
    }
    Some(bytes)
}

/// A key file has 65 bytes; a path that names something large by mistake does not fill the memory.
const FILE_BYTES_MAX: u64 = 4096;

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_key_is_made_once_and_for_its_owner_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data/key");
        let made = Key::from_file(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        let again = Key::from_file(&path).unwrap();
        assert_eq!(made.bytes(), again.bytes());
        let left = fs::read_dir(path.parent().unwrap()).unwrap().count();
        assert_eq!(left, 1, "no draft is left");
        assert!(!format!("{made:?}").contains(&hex(made.bytes())));
        let other = Key::from_file(&folder.path().join("other")).unwrap();
        assert_ne!(made.bytes(), other.bytes());
    }

    #[test]
    fn a_key_that_others_can_read_or_that_is_none_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        Key::from_file(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(Key::from_file(&path), Err(KeyError::Exposed(_))));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        for wrong in ["", "abc", &"g".repeat(64), &"0".repeat(63)] {
            fs::write(&path, wrong).unwrap();
            assert!(
                matches!(Key::from_file(&path), Err(KeyError::Malformed(_))),
                "{wrong}"
            );
        }
    }
}
