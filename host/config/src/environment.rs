//! The variables and files that a configuration uses. No other code of the host reads the environment
//! of the process, so that tests can replace it.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// Where variables and files come from.
pub trait Environment {
    /// The value of a variable, if it is set.
    fn var(&self, name: &str) -> Option<String>;

    /// The text of a file, whole.
    ///
    /// # Errors
    ///
    /// The file cannot be read, is too large, or is not UTF-8 (`InvalidData`).
    fn file(&self, path: &Path) -> io::Result<String>;
}

/// The environment of this process.
#[derive(Debug)]
pub struct ProcessEnvironment;

impl Environment for ProcessEnvironment {
    fn var(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }

    fn file(&self, path: &Path) -> io::Result<String> {
        let mut text = String::new();
        File::open(path)?
            // The size in the metadata is not enough: a device or a pipe has none.
            .take(FILE_BYTES_MAX + 1)
            .read_to_string(&mut text)?;
        if text.len() as u64 > FILE_BYTES_MAX {
            let limit = format!("it is larger than {} KiB", FILE_BYTES_MAX / 1024);
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, limit));
        }
        Ok(text)
    }
}

/// Enough for thousands of credentials. The path of a log or a device does not fill the memory.
const FILE_BYTES_MAX: u64 = 4 * 1024 * 1024;
