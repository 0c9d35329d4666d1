//! Headers that belong to a connection, and that no plan and no client may set.

/// Headers of the connection rather than of the message (RFC 9110, section 7.6.1), and headers that
/// frame or address the message.
pub(crate) const CONNECTION_HEADERS: [&str; 11] = [
    "connection",
    "content-length",
    "host",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];
