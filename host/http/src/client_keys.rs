//! The clients' keys, and the names of their owners.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use url::form_urlencoded;

/// The keys of all clients. A reload can replace them.
///
/// Keys are looked up by their digests, so that the duration of a look-up tells nothing about a key.
#[derive(Default)]
pub struct ClientKeys {
    names: ArcSwap<HashMap<[u8; 32], Arc<str>>>,
}

/// Why a client has no access.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ClientKeyError {
    #[error(
        "no API key was given; send one as `Authorization: Bearer KEY`, `x-api-key` or `x-goog-api-key`"
    )]
    Missing,
    #[error("the API key is unknown; use one of the proxy's client keys")]
    Unknown,
}

impl ClientKeys {
    /// Creates keys with the names of their clients. Without keys, every client has access.
    pub fn new<'a>(keys: impl IntoIterator<Item = (&'a str, &'a SecretString)>) -> Self {
        let entry = |(name, key): (&str, &SecretString)| {
            (digest(key.expose_secret().as_bytes()), Arc::from(name))
        };
        Self {
            names: ArcSwap::from_pointee(keys.into_iter().map(entry).collect()),
        }
    }

    /// Replaces all keys.
    pub(crate) fn replace(&self, other: Self) {
        self.names.store(other.names.into_inner());
    }

    /// Whether every client has access.
    pub(crate) fn is_empty(&self) -> bool {
        self.names.load().is_empty()
    }

    /// Returns the name of the client that sends these headers and this query.
    pub(crate) fn principal(
        &self,
        headers: &HeaderMap,
        query: Option<&str>,
    ) -> Result<Arc<str>, ClientKeyError> {
        // Loaded once: a reload between the two uses could add the first key or remove the last one.
        let names = self.names.load();
        if names.is_empty() {
            return Ok(Arc::from(ANONYMOUS));
        }
        let of_query = || query.and_then(key_from_query);
        let of_headers = key_from_headers(headers).map(Cow::Borrowed);
        let key = of_headers
            .or_else(of_query)
            .ok_or(ClientKeyError::Missing)?;
        names
            .get(&digest(&key))
            .cloned()
            .ok_or(ClientKeyError::Unknown)
    }
}

/// Name of every client if no keys are configured.
const ANONYMOUS: &str = "anonymous";

/// Returns the key from the headers in which the SDKs of OpenAI, Anthropic and Google send it.
fn key_from_headers(headers: &HeaderMap) -> Option<&[u8]> {
    if let Some(value) = headers.get(AUTHORIZATION) {
        return Some(bearer(value.as_bytes()));
    }
    let others = ["x-api-key", "x-goog-api-key"];
    let mut others = others.iter().filter_map(|name| headers.get(*name));
    others.next().map(|value| value.as_bytes())
}

/// Returns the key from the query, where Google's documentation of its HTTP API has it.
fn key_from_query(query: &str) -> Option<Cow<'_, [u8]>> {
    let mut pairs = form_urlencoded::parse(query.as_bytes());
    let (_, key) = pairs.find(|(name, _)| name == "key")?;
    Some(match key {
        Cow::Borrowed(key) => Cow::Borrowed(key.as_bytes()),
        Cow::Owned(key) => Cow::Owned(key.into_bytes()),
    })
}

/// Returns the token of a `Bearer` value, whose scheme is case-insensitive (RFC 9110, section 11.1). A
/// value without the scheme is returned whole, since some tools send the bare key.
pub fn bearer(value: &[u8]) -> &[u8] {
    match value.split_at_checked(7) {
        // RFC 9110, section 11.4, allows several spaces before the token.
        Some((scheme, token)) if scheme.eq_ignore_ascii_case(b"bearer ") => token.trim_ascii(),
        _ => value,
    }
}

fn digest(key: &[u8]) -> [u8; 32] {
    Sha256::digest(key).into()
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderName, HeaderValue};

    use super::*;

    fn principal_for(name: &'static str, value: &'static str) -> Result<Arc<str>, ClientKeyError> {
        let key = SecretString::from("key-of-a");
        let keys = ClientKeys::new([("team-a", &key)]);
        let header = (
            HeaderName::from_static(name),
            HeaderValue::from_static(value),
        );
        keys.principal(&HeaderMap::from_iter([header]), None)
    }

    #[test]
    fn accepts_key_in_query() {
        let key = SecretString::from("key of+a");
        let keys = ClientKeys::new([("team-a", &key)]);
        let principal_for = |query| keys.principal(&HeaderMap::new(), Some(query));
        assert_eq!(
            principal_for("alt=sse&key=key%20of%2Ba").as_deref(),
            Ok("team-a")
        );
        assert_eq!(principal_for("key=b"), Err(ClientKeyError::Unknown));
        assert_eq!(principal_for("alt=sse"), Err(ClientKeyError::Missing));
    }

    #[test]
    fn accepts_key_in_each_sdk_header() {
        for (name, value) in [
            ("authorization", "Bearer key-of-a"),
            ("authorization", "bearer  key-of-a"),
            ("authorization", "key-of-a"),
            ("x-api-key", "key-of-a"),
            ("x-goog-api-key", "key-of-a"),
        ] {
            assert_eq!(
                principal_for(name, value).as_deref(),
                Ok("team-a"),
                "{name}: {value}"
            );
        }
    }

    #[test]
    fn rejects_unknown_and_missing_keys() {
        assert_eq!(
            principal_for("authorization", "Bearer key-of-b"),
            Err(ClientKeyError::Unknown)
        );
        assert_eq!(
            principal_for("authorization", "Bearer "),
            Err(ClientKeyError::Unknown)
        );
        assert_eq!(
            principal_for("accept", "key-of-a"),
            Err(ClientKeyError::Missing)
        );
    }

    #[test]
    fn allows_anonymous_clients_without_keys() {
        let keys = ClientKeys::default();
        assert_eq!(
            keys.principal(&HeaderMap::new(), None).as_deref(),
            Ok(ANONYMOUS)
        );
    }
}
