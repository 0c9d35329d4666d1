//! The cache of compiled code. What is in it runs as this process, so its folder must be safe, and each file must have a
//! seal: a message authentication code with a key of the data folder. Files without a valid seal are deleted before the
//! engine can read them.

mod seal;

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use jackfield_files::check_folder;
use wasmtime::{Cache, CacheConfig};

use self::seal::Sealer;
use crate::limits::{CODE_CACHE_BYTES_MAX, COMPILED_NOTES_MAX};

/// Where compiled code is cached.
pub struct CodeCacheOptions {
    /// The folder. It has the folders `code`, `notes` and `seals`, which are created if they are missing.
    pub folder: PathBuf,
    /// The key of the seals.
    pub key: [u8; 32],
}

/// An open cache.
#[derive(Clone)]
pub(crate) struct CodeCache {
    cache: Cache,
    code: PathBuf,
    seals: PathBuf,
    /// What was compiled from which component.
    notes: PathBuf,
    sealer: Sealer,
}

impl CodeCache {
    /// Opens the cache and deletes what has no seal of this key.
    ///
    /// # Errors
    /// Why it cannot be used, and what to change.
    pub(crate) fn open(options: &CodeCacheOptions) -> Result<Self, String> {
        let code = private_folder(&options.folder.join("code"))?;
        let seals = private_folder(&options.folder.join("seals"))?;
        let notes = private_folder(&options.folder.join("notes"))?;
        let mut config = CacheConfig::new();
        config
            .with_directory(&code)
            .with_files_total_size_soft_limit(CODE_CACHE_BYTES_MAX)
            // A file that is compressed again loses its seal.
            .with_optimized_compression_usage_counter_threshold(u64::MAX);
        let cache = Cache::new(config).map_err(|cause| format!("{cause:#}"))?;
        let opened = Self {
            cache,
            code,
            seals,
            notes,
            sealer: Sealer::new(options.key),
        };
        opened
            .delete_unsealed()
            .and_then(|()| opened.delete_old_notes())
            .map_err(|error| format!("{} cannot be examined: {error}", opened.code.display()))?;
        Ok(opened)
    }

    pub(crate) fn cache(&self) -> &Cache {
        &self.cache
    }

    /// Seals the files that a compilation of this process has added, and notes them under a name. Blocks.
    pub(crate) fn seal_new(&self, note: &str) {
        let sealed = self.artifacts().and_then(|artifacts| {
            let mut added = Vec::new();
            for artifact in artifacts {
                let seal = self.seal_path(&artifact);
                if !seal.exists() {
                    self.seal(&artifact, &seal)?;
                    added.extend([self.name(&artifact), b"\n".to_vec()].concat());
                }
            }
            let note = self.notes.join(note);
            // The code of a note that exists may have been deleted, and compiled again.
            if added.is_empty() && note.exists() {
                return Ok(());
            }
            fs::write(note, added)
        });
        if let Err(error) = sealed {
            tracing::warn!(folder = %self.seals.display(), %error, "compiled code not sealed; the next start compiles it again");
        }
    }

    /// Whether the files that were noted under this name are there. It only says what loads fast: the engine looks
    /// into its cache in any case.
    pub(crate) fn is_noted(&self, note: &str) -> bool {
        let Ok(noted) = fs::read(self.notes.join(note)) else {
            return false;
        };
        let names = noted.split(|byte| *byte == b'\n');
        let mut names = names.filter(|name| !name.is_empty());
        names.all(|name| self.code.join(OsStr::from_bytes(name)).exists())
    }

    /// Deletes all notes if there are too many: old ones of files that were deleted long ago.
    fn delete_old_notes(&self) -> io::Result<()> {
        let notes: Vec<_> = fs::read_dir(&self.notes)?.collect::<io::Result<_>>()?;
        if notes.len() > COMPILED_NOTES_MAX {
            for note in notes {
                remove(&note.path())?;
            }
        }
        Ok(())
    }

    fn seal(&self, artifact: &Path, seal: &Path) -> io::Result<()> {
        let content = match fs::read(artifact) {
            // Another process that shares the cache may have deleted it.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            content => content?,
        };
        fs::write(seal, self.sealer.seal(&self.name(artifact), &content))
    }

    fn delete_unsealed(&self) -> io::Result<()> {
        let mut deleted = 0_usize;
        let mut stale: BTreeSet<PathBuf> = BTreeSet::new();
        for entry in fs::read_dir(&self.seals)? {
            stale.insert(entry?.path());
        }
        for artifact in self.artifacts()? {
            let seal = self.seal_path(&artifact);
            stale.remove(&seal);
            let is_sealed = fs::read(&seal).is_ok_and(|seal| {
                let content = fs::read(&artifact);
                content.is_ok_and(|content| {
                    self.sealer.is_valid(&self.name(&artifact), &content, &seal)
                })
            });
            if !is_sealed {
                remove(&artifact)?;
                remove(&seal)?;
                deleted += 1;
            }
        }
        // Their files were deleted when the cache was full.
        for seal in stale {
            remove(&seal)?;
        }
        if deleted > 0 {
            tracing::warn!(folder = %self.code.display(), deleted, "compiled code without a valid seal deleted");
        }
        Ok(())
    }

    /// Lists the files that the engine would run: those without a dot in their name. The others are statistics, and
    /// drafts of files.
    fn artifacts(&self) -> io::Result<Vec<PathBuf>> {
        let mut found = Vec::new();
        let mut folders = vec![self.code.clone()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder)? {
                let path = entry?.path();
                // Follows links, as the engine does.
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_none() {
                    found.push(path);
                }
            }
        }
        Ok(found)
    }

    /// The seal is bound to the place of its file: the name says what the code was compiled from.
    fn name(&self, artifact: &Path) -> Vec<u8> {
        let name = artifact.strip_prefix(&self.code).unwrap_or(artifact);
        name.as_os_str().as_encoded_bytes().to_vec()
    }

    fn seal_path(&self, artifact: &Path) -> PathBuf {
        self.seals.join(self.sealer.hex_of(&self.name(artifact)))
    }
}

/// Creates a folder if it is missing, and checks that no other user can change it.
fn private_folder(folder: &Path) -> Result<PathBuf, String> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(|cause| format!("{} cannot be created: {cause}", folder.display()))?;
    check_folder(folder).map_err(|error| error.to_string())
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}
