//! The plugins folder: read at the start, then watched. A file that changes is prepared in the
//! background and swapped; a bad one leaves what served before, and says why.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use crate::limits::{COMPONENT_BYTES_MAX, PLUGIN_FILES_MAX};
use crate::plugin::{Origin, PrepareError};
use crate::registry::Registry;
use jackfield_watch::{Depth, Watch, WatchError};

/// A plugin that the binary carries: its name and its component.
pub type BuiltIn = (&'static str, &'static [u8]);

/// The plugins folder and what was seen in it.
pub struct PluginDir {
    path: PathBuf,
    built_in: &'static [BuiltIn],
    registry: Arc<Registry>,
    seen: BTreeMap<String, FileStamp>,
}

/// What changes when a file does. A file that is renamed into place has another inode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct FileStamp {
    bytes: u64,
    inode: u64,
    modified: SystemTime,
}

/// Why the folder cannot be read or watched.
#[derive(Debug, thiserror::Error)]
pub enum PluginDirError {
    /// It cannot be made or read.
    #[error("using {} as the plugins folder", .0.display())]
    Read(PathBuf, #[source] io::Error),
    /// The system cannot watch it.
    #[error("watching {}", .0.display())]
    Watch(PathBuf, #[source] WatchError),
}

impl PluginDir {
    /// Loads the built-in plugins and what is in the folder, which is made if it is missing. A file
    /// takes the place of the built-in plugin of its name. Bad files are told in the log and in
    /// [`Registry::status`]; the others serve.
    ///
    /// # Errors
    /// When the folder cannot be made or read.
    pub async fn load(
        path: &Path,
        built_in: &'static [BuiltIn],
        registry: Arc<Registry>,
    ) -> Result<Self, PluginDirError> {
        let failed = |cause| PluginDirError::Read(path.to_owned(), cause);
        fs::create_dir_all(path).map_err(failed)?;
        let path = path.canonicalize().map_err(failed)?;
        let mut folder = Self {
            path,
            built_in,
            registry,
            seen: BTreeMap::new(),
        };
        for (name, _) in built_in {
            // A file that cannot serve must not leave the name without its built-in plugin.
            folder.load_built_in(name).await;
        }
        folder.scan().await.map_err(failed)?;
        Ok(folder)
    }

    /// Follows changes until the returned future is dropped.
    ///
    /// # Errors
    /// When the system cannot watch the folder.
    pub fn watch(mut self) -> Result<impl Future<Output = ()> + Send, PluginDirError> {
        let watch = Watch::new(&self.path, Depth::Flat);
        let mut watch = watch.map_err(|cause| PluginDirError::Watch(self.path.clone(), cause))?;
        Ok(async move {
            // What changed between the loading and here woke nobody.
            self.rescan().await;
            while watch.changed().await {
                self.rescan().await;
            }
        })
    }

    async fn rescan(&mut self) {
        if let Err(error) = self.scan().await {
            tracing::error!(folder = %self.path.display(), %error, "plugins folder unreadable");
        }
    }

    async fn scan(&mut self) -> io::Result<()> {
        let found = plugin_files(&self.path)?;
        let removed: Vec<String> = self
            .seen
            .keys()
            .filter(|name| !found.contains_key(*name))
            .cloned()
            .collect();
        for name in removed {
            self.seen.remove(&name);
            self.handle_removed_file(&name).await;
        }
        for (name, signature) in found {
            if self.seen.get(&name) != Some(&signature) {
                self.seen.insert(name.clone(), signature);
                self.load_file(&name, signature).await;
            }
        }
        Ok(())
    }

    async fn load_file(&self, name: &str, signature: FileStamp) {
        // A name may have dots in it: `with_extension` would cut `acme-1.2` at its last one.
        let path = self.path.join(format!("{name}.{EXTENSION}"));
        if signature.bytes > COMPONENT_BYTES_MAX {
            return self.registry.record_error(
                name,
                &PrepareError::TooLarge {
                    bytes: signature.bytes,
                },
            );
        }
        match tokio::task::spawn_blocking({
            let path = path.clone();
            move || fs::read(path)
        })
        .await
        {
            // The registry tells of what it refuses.
            Ok(Ok(bytes)) => drop(self.registry.load(name, bytes, Origin::File(path)).await),
            Ok(Err(error)) => self
                .registry
                .record_error(name, &PrepareError::Read(error.to_string())),
            Err(error) => self
                .registry
                .record_error(name, &PrepareError::Read(error.to_string())),
        }
    }

    /// A built-in plugin takes over again. Any other goes on serving until the host is restarted:
    /// a provider that needs it would be lost otherwise.
    async fn handle_removed_file(&self, name: &str) {
        if !self.load_built_in(name).await && self.registry.clear_error(name) {
            tracing::warn!(
                plugin = name,
                "its file is gone; it serves until the next start"
            );
        }
    }

    async fn load_built_in(&self, name: &str) -> bool {
        let Some((_, component)) = self.built_in.iter().find(|(known, _)| *known == name) else {
            return false;
        };
        self.registry
            .load(name, component.to_vec(), Origin::BuiltIn)
            .await
            .is_ok()
    }
}

/// The components in a folder, by name. Files being written under another name are not seen: write
/// to `NAME.wasm.part`, then rename.
fn plugin_files(folder: &Path) -> io::Result<BTreeMap<String, FileStamp>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_stem().and_then(|name| name.to_str());
        let (Some(name), Some(EXTENSION)) = (name, path.extension().and_then(|e| e.to_str()))
        else {
            continue;
        };
        // A file may be gone between the listing and here.
        let Ok(metadata) = fs::metadata(&path) else {
            continue;
        };
        if !metadata.is_file() {
            continue;
        }
        if found.len() == PLUGIN_FILES_MAX {
            tracing::error!(
                file = name,
                most = PLUGIN_FILES_MAX,
                "too many plugins; file ignored"
            );
            break;
        }
        let signature = FileStamp {
            bytes: metadata.len(),
            inode: metadata.ino(),
            modified: metadata.modified()?,
        };
        found.insert(name.to_owned(), signature);
    }
    Ok(found)
}

const EXTENSION: &str = "wasm";
