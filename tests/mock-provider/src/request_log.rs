//! Records the last requests, for tests of what a proxy sends to a provider. It must not record keys.

use std::collections::{BTreeMap, VecDeque};

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use parking_lot::Mutex;
use serde::Serialize;
use serde_json::Value;

/// The number of recorded requests; tests make fewer before they read the record.
const REQUESTS_STORED_MAX: usize = 64;

/// The size limit of a recorded body, in bytes. All bodies together have at most 16 MiB.
const BODY_STORED_BYTES_MAX: usize = 256 << 10;

/// Headers whose values are not recorded.
const SECRET_HEADERS: [&str; 5] = [
    "api-key",
    "authorization",
    "cookie",
    "x-api-key",
    "x-goog-api-key",
];

/// A recorded request.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RecordedRequest {
    /// Its number, from 1.
    pub number: u64,
    /// Its path, without the query.
    pub path: String,
    /// The names of the query parameters.
    pub query: Vec<String>,
    /// Its headers; `[secret]` replaces values that may be keys.
    pub headers: BTreeMap<String, String>,
    /// Its body: a string if it is not JSON, null if it is longer than 256 KiB.
    pub body: Value,
}

/// The last requests.
#[derive(Debug, Default)]
pub(super) struct RequestLog {
    entries: Mutex<(u64, VecDeque<RecordedRequest>)>,
}

impl RequestLog {
    pub(super) fn record(&self, path: &str, query: Option<&str>, headers: &HeaderMap, body: &[u8]) {
        let body = if body.len() > BODY_STORED_BYTES_MAX {
            Value::Null
        } else {
            serde_json::from_slice(body)
                .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(body).into_owned()))
        };
        let header = |(name, value): (&HeaderName, &HeaderValue)| {
            let secret = SECRET_HEADERS.contains(&name.as_str());
            let value = String::from_utf8_lossy(value.as_bytes());
            let shown = if secret { "[secret]" } else { &value };
            (name.to_string(), shown.to_owned())
        };
        let member = |pair: &str| pair.split('=').next().unwrap_or_default().to_owned();
        let (count, entries) = &mut *self.entries.lock();
        *count += 1;
        if entries.len() == REQUESTS_STORED_MAX {
            entries.pop_front();
        }
        entries.push_back(RecordedRequest {
            number: *count,
            path: path.to_owned(),
            query: query
                .into_iter()
                .flat_map(|query| query.split('&'))
                .map(member)
                .collect(),
            headers: headers.iter().map(header).collect(),
            body,
        });
    }

    pub(super) fn all(&self) -> Vec<RecordedRequest> {
        self.entries.lock().1.iter().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stores_the_last_requests_without_keys() {
        let requests = RequestLog::default();
        let mut headers = HeaderMap::new();
        headers.insert("x-api-key", HeaderValue::from_static("key-of-alice"));
        headers.insert("accept", HeaderValue::from_static("*/*"));
        for _ in 0..=REQUESTS_STORED_MAX {
            requests.record(
                "/v1/messages",
                Some("key=key-of-alice&alt=sse"),
                &headers,
                b"{\"a\":1}",
            );
        }
        let stored = requests.all();
        assert_eq!((stored.len(), stored[0].number), (REQUESTS_STORED_MAX, 2));
        assert_eq!(stored[0].body["a"], 1);
        assert_eq!(stored[0].query, ["key", "alt"]);
        assert_eq!(stored[0].headers["accept"], "*/*");
        assert!(!format!("{stored:?}").contains("alice"));
    }

    #[test]
    fn omits_a_body_that_is_too_long() {
        let requests = RequestLog::default();
        requests.record(
            "/",
            None,
            &HeaderMap::new(),
            &vec![b' '; BODY_STORED_BYTES_MAX + 1],
        );
        assert_eq!(requests.all()[0].body, Value::Null);
    }
}
