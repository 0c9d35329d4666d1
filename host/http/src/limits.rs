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
