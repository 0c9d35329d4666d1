//! Folders and files that nobody but their owner may read.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

/// Makes a folder, with those above it, if it is not there; what is made is for its owner only.
pub(crate) fn create_private_dir(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    DirBuilder::new().recursive(true).mode(0o700).create(path)?;
    // What stands in the folder is only as durable as the folder's own name.
    match path.canonicalize()?.parent() {
        Some(above) => File::open(above)?.sync_all(),
        None => Ok(()),
    }
}

/// Makes a file with its folder, if it is not there.
pub(crate) fn create_private_file(path: &Path) -> io::Result<()> {
    create_private_dir(parent_dir(path))?;
    let mut options = OpenOptions::new();
    options.create(true).append(true).mode(0o600);
    options.open(path).map(drop)
}

/// The folder that a file is in.
pub(crate) fn parent_dir(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// Whether others than its owner may read or write a file.
pub(crate) fn is_exposed(metadata: &fs::Metadata) -> bool {
    metadata.mode() & 0o077 != 0
}
