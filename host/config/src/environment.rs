//! What a configuration takes from outside: variables and files. It is the only place of the host
//! that reads the process environment, so that tests can put a map in its place.

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
    /// Whatever keeps it from being read, and `InvalidData` if it is not UTF-8.
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
            .take(FILE_BYTES_MAX + 1)
            .read_to_string(&mut text)?;
        if text.len() as u64 > FILE_BYTES_MAX {
            let limit = format!("it is larger than {} KiB", FILE_BYTES_MAX / 1024);
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, limit));
        }
        Ok(text)
    }
}

/// Thousands of credentials fit into it; a path that names a log or a device by mistake does not
/// fill the memory.
const FILE_BYTES_MAX: u64 = 4 * 1024 * 1024;
