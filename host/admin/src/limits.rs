//! Every limit of the admin API, with its unit and its reason.

use std::time::Duration;

/// How long the command line waits for a connection to the admin API: it is near.
pub const ADMIN_CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long the command line waits for an answer of the admin API. A refresh waits for the
/// provider.
pub const ADMIN_RESPONSE_TIMEOUT: Duration = Duration::from_secs(120);

/// An answer of the admin API, in bytes: ten thousand credentials with some models each, shown at
/// length.
pub const ADMIN_RESPONSE_BYTES_MAX: usize = 128 << 20;

/// A body for the admin API, in bytes: one credential, whose secrets have some KiB each.
pub const ADMIN_BODY_BYTES_MAX: usize = 256 << 10;

/// Readers of events at a time. Each holds a connection, and every event is written for each.
pub const EVENT_READERS_MAX: usize = 16;

/// How long a reader of events hears nothing before a comment shows that the connection lives.
/// Proxies on the way cut what is silent for a minute.
pub const EVENT_KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(15);
