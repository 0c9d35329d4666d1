//! Watches a folder: reports that it may have changed, once it is quiet again.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use notify::event::{AccessKind, AccessMode, ModifyKind};
use notify::{Event, EventKind, RecursiveMode, Watcher};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout, timeout_at};

/// Watches a folder until it is dropped. If the folder is removed, or another one is put into its place, that one is
/// watched.
pub struct Watch {
    watcher: Box<dyn Watcher + Send>,
    changes: mpsc::Receiver<()>,
    folder: PathBuf,
    depth: RecursiveMode,
    /// The folder that is watched now; `None` while there is none.
    watched: Option<FolderId>,
    /// Whether the watched folder was removed or moved away. Its number may be that of its successor.
    is_gone: Arc<AtomicBool>,
}

/// A folder, independent of its path: device and inode.
type FolderId = (u64, u64);

/// What [`Watch::changed`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Something in the folder may have changed.
    Content,
    /// The folder is no longer there.
    Removed,
    /// Another folder is at the path, and is watched now.
    Replaced,
}

/// How deep a folder is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// The folder itself.
    Flat,
    /// The folder and all folders below it.
    Deep,
}

/// The system cannot watch the folder.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct WatchError(#[from] notify::Error);

impl Watch {
    /// Starts to watch a folder, which must exist, and the entry of it in the folder above.
    ///
    /// # Errors
    /// The system cannot watch it.
    pub fn new(folder: &Path, depth: Depth) -> Result<Self, WatchError> {
        // Capacity 1 is enough: an event that finds the channel full is covered by the pending scan.
        let (changed, changes) = mpsc::channel(1);
        let is_gone = Arc::new(AtomicBool::new(false));
        let folder = std::path::absolute(folder).map_err(notify::Error::io)?;
        let mut watcher = notify::recommended_watcher({
            let (folder, is_gone) = (folder.clone(), Arc::clone(&is_gone));
            move |event| {
                if may_change(&event) && concerns(&event, &folder) {
                    if replaces(&event, &folder) {
                        is_gone.store(true, Ordering::Relaxed);
                    }
                    let _ = changed.try_send(());
                }
            }
        })?;
        let depth = match depth {
            Depth::Flat => RecursiveMode::NonRecursive,
            Depth::Deep => RecursiveMode::Recursive,
        };
        watcher.watch(&folder, depth)?;
        if let Some(above) = folder.parent() {
            watcher.watch(above, RecursiveMode::NonRecursive)?;
        }
        Ok(Self {
            watcher: Box::new(watcher),
            changes,
            watched: folder_id(&folder),
            folder,
            depth,
            is_gone,
        })
    }

    /// Waits for a change, and then until the folder is quiet. Returns `None` when the watcher has stopped.
    /// The future can be dropped at any time.
    pub async fn changed(&mut self) -> Option<Change> {
        // The folders above the one above are not watched, so the path is looked at now and then.
        if let Ok(event) = timeout(LOOK_INTERVAL, self.changes.recv()).await {
            event?;
            debounce(&mut self.changes).await;
        }
        Some(self.follow_path())
    }

    /// Watches the folder that is at the path now.
    fn follow_path(&mut self) -> Change {
        let found = folder_id(&self.folder);
        let was_gone = self.is_gone.swap(false, Ordering::Relaxed);
        if found == self.watched && !was_gone {
            return match found {
                Some(_) => Change::Content,
                None => Change::Removed,
            };
        }
        // Fails if the system has ended the watch already, with the folder.
        let _ = self.watcher.unwatch(&self.folder);
        self.watched = found.filter(|_| self.watcher.watch(&self.folder, self.depth).is_ok());
        match self.watched {
            Some(_) => Change::Replaced,
            None => Change::Removed,
        }
    }
}

fn folder_id(folder: &Path) -> Option<FolderId> {
    let metadata = fs::metadata(folder).ok().filter(fs::Metadata::is_dir)?;
    Some((metadata.dev(), metadata.ino()))
}

/// Whether an event is about the folder or what is in it, not about its neighbours.
fn concerns(event: &notify::Result<Event>, folder: &Path) -> bool {
    let Ok(event) = event else {
        return true;
    };
    event.paths.is_empty() || event.paths.iter().any(|path| path.starts_with(folder))
}

/// Whether an event may put another folder into the place of this one.
fn replaces(event: &notify::Result<Event>, folder: &Path) -> bool {
    let Ok(event) = event else {
        return false;
    };
    let moves = matches!(
        event.kind,
        EventKind::Create(_) | EventKind::Remove(_) | EventKind::Modify(ModifyKind::Name(_))
    );
    moves && event.paths.iter().any(|path| path == folder)
}

/// Whether an event may mean new content. The system reports reads too, also those of our own scan: a
/// scan that wakes the next one would never end.
fn may_change(event: &notify::Result<Event>) -> bool {
    let Ok(event) = event else {
        // Events were lost.
        return true;
    };
    match event.kind {
        EventKind::Access(access) => access == AccessKind::Close(AccessMode::Write),
        EventKind::Any
        | EventKind::Create(_)
        | EventKind::Modify(_)
        | EventKind::Remove(_)
        | EventKind::Other => true,
    }
}

/// Waits until the folder is quiet, at most [`WATCH_DELAY_MAX`].
async fn debounce(changes: &mut mpsc::Receiver<()>) {
    let latest = Instant::now() + WATCH_DELAY_MAX;
    let settled =
        async { while let Ok(Some(())) = timeout(WATCH_DEBOUNCE, changes.recv()).await {} };
    // The result does not matter: quiet or not, the change is reported now.
    let _ = timeout_at(latest, settled).await;
}

/// How long a folder must be quiet before a change is reported. A rename is one change; a slow copy
/// is many.
const WATCH_DEBOUNCE: Duration = Duration::from_millis(60);

/// How long a folder that never becomes quiet delays the report.
const WATCH_DELAY_MAX: Duration = Duration::from_secs(2);

/// The interval at which the path is looked at without an event.
const LOOK_INTERVAL: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use std::error::Error;
    use std::fs;
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn ignores_reads_and_reports_writes() -> Result<(), Box<dyn Error>> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().canonicalize()?;
        fs::write(path.join("plugin.wasm"), "one")?;
        let (sender, events) = mpsc::channel();
        let mut watcher = notify::recommended_watcher(move |event| {
            drop(sender.send(event));
        })?;
        watcher.watch(&path, RecursiveMode::NonRecursive)?;

        fs::read(path.join("plugin.wasm"))?;
        let first = path.join("first.wasm.part");
        fs::write(&first, "two")?;
        fs::rename(&first, path.join("plugin.wasm"))?;
        // Events come in order, so all that reading caused come before these.
        let mut read = 0;
        loop {
            let event = events.recv_timeout(Duration::from_secs(10))?;
            if may_change(&event) {
                assert_eq!(event?.paths, [first]);
                break;
            }
            read += 1;
        }
        assert!(
            read > 0,
            "the system reports no reads; the filter is not needed"
        );
        Ok(())
    }

    /// Waits for a change of this kind; there may be several of `Content` before.
    async fn wait_for(watch: &mut Watch, wanted: Change) {
        let waiting = async { while watch.changed().await != Some(wanted) {} };
        timeout(Duration::from_secs(30), waiting)
            .await
            .expect("no such change");
    }

    #[tokio::test]
    async fn folder_in_the_place_of_a_removed_one_is_watched() -> Result<(), Box<dyn Error>> {
        let above = tempfile::tempdir()?;
        let folder = above.path().join("plugins");
        fs::create_dir(&folder)?;
        let mut watch = Watch::new(&folder, Depth::Flat)?;
        for _ in 0..3 {
            fs::remove_dir(&folder)?;
            wait_for(&mut watch, Change::Removed).await;
            fs::create_dir(&folder)?;
            wait_for(&mut watch, Change::Replaced).await;
            fs::write(folder.join("a"), "a")?;
            wait_for(&mut watch, Change::Content).await;
            fs::remove_file(folder.join("a"))?;
            wait_for(&mut watch, Change::Content).await;
        }
        // Both at once.
        fs::rename(&folder, above.path().join("old"))?;
        fs::create_dir(&folder)?;
        wait_for(&mut watch, Change::Replaced).await;
        fs::write(folder.join("a"), "a")?;
        wait_for(&mut watch, Change::Content).await;
        Ok(())
    }

    #[tokio::test]
    async fn target_of_a_swapped_link_is_watched() -> Result<(), Box<dyn Error>> {
        let above = tempfile::tempdir()?;
        let folder = above.path().join("plugins");
        for release in ["1", "2"] {
            fs::create_dir(above.path().join(release))?;
        }
        std::os::unix::fs::symlink("1", &folder)?;
        let mut watch = Watch::new(&folder, Depth::Flat)?;
        std::os::unix::fs::symlink("2", above.path().join("next"))?;
        fs::rename(above.path().join("next"), &folder)?;
        wait_for(&mut watch, Change::Replaced).await;
        fs::write(above.path().join("2/a"), "a")?;
        wait_for(&mut watch, Change::Content).await;
        Ok(())
    }

    #[test]
    fn lost_events_count_as_changes() {
        assert!(may_change(&Err(notify::Error::generic("lost"))));
        assert!(may_change(&Ok(Event::new(EventKind::Other))));
    }
}
