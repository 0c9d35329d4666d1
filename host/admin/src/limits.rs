//! Every limit of the admin API, with its unit and its reason.

use std::time::Duration;

/// Timeout of the client's connection to the server. They usually share a machine or a network.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Timeout of the client for a whole response. A refresh waits for the provider.
pub const RESPONSE_TIMEOUT: Duration = Duration::from_secs(120);

/// Largest response that the client reads, in bytes: ten thousand credentials with some models each,
/// indented.
pub const RESPONSE_BYTES_MAX: usize = 128 << 20;

/// Largest request body, in bytes: one credential, whose secrets have some KiB each.
pub const BODY_BYTES_MAX: usize = 256 << 10;

/// Concurrent readers of events. Each holds a connection, and every event is written for each.
pub const EVENT_READERS_MAX: usize = 16;

/// Interval of comments in a stream without events. Many proxies close a connection that is silent
/// for a minute.
pub const EVENT_KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(15);

/// Logins that may be open at the same time. An operator has one or two; each may have a listener and polls a
/// provider.
pub const LOGINS_OPEN_MAX: usize = 8;

/// Logins that can be looked at: the open ones and the last ones that ended.
pub const LOGINS_RETAINED_MAX: usize = 64;

/// How long the page that a browser returned to may take to be sent, once its login waits no longer.
pub const LOGIN_PAGE_DRAIN: Duration = Duration::from_secs(2);
