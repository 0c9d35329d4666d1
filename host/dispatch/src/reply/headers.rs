//! Headers of a provider's response.

use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName};

use crate::call::StreamFraming;
use crate::request::CONNECTION_HEADERS;

/// Returns the headers that may reach the client: not those of the connection, and not those that are
/// about the provider's own host.
pub(crate) fn client_headers(mut headers: HeaderMap) -> HeaderMap {
    let is_withheld = |name: &&HeaderName| {
        CONNECTION_HEADERS.contains(&name.as_str())
            || UPSTREAM_ONLY_HEADERS.contains(&name.as_str())
    };
    // A response has few of them: one pass over its headers costs less than 15 lookups.
    let withheld: Vec<HeaderName> = headers.keys().filter(is_withheld).cloned().collect();
    for name in withheld {
        headers.remove(name);
    }
    headers
}

/// Returns the content type of a stream for a client.
pub(crate) const fn stream_content_type(framing: StreamFraming) -> &'static str {
    match framing {
        StreamFraming::Array => "application/json",
        StreamFraming::Events => "text/event-stream; charset=utf-8",
    }
}

/// Returns whether the content type is that of server-sent events.
pub(crate) fn is_event_stream(headers: &HeaderMap) -> bool {
    let value = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    value.is_some_and(|value| {
        value
            .trim_start()
            .to_ascii_lowercase()
            .starts_with("text/event-stream")
    })
}

// Clients would apply `alt-svc`, `set-cookie` and `strict-transport-security` to this host, which did
// not set them.
const UPSTREAM_ONLY_HEADERS: [&str; 4] =
    ["alt-svc", "date", "set-cookie", "strict-transport-security"];
