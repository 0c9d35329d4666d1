//! Every limit at the HTTP edges, with its unit and its reason.

use std::time::Duration;

/// How long a client may take to send its body.
pub const REQUEST_BODY_TIMEOUT: Duration = Duration::from_secs(60);

/// How much of a refused request's body is read, in bytes, so that the client sees the response: more than
/// any API takes in one request. Nothing of it is held.
pub const DISCARDED_BYTES_MAX: usize = 128 << 20;

/// How long a refused request's body is read: as long as nginx does by default (`lingering_time`).
pub const DISCARD_TIMEOUT: Duration = Duration::from_secs(30);

/// From the begin of a connection to the end of its first request's headers. Without it, connections that
/// send nothing could occupy all places. It is long enough for a handshake over a bad mobile network.
pub const FIRST_HEAD_TIMEOUT: Duration = Duration::from_secs(20);

/// How long an unused connection may take to end after it was asked to, also when the server stops. Clients answer in a
/// round trip.
pub const CLOSE_UNUSED_TIMEOUT: Duration = Duration::from_secs(5);

/// What a client has to read in `timeouts.client-stall` while more waits, in bytes: less than the slowest modem.
pub const CLIENT_STALL_BYTES_MIN: usize = 1 << 10;

/// How long a client may take to send a request's headers, and how long a connection may be idle.
pub const REQUEST_HEAD_TIMEOUT: Duration = Duration::from_secs(75);

/// Connections of clients. Each needs a file descriptor and some KiB, and its upstream another.
pub const CONNECTIONS_MAX: u32 = 16_384;

/// Connections of one client address. An office behind one address needs hundreds; an eighth of all places leaves
/// the others theirs.
pub const CONNECTIONS_PER_ADDRESS_MAX: u32 = CONNECTIONS_MAX / 8;

/// Connections of all clients of one kind whose addresses say little about who they are: those on this machine, those by
/// a Unix socket, those of trusted proxies. The last quarter of all places is left to the others.
pub const CONNECTIONS_PER_KIND_MAX: u32 = CONNECTIONS_MAX / 4 * 3;

/// Longest header of the PROXY protocol, in bytes. Addresses have 216 at most; the rest is for the extensions of load
/// balancers, such as names of certificates.
pub const PROXY_HEADER_BYTES_MAX: usize = 4 << 10;

/// Connections that wait in the system's queue of a Unix socket. The system's own limit may be lower. It is as large as
/// that of the addresses.
pub const LISTEN_BACKLOG: u32 = 1_024;

/// How long a process at the path of a Unix socket may take to accept or refuse, before another one is started there. A
/// refusal comes at once.
pub const SOCKET_PROBE_TIMEOUT: Duration = Duration::from_secs(1);

/// Wrong keys of one address that are not delayed: a user who mistypes.
pub const WRONG_KEYS_FREE: u32 = 3;

/// The delay of the first wrong key after [`WRONG_KEYS_FREE`]. Each further one doubles it.
pub const WRONG_KEY_DELAY_FIRST: Duration = Duration::from_millis(100);

/// The longest delay of an answer to a wrong key.
pub const WRONG_KEY_DELAY_MAX: Duration = Duration::from_secs(5);

/// How long an address without further wrong keys is remembered.
pub const WRONG_KEY_MEMORY: Duration = Duration::from_secs(600);

/// Addresses whose wrong keys are counted, about 50 bytes each. Further ones count as one.
pub const WRONG_KEY_ADDRESSES_MAX: usize = 4_096;

/// Answers to wrong keys that are delayed at a time. Each holds a connection.
pub const WRONG_KEY_DELAYED_MAX: usize = 1_024;

/// Concurrent streams of one HTTP/2 connection; RFC 9113 recommends at least 100.
pub const HTTP2_STREAMS_MAX: u32 = 128;

/// How long the server waits for calls to end when it stops.
pub const DRAIN_MAX: Duration = Duration::from_secs(30);

/// Delay before the next attempt when the system has no file descriptors left.
pub const ACCEPT_RETRY_DELAY: Duration = Duration::from_millis(100);

/// Idle connections to one provider, for each proxy. More than that are closed after a burst of calls.
pub const UPSTREAM_IDLE_CONNECTIONS_MAX: usize = 256;

/// How long a connection to a provider may be idle. Most providers close it after a minute or more.
pub const UPSTREAM_IDLE_TIMEOUT: Duration = Duration::from_secs(55);

/// Upstream clients; there is one for each proxy and connect timeout.
pub const UPSTREAM_CLIENTS_MAX: usize = 1_024;

/// How long a connection to a provider may be silent before it is asked whether it is alive: by TCP
/// keep-alive, and by a ping in HTTP/2. Middleboxes forget silent connections after a minute or more.
pub const UPSTREAM_PING_INTERVAL: Duration = Duration::from_secs(15);

/// TCP keep-alives without an answer after which a connection is dead, where the system has no limit in
/// time ([`UPSTREAM_ALIVE_TIMEOUT`]). Three, so that one lost packet ends nothing.
pub const UPSTREAM_PINGS_MAX: u32 = 3;

/// How long the other side may leave a packet or a ping unanswered before the connection counts as dead.
/// Linux retransmits several times in it.
pub const UPSTREAM_ALIVE_TIMEOUT: Duration = Duration::from_secs(15);

/// Addresses of pooled connections that have served, for each proxy. More than are in use at a time.
pub const UPSTREAM_SERVED_MAX: usize = 16_384;

/// Largest chunk of a provider's decoded body, in bytes. A small body can expand to gigabytes.
pub const DECODED_CHUNK_BYTES: usize = 16 << 10;
