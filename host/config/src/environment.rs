//! The variables and files that a configuration uses. No other code of the host reads the environment
//! of the process, so that tests can replace it.

use std::io;
use std::path::Path;

use jackfield_files::read_small_file;

use crate::limits::{CONFIGURATION_BYTES_MAX, FILE_READ_MAX};

/// Where variables and files come from.
pub trait Environment {
    /// The value of a variable, if it is set.
    fn var(&self, name: &str) -> Option<String>;

    /// The whole file. It may be a symbolic link or a pipe.
    ///
    /// # Errors
    ///
    /// The file cannot be read, is too large, does not end in time, or is not UTF-8 (`InvalidData`).
    fn file(&self, path: &Path) -> io::Result<FileText>;
}

/// A file that was read.
#[derive(Clone, Debug)]
pub struct FileText {
    /// Its content.
    pub text: String,
    /// Whether every user of the machine can read it.
    pub is_world_readable: bool,
}

/// The environment of this process.
#[derive(Debug)]
pub struct ProcessEnvironment;

impl Environment for ProcessEnvironment {
    fn var(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }

    fn file(&self, path: &Path) -> io::Result<FileText> {
        let file = read_small_file(path, CONFIGURATION_BYTES_MAX, FILE_READ_MAX)?;
        let is_world_readable = file.is_world_readable();
        let text = String::from_utf8(file.bytes)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error.utf8_error()))?;
        Ok(FileText {
            text,
            is_world_readable,
        })
    }
}
