//! Every limit at the HTTP edges, with its unit and its reason.

use std::time::Duration;

/// A client's body, in bytes. Chats with pictures in base64 reach tens of megabytes; providers
/// themselves refuse more than 20 to 32.
pub const REQUEST_BODY_BYTES_MAX: usize = 32 << 20;

/// How long a client may take to send its body.
pub const REQUEST_BODY_TIMEOUT: Duration = Duration::from_secs(60);

/// How long a client may take to send a request's headers, and how long an idle connection is kept.
pub const REQUEST_HEAD_TIMEOUT: Duration = Duration::from_secs(75);

/// Connections of clients. Each costs a file descriptor and some KiB, and its upstream another.
pub const CONNECTIONS_MAX: usize = 16_384;

/// Streams of one HTTP/2 connection at a time, as RFC 9113 recommends at least.
pub const HTTP2_STREAMS_MAX: u32 = 128;

/// How long the server waits for calls to end when it is told to stop.
pub const DRAIN_MAX: Duration = Duration::from_secs(30);

/// After the system refused a connection for want of descriptors, how long until the next try.
pub const ACCEPT_RETRY_DELAY: Duration = Duration::from_millis(100);

/// Idle connections kept to one provider, for each proxy. A burst of calls leaves this many behind.
pub const UPSTREAM_IDLE_CONNECTIONS_MAX: usize = 256;

/// How long an idle connection to a provider is kept. Most close theirs after a minute or more.
pub const UPSTREAM_IDLE_TIMEOUT: Duration = Duration::from_secs(55);

/// Upstream clients, one for each proxy and connect timeout.
pub const UPSTREAM_CLIENTS_MAX: usize = 1_024;

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
