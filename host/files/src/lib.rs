//! Rules for files and folders: who may change a folder, who writes to it, and how a small file is read. It reads no
//! configuration and writes no log.

mod lock;
mod owner;
mod read;
mod socket;

pub use lock::{FolderLock, LockError};
pub use owner::{UnsafeFolder, check_folder};
pub use read::{SmallFile, read_small_file};
pub use socket::{SocketError, SocketPath, SocketState};
