//! Every limit of the store, with its unit and its reason.

use std::time::Duration;

/// What may wait for the database's thread; beyond it, whoever asks waits to ask. A refresh asks for
/// one thing at a time, and health is gathered before it is saved.
pub const JOBS_WAITING_MAX: usize = 64;

/// How long another process, such as a backup, may hold the database before a statement fails.
pub const DATABASE_BUSY_MAX: Duration = Duration::from_secs(5);

/// A key file has 65 bytes; a path that names something large by mistake does not fill the memory.
pub const KEY_FILE_BYTES_MAX: u64 = 4_096;

/// Size of a credential file, in bytes. One with several long tokens has about 10 KB.
pub const CREDENTIAL_FILE_BYTES_MAX: u64 = 64 << 10;

/// Credential files in a folder: twice what the pool is measured with. All of them full to the limit
/// above would be more memory than any machine should give to them, but they are a hundredth of it.
pub const CREDENTIAL_FILES_MAX: usize = 20_000;

/// How deep folders may lie in the folder of credential files: the folder itself is 1.
pub const FOLDER_DEPTH_MAX: usize = 8;

/// Length of a credential file's path in its folder, in bytes: it is the credential's id, and stands
/// in every line of the log.
pub const FILE_NAME_BYTES_MAX: usize = 256;

/// Length of a text in a credential file that people see, in bytes: a label, a prefix.
pub const LINE_BYTES_MAX: usize = 256;

/// After the last change in the folder of credential files, how long it must be quiet before it is
/// read: whoever writes a file in several steps is done by then.
pub const WATCH_QUIET: Duration = Duration::from_millis(100);

/// How long a folder that never gets quiet is left unread.
pub const WATCH_DELAY_MAX: Duration = Duration::from_secs(2);

/// How long a credential file may be gone before its credential is: some programs remove a file and
/// write it anew. As CLIProxyAPI v6.7.21.
pub const REMOVAL_DELAY: Duration = Duration::from_secs(1);

/// The folder is looked through so often, whatever the system tells: it tells nothing of files that
/// links lead to elsewhere, nor of what other machines change on a shared disk.
pub const RESCAN_INTERVAL: Duration = Duration::from_mins(1);

/// Changed files remembered by name until the folder is read; beyond it, every file is read.
pub const CHANGES_WAITING_MAX: usize = 1_024;
