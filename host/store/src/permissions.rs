//! Folders and files that only their owner can read.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

/// Creates a folder and its parents if they do not exist, readable by their owner only.
pub(crate) fn create_private_dir(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    DirBuilder::new().recursive(true).mode(0o700).create(path)?;
    // The folder's entry in its parent must be durable too, or its files could be lost.
    match path.canonicalize()?.parent() {
        Some(above) => File::open(above)?.sync_all(),
        None => Ok(()),
    }
}

/// Creates a file and its folder if they do not exist.
pub(crate) fn create_private_file(path: &Path) -> io::Result<()> {
    create_private_dir(parent_dir(path))?;
    let mut options = OpenOptions::new();
    options.create(true).append(true).mode(0o600);
    options.open(path).map(drop)
}

/// Returns the folder of a file.
pub(crate) fn parent_dir(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// True if users other than the owner can read or write the file.
pub(crate) fn is_exposed(mode: u32) -> bool {
    mode & 0o077 != 0
}
