//! Limits of configuration and credential files, and defaults of limits.

use std::time::Duration;

/// Maximum size of the configuration file, and of files that it names, in bytes. Enough for thousands of
/// credentials; the path of a log or a device does not fill the memory.
pub(crate) const CONFIGURATION_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// How long a file may take: the program at the other end of a pipe, such as a password manager, may be slow.
pub(crate) const FILE_READ_MAX: Duration = Duration::from_secs(30);

/// Maximum number of credential files: twice the largest pool in the benchmarks.
pub(crate) const CREDENTIAL_FILES_MAX: usize = 20_000;

/// Maximum size of a credential file in bytes. Files with the longest tokens have about 10 KiB.
pub(crate) const CREDENTIAL_FILE_BYTES_MAX: u64 = 256 * 1024;

/// Maximum depth of nested folders of credential files.
pub(crate) const CREDENTIAL_FOLDERS_DEPTH_MAX: usize = 8;

/// Maximum nesting of YAML: more levels than the configuration needs, and few enough for recursion.
pub(crate) const YAML_DEPTH_MAX: usize = 32;

/// Maximum number of YAML nodes: enough for ten thousand credentials. It stops aliases that multiply.
pub(crate) const YAML_NODES_MAX: usize = 200_000;

/// Default of the largest request body, in bytes. Providers take less: OpenAI 50 MB (images and files, API guide), Anthropic
/// 32 MB (API errors, `request_too_large`), Gemini 20 MB; base64 is in these numbers. Rounded up, so that the
/// provider's own limit counts.
pub(crate) const REQUEST_BODY_BYTES_MAX: usize = 64 << 20;
