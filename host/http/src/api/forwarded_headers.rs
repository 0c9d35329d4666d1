//! The request headers of a client that may reach a provider.

use axum::http::{HeaderMap, HeaderName};

/// Returns the client's headers that an executor may forward: those that change what an API does.
/// All others stay here, above all the client's key.
pub(super) fn forwarded_headers(headers: &HeaderMap) -> HeaderMap {
    let mut forwarded = HeaderMap::new();
    for name in &FORWARDED_HEADERS {
        for value in headers.get_all(name) {
            // Not `insert`: a client may send a list such as `anthropic-beta` in several lines
            // (RFC 9110, section 5.3).
            forwarded.append(name, value.clone());
        }
    }
    forwarded
}

const FORWARDED_HEADERS: [HeaderName; 4] = [
    HeaderName::from_static("anthropic-beta"),
    HeaderName::from_static("anthropic-version"),
    HeaderName::from_static("idempotency-key"),
    HeaderName::from_static("openai-beta"),
];
