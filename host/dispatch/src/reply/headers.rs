//! Headers of a provider's response.

use http::HeaderMap;
use http::header::CONTENT_TYPE;

use crate::call::StreamFraming;

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
