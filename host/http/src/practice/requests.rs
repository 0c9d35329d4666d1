//! What arrived: the last requests, for tests that look at what a provider is sent. Keys are left out.

use std::collections::{BTreeMap, VecDeque};

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use parking_lot::Mutex;
use serde::Serialize;
use serde_json::Value;

/// How many requests are kept: more than any test makes before it looks.
const REQUESTS_KEPT_MAX: usize = 64;

/// The bytes of a body that are kept. With as many requests as are kept it comes to 16 MiB.
const BODY_KEPT_BYTES_MAX: usize = 256 << 10;

/// Headers whose values nobody is shown.
const SECRET: [&str; 5] = [
    "api-key",
    "authorization",
    "cookie",
    "x-api-key",
    "x-goog-api-key",
];

/// A request as it arrived.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PracticeRequest {
    /// Its number, from 1.
    pub number: u64,
    /// Its path, without the query.
    pub path: String,
    /// The names of the query's members.
    pub query: Vec<String>,
    /// Its headers; `[secret]` stands for what may be a key.
    pub headers: BTreeMap<String, String>,
    /// Its body; text if it is no JSON, and null if it is too long.
    pub body: Value,
}

/// The last requests.
#[derive(Debug, Default)]
pub(super) struct Requests {
    kept: Mutex<(u64, VecDeque<PracticeRequest>)>,
}

impl Requests {
    pub(super) fn keep(&self, path: &str, query: Option<&str>, headers: &HeaderMap, body: &[u8]) {
        let body = if body.len() > BODY_KEPT_BYTES_MAX {
            Value::Null
        } else {
            serde_json::from_slice(body)
                .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(body).into_owned()))
        };
        let header = |(name, value): (&HeaderName, &HeaderValue)| {
            let secret = SECRET.contains(&name.as_str());
            let value = String::from_utf8_lossy(value.as_bytes());
            let shown = if secret { "[secret]" } else { &value };
            (name.to_string(), shown.to_owned())
        };
        let member = |pair: &str| pair.split('=').next().unwrap_or_default().to_owned();
        let (count, kept) = &mut *self.kept.lock();
        *count += 1;
        if kept.len() == REQUESTS_KEPT_MAX {
            kept.pop_front();
        }
        kept.push_back(PracticeRequest {
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

    pub(super) fn all(&self) -> Vec<PracticeRequest> {
        self.kept.lock().1.iter().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_are_kept_without_their_keys() {
        let requests = Requests::default();
        let mut headers = HeaderMap::new();
        headers.insert("x-api-key", HeaderValue::from_static("key-of-alice"));
        headers.insert("accept", HeaderValue::from_static("*/*"));
        for _ in 0..=REQUESTS_KEPT_MAX {
            requests.keep(
                "/v1/messages",
                Some("key=key-of-alice&alt=sse"),
                &headers,
                b"{\"a\":1}",
            );
        }
        let kept = requests.all();
        assert_eq!((kept.len(), kept[0].number), (REQUESTS_KEPT_MAX, 2));
        assert_eq!(kept[0].body["a"], 1);
        assert_eq!(kept[0].query, ["key", "alt"]);
        assert_eq!(kept[0].headers["accept"], "*/*");
        assert!(!format!("{kept:?}").contains("alice"));
    }

    #[test]
    fn a_body_that_is_too_long_is_not_kept() {
        let requests = Requests::default();
        requests.keep(
            "/",
            None,
            &HeaderMap::new(),
            &vec![b' '; BODY_KEPT_BYTES_MAX + 1],
        );
        assert_eq!(requests.all()[0].body, Value::Null);
    }
}
