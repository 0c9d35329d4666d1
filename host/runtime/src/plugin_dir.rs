//! The plugins folder: read at the start, then watched. A changed file is prepared in the background
//! and swapped in. A rejected file changes nothing, and the reason is logged and recorded.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use jackfield_dispatch::port::PluginId;
use tokio::task::spawn_blocking;

use crate::limits::{COMPONENT_BYTES_MAX, PLUGIN_FILES_MAX};
use crate::plugin::Origin;
use crate::prepare_error::PrepareError;
use crate::registry::Registry;
use jackfield_watch::{Change, Depth, Watch, WatchError};

/// A plugin that the binary carries: its name and its component.
pub type BuiltIn = (&'static str, &'static [u8]);

/// The plugins folder, and the files that were read from it.
pub struct PluginDir {
    path: PathBuf,
    built_in: &'static [BuiltIn],
    registry: Arc<Registry>,
    seen: BTreeMap<String, FileStamp>,
    /// Plugins that were not loaded yet since the start, in the order in which they will be.
    pending: Vec<String>,
}

/// Identifies the content of a file without reading it. The inode is part of it, because a file that is
/// renamed into place may have the size and the time of the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct FileStamp {
    bytes: u64,
    inode: u64,
    modified: SystemTime,
}

impl FileStamp {
    /// Returns the stamp of a file; `None` if there is none.
    fn of(path: &Path) -> Option<Self> {
        let metadata = fs::metadata(path).ok()?;
        let modified = metadata.modified().ok()?;
        metadata.is_file().then(|| Self {
            bytes: metadata.len(),
            inode: metadata.ino(),
            modified,
        })
    }
}

/// Why the folder cannot be read or watched.
#[derive(Debug, thiserror::Error)]
pub enum PluginDirError {
    /// It cannot be created or read.
    #[error("cannot use {} as the plugins folder", .0.display())]
    Read(PathBuf, #[source] io::Error),
    /// The system cannot watch it.
    #[error("cannot watch {}", .0.display())]
    Watch(PathBuf, #[source] WatchError),
}

impl PluginDir {
    /// Loads the built-in plugins and the files of the folder, which is created if it is missing. A file
    /// replaces the built-in plugin of its name. The log and [`Registry::status`] have the reasons for
    /// rejected files.
    ///
    /// # Errors
    /// When the folder cannot be created or read.
    pub async fn load(
        path: &Path,
        built_in: &'static [BuiltIn],
        registry: Arc<Registry>,
    ) -> Result<Self, PluginDirError> {
        let mut folder = Self::open(path, built_in, registry)?;
        folder.load_rest().await;
        Ok(folder)
    }

    /// Lists the plugins without loading them. Calls wait for them from now on.
    ///
    /// # Errors
    /// When the folder cannot be created or read.
    pub fn open(
        path: &Path,
        built_in: &'static [BuiltIn],
        registry: Arc<Registry>,
    ) -> Result<Self, PluginDirError> {
        let failed = |cause| PluginDirError::Read(path.to_owned(), cause);
        fs::create_dir_all(path).map_err(failed)?;
        // With its symbolic links: their targets may be exchanged.
        let path = std::path::absolute(path).map_err(failed)?;
        let files = plugin_files(&path).map_err(failed)?;
        let built_in_names = built_in.iter().map(|(name, _)| (*name).to_owned());
        let pending: BTreeSet<String> = built_in_names.chain(files.into_keys()).collect();
        registry.announce(pending.iter().map(String::as_str));
        Ok(Self {
            path,
            built_in,
            registry,
            seen: BTreeMap::new(),
            pending: pending.into_iter().collect(),
        })
    }

    /// Loads these before the others.
    pub fn load_first(&mut self, names: &BTreeSet<&str>) {
        self.pending
            .sort_by_key(|name| !names.contains(name.as_str()));
    }

    /// Loads the plugins whose code is in the cache, which takes milliseconds each.
    pub async fn load_compiled(&mut self) {
        // Not taken out: what is not loaded when the caller stops waiting is loaded later.
        for name in self.pending.clone() {
            if self.load_if_compiled(&name).await {
                self.pending.retain(|pending| *pending != name);
            }
        }
    }

    async fn load_if_compiled(&mut self, name: &str) -> bool {
        let path = self.file(name);
        let Some(stamp) = FileStamp::of(&path) else {
            let built_in = self.built_in.iter().find(|(known, _)| *known == name);
            let Some((_, component)) = built_in else {
                return false;
            };
            let bytes = component.to_vec();
            return self
                .registry
                .load_compiled(name, bytes, Origin::BuiltIn)
                .await;
        };
        let Ok(bytes) = read_file(&path).await else {
            return false;
        };
        let origin = Origin::File(path);
        let is_loaded = self.registry.load_compiled(name, bytes, origin).await;
        if is_loaded {
            self.seen.insert(name.to_owned(), stamp);
        }
        is_loaded
    }

    /// Loads the plugins that are not loaded yet.
    async fn load_rest(&mut self) {
        let pending = std::mem::take(&mut self.pending);
        for name in pending {
            let stamp = FileStamp::of(&self.file(&name));
            let Some(stamp) = stamp else {
                // A file may have been removed since it was listed.
                match self.built_in.iter().any(|(known, _)| *known == name) {
                    true => drop(self.load_built_in(&name).await),
                    false => self.registry.withdraw(&name),
                }
                continue;
            };
            self.seen.insert(name.clone(), stamp);
            if let Err(error) = self.load_file(&name).await
                && self.load_built_in(&name).await
            {
                self.registry.restore_problem(&name, error.to_string());
            }
        }
    }

    /// Watches the folder and loads changed files until the returned future is dropped. Before that, it loads the
    /// plugins that are not loaded yet.
    ///
    /// # Errors
    /// When the system cannot watch the folder.
    pub fn watch(mut self) -> Result<impl Future<Output = ()> + Send, PluginDirError> {
        let watch = Watch::new(&self.path, Depth::Flat);
        let mut watch = watch.map_err(|cause| PluginDirError::Watch(self.path.clone(), cause))?;
        Ok(async move {
            if !self.pending.is_empty() {
                let plugins = self.pending.join(", ");
                tracing::info!(
                    plugins,
                    "compiling plugins that are not in the code cache; calls that need them wait, or fail with `plugin_compiling`"
                );
                self.load_rest().await;
                tracing::info!("plugins compiled");
            }
            // A file that changed after it was loaded and before the watch began caused no event.
            self.rescan().await;
            while let Some(change) = watch.changed().await {
                let folder = self.path.display();
                match change {
                    Change::Content => {}
                    Change::Removed => {
                        tracing::error!(%folder, "plugins folder removed; its plugins stay in use")
                    }
                    Change::Replaced => {
                        tracing::warn!(%folder, "plugins folder replaced; the new one is watched")
                    }
                }
                if change != Change::Removed {
                    self.rescan().await;
                }
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
        for (name, stamp) in found {
            if self.seen.get(&name) != Some(&stamp) {
                // Before the load and whatever its result: otherwise each event in the folder would
                // compile a rejected file again.
                self.seen.insert(name.clone(), stamp);
                let _ = self.load_file(&name).await;
            }
        }
        Ok(())
    }

    async fn load_file(&self, name: &str) -> Result<PluginId, PrepareError> {
        let path = self.file(name);
        match read_file(&path).await {
            // The registry logs and records its own errors.
            Ok(bytes) => self.registry.load(name, bytes, Origin::File(path)).await,
            Err(error) => {
                let error = PrepareError::Read(error.to_string());
                self.registry.record_error(name, &error);
                Err(error)
            }
        }
    }

    fn file(&self, name: &str) -> PathBuf {
        // Not `with_extension`: a name may have dots, and it would cut `acme-1.2` at the last one.
        self.path.join(format!("{name}.{EXTENSION}"))
    }

    /// Puts the built-in plugin of this name in use again, if there is one. Any other plugin stays in use
    /// until the host restarts or an operator unloads it, because its providers would fail without it.
    async fn handle_removed_file(&self, name: &str) {
        if !self.load_built_in(name).await && self.registry.clear_error(name) {
            tracing::warn!(
                plugin = name,
                "plugin file removed; the plugin stays in use until the next start, or until `jackfield plugin unload`"
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

/// Returns the names of the plugins in a folder; none if there is no such folder.
///
/// # Errors
/// When the folder cannot be read.
pub fn plugin_names(folder: &Path) -> io::Result<BTreeSet<String>> {
    match plugin_files(folder) {
        Ok(files) => Ok(files.into_keys().collect()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(BTreeSet::new()),
        Err(error) => Err(error),
    }
}

/// Lists the `.wasm` files in a folder, by name. A file that is written as `NAME.wasm.part` and then
/// renamed is seen when it is complete.
fn plugin_files(folder: &Path) -> io::Result<BTreeMap<String, FileStamp>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_stem().and_then(|name| name.to_str());
        let (Some(name), Some(EXTENSION)) = (name, path.extension().and_then(|e| e.to_str()))
        else {
            continue;
        };
        // The file may have been removed since it was listed.
        let Some(stamp) = FileStamp::of(&path) else {
            continue;
        };
        if found.len() == PLUGIN_FILES_MAX {
            tracing::error!(
                file = name,
                most = PLUGIN_FILES_MAX,
                "too many plugins; file ignored"
            );
            break;
        }
        found.insert(name.to_owned(), stamp);
    }
    Ok(found)
}

async fn read_file(path: &Path) -> io::Result<Vec<u8>> {
    let path = path.to_owned();
    let reading = spawn_blocking(move || read_component(&path));
    reading.await.unwrap_or_else(|panic| Err(panic.into()))
}

/// Reads a file, but at most one byte more than a component may have. That byte makes the registry
/// refuse a larger file, of which the rest need not be read.
fn read_component(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let file = fs::File::open(path)?;
    file.take(COMPONENT_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

const EXTENSION: &str = "wasm";
