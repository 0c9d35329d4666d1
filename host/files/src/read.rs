//! Reads a small file of an operator: a configuration, a credential or a secret. It may be a symbolic link, as Kubernetes
//! makes them, or a pipe, as process substitution does. It is opened once.

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// What was read.
#[derive(Debug)]
pub struct SmallFile {
    /// The content.
    pub bytes: Vec<u8>,
    /// The permission bits of the opened file. Those of a symbolic link do not count.
    pub mode: u32,
    /// Whether it is a regular file; otherwise it is a pipe or a device.
    pub is_regular: bool,
}

impl SmallFile {
    /// True if it is a regular file that every user of the machine can read.
    pub fn is_world_readable(&self) -> bool {
        self.is_regular && self.mode & OTHERS_READ != 0
    }
}

/// Reads a whole file of at most `bytes_max` bytes within `wait_max`. Blocks.
///
/// # Errors
/// The system's; `FileTooLarge` beyond the limit; `TimedOut` if a pipe has no writer, or its writer does not end;
/// `ResourceBusy` if too many earlier reads hang.
pub fn read_small_file(path: &Path, bytes_max: u64, wait_max: Duration) -> io::Result<SmallFile> {
    static HANGING: Readers = Readers::new();
    HANGING.read(path.to_owned(), bytes_max, wait_max)
}

/// Counts the threads that read.
struct Readers {
    running: AtomicUsize,
}

impl Readers {
    const fn new() -> Self {
        Self {
            running: AtomicUsize::new(0),
        }
    }

    /// Opening a pipe without a writer blocks for ever, and nothing but the writer ends that. So a thread does it, and is
    /// left behind after the wait.
    fn read(
        &'static self,
        path: PathBuf,
        bytes_max: u64,
        wait_max: Duration,
    ) -> io::Result<SmallFile> {
        let place = Place::take(self).ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::ResourceBusy,
                "too many reads of other pipes hang; give their pipes a writer",
            )
        })?;
        let (sender, receiver) = mpsc::sync_channel(1);
        thread::Builder::new()
            .name("read-file".to_owned())
            .spawn(move || {
                let read = read(&path, bytes_max);
                drop(place);
                // The receiver is gone after the wait.
                let _ = sender.send(read);
            })?;
        receiver.recv_timeout(wait_max).unwrap_or_else(|_| {
            let problem =
                format!("it did not end within {wait_max:?}; is it a pipe that nothing writes to?");
            Err(io::Error::new(io::ErrorKind::TimedOut, problem))
        })
    }
}

/// A place among the running readers.
struct Place(&'static Readers);

impl Place {
    fn take(readers: &'static Readers) -> Option<Self> {
        let place = Self(readers);
        // The place is given back on drop if it is one too many.
        (readers.running.fetch_add(1, Ordering::Relaxed) < READERS_MAX).then_some(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::Relaxed);
    }
}

fn read(path: &Path, bytes_max: u64) -> io::Result<SmallFile> {
    let file = File::open(path)?;
    // Of the opened file: the path may lead to another one meanwhile.
    let metadata: Metadata = file.metadata()?;
    let mut bytes = Vec::new();
    // The size in the metadata is not enough: a device or a pipe has none.
    file.take(bytes_max.saturating_add(1))
        .read_to_end(&mut bytes)?;
    if bytes.len() as u64 > bytes_max {
        let limit = format!("it is larger than {} KiB", bytes_max / 1024);
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, limit));
    }
    Ok(SmallFile {
        bytes,
        mode: metadata.mode() & 0o7777,
        is_regular: metadata.is_file(),
    })
}

/// Threads that read at once, of which some may hang. Each has a stack of some KiB.
const READERS_MAX: usize = 64;

/// The mode bit that lets all users read a file.
const OTHERS_READ: u32 = 0o004;

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write;
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::process::Command;

    use super::*;

    const WAIT: Duration = Duration::from_secs(60);

    fn pipe(folder: &Path) -> PathBuf {
        let path = folder.join("pipe");
        let created = Command::new("mkfifo").arg(&path).status().unwrap();
        assert!(created.success());
        path
    }

    #[test]
    fn link_is_read_with_the_mode_of_its_target() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("target");
        fs::write(&target, "secret").unwrap();
        let link = folder.path().join("link");
        symlink("target", &link).unwrap();
        for (mode, exposed) in [(0o600, false), (0o640, false), (0o644, true)] {
            fs::set_permissions(&target, fs::Permissions::from_mode(mode)).unwrap();
            let read = read_small_file(&link, 6, WAIT).unwrap();
            assert_eq!((read.bytes.as_slice(), read.mode), (&b"secret"[..], mode));
            assert_eq!(read.is_world_readable(), exposed, "{mode:o}");
        }
        let refused = read_small_file(&link, 5, WAIT).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::FileTooLarge);
    }

    #[test]
    fn pipe_is_read_to_its_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = pipe(folder.path());
        let writer = thread::spawn({
            let path = path.clone();
            move || {
                let mut file = fs::OpenOptions::new().write(true).open(path).unwrap();
                file.write_all(b"one ").unwrap();
                file.write_all(b"two").unwrap();
            }
        });
        let read = read_small_file(&path, 64, WAIT).unwrap();
        writer.join().unwrap();
        assert_eq!(read.bytes, b"one two");
        assert!(!read.is_world_readable());
    }

    #[test]
    fn pipe_without_writer_ends_after_the_wait_and_hanging_reads_are_bounded() {
        static READERS: Readers = Readers::new();
        let folder = tempfile::tempdir().unwrap();
        let path = pipe(folder.path());
        for _ in 0..READERS_MAX {
            let refused = READERS.read(path.clone(), 64, Duration::ZERO).unwrap_err();
            assert_eq!(refused.kind(), io::ErrorKind::TimedOut);
        }
        let refused = READERS.read(path.clone(), 64, WAIT).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ResourceBusy);
        // Ends the threads: each of them opens the pipe now.
        drop(fs::OpenOptions::new().write(true).open(path).unwrap());
    }
}
