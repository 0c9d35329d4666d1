//! Watches a folder: reports that it may have changed, once it is quiet again.

use std::path::Path;
use std::time::Duration;

use notify::event::{AccessKind, AccessMode};
use notify::{Event, EventKind, RecursiveMode, Watcher};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout, timeout_at};

/// Watches a folder until it is dropped.
pub struct Watch {
    _watcher: Box<dyn Watcher + Send>,
    changes: mpsc::Receiver<()>,
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
    /// Starts to watch a folder, which must exist.
    ///
    /// # Errors
    /// The system cannot watch it.
    pub fn new(folder: &Path, depth: Depth) -> Result<Self, WatchError> {
        // Capacity 1 is enough: an event that finds the channel full is covered by the pending scan.
        let (changed, changes) = mpsc::channel(1);
        let mut watcher = notify::recommended_watcher(move |event| {
            if may_change(&event) {
                let _ = changed.try_send(());
            }
        })?;
        let depth = match depth {
            Depth::Flat => RecursiveMode::NonRecursive,
            Depth::Deep => RecursiveMode::Recursive,
        };
        watcher.watch(folder, depth)?;
        Ok(Self {
            _watcher: Box::new(watcher),
            changes,
        })
    }

    /// Waits for a change, and then until the folder is quiet. Returns false when the watcher has stopped.
    /// The future can be dropped at any time.
    pub async fn changed(&mut self) -> bool {
        if self.changes.recv().await.is_none() {
            return false;
        }
        debounce(&mut self.changes).await;
        true
    }
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

    #[test]
    fn lost_events_count_as_changes() {
        assert!(may_change(&Err(notify::Error::generic("lost"))));
        assert!(may_change(&Ok(Event::new(EventKind::Other))));
    }
}
