//! Time limits of a call, with the default values.

use std::time::Duration;

use crate::limits::CLIENT_STALL_TIMEOUT;

/// Time limits of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// Connecting.
    pub connect: Duration,
    /// From sending a request to the first byte of the response's body. A whole response with content
    /// has until `total`: the provider sends nothing until it is complete.
    pub first_byte: Duration,
    /// From sending a request for a stream to the head of its response, while another credential could
    /// serve the call.
    pub per_try: Duration,
    /// From the beginning of a call for a stream to the head that the client gets without content.
    pub client_head: Duration,
    /// How long a client may leave what waits for it unread.
    pub client_stall: Duration,
    /// Between two chunks of a response.
    pub idle: Duration,
    /// A whole call with all retries. It bounds a stream up to its first content.
    pub total: Duration,
    /// A stream, from its request to its end; `None` for no limit.
    pub stream: Option<Duration>,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            first_byte: Duration::from_secs(60),
            per_try: Duration::from_secs(8),
            client_head: Duration::from_secs(10),
            client_stall: CLIENT_STALL_TIMEOUT,
            idle: Duration::from_secs(120),
            total: Duration::from_secs(600),
            stream: None,
        }
    }
}
