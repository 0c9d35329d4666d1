//! The parts of plans and failures that are the same in all versions of the contract, with the checks of
//! what a guest returned.

use std::borrow::Cow;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use jackfield_credential::{Failure, Scope};
use jackfield_dialect::truncate;
use jackfield_dispatch::plan::{Framing, Refusal, SecretPlace};
use jackfield_dispatch::port::ResponseHead;
use url::Url;

use crate::limits::{HEADERS_MAX, LIST_LENGTH_MAX};

/// A value of a guest that the contract does not allow.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ContractError {
    /// A status outside of 100 to 999.
    #[error("{0} is not a valid HTTP status")]
    Status(u16),
    /// A header name that HTTP does not allow.
    #[error("{0:?} is not a valid header name")]
    HeaderName(String),
    /// A header value that HTTP does not allow, such as one with a line feed.
    #[error("the value of the header `{0}` is not valid")]
    HeaderValue(HeaderName),
    /// A method that HTTP does not allow.
    #[error("{0:?} is not a valid HTTP method")]
    Method(String),
    /// A URL that cannot be parsed, or that is not absolute.
    #[error("{url:?} is not a valid URL: {reason}")]
    Url {
        /// The URL, truncated.
        url: String,
        /// Why it cannot be parsed.
        reason: url::ParseError,
    },
    /// A client id or secret without its part.
    #[error("the scheme `{OAUTH_CLIENT_BASIC}` needs the parameter `part`, `id` or `secret`")]
    SchemePart,
    /// A framing that this host does not have.
    #[error("this host does not support the framing `{0}`")]
    Framing(String),
    /// A kind of capture that this host does not have.
    #[error("this host does not know the kind of capture `{0}`")]
    CaptureKind(String),
    /// An option `after-ms` that is no number.
    #[error("the option `after-ms` of a plan is {0}, not a number of milliseconds")]
    Delay(String),
    /// A plan that needs an export that the component does not have.
    #[error("its plan has the response `whole` or `frames`, but it does not export `{0}`")]
    NoReply(&'static str),
    /// Something after the event that says that the response is an error.
    #[error("event {0} of a push, `failed`, is not the last")]
    AfterFailed(usize),
    /// A list with more items than its limit.
    #[error("{length} {list}, but at most {max} are allowed")]
    ListTooLong {
        /// The list, as the contract names it.
        list: &'static str,
        /// The number of its values.
        length: usize,
        /// The limit.
        max: usize,
    },
}

/// A header as both versions have it.
pub(super) type HeaderPair = (String, Vec<u8>);

/// The headers of the host as a guest gets them.
pub(super) fn header_pairs(headers: &HeaderMap) -> impl Iterator<Item = HeaderPair> {
    headers
        .iter()
        .map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_owned()))
}

/// Checks headers of a guest.
pub(super) fn headers_in(
    headers: impl ExactSizeIterator<Item = HeaderPair>,
) -> Result<HeaderMap, ContractError> {
    // A `HeaderMap` panics when it is asked for more than about 24,500 entries.
    check_length_max("headers", headers.len(), HEADERS_MAX)?;
    let mut map = HeaderMap::with_capacity(headers.len());
    for (name, value) in headers {
        let name = HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| ContractError::HeaderName(quoted(&name)))?;
        let value = HeaderValue::from_maybe_shared(Bytes::from(value))
            .map_err(|_| ContractError::HeaderValue(name.clone()))?;
        // Not `insert`: a name may occur more than once, as `set-cookie` does.
        map.append(name, value);
    }
    Ok(map)
}

/// Checks the head of a response.
pub(super) fn head_in(
    status: u16,
    headers: impl ExactSizeIterator<Item = HeaderPair>,
) -> Result<ResponseHead, ContractError> {
    let status = StatusCode::from_u16(status).map_err(|_| ContractError::Status(status))?;
    let headers = headers_in(headers)?;
    Ok(ResponseHead { status, headers })
}

/// Checks a method.
pub(super) fn method_in(method: &str) -> Result<Method, ContractError> {
    Method::from_bytes(method.as_bytes()).map_err(|_| ContractError::Method(quoted(method)))
}

/// Checks a URL.
pub(super) fn url_in(url: &str) -> Result<Url, ContractError> {
    Url::parse(url).map_err(|reason| ContractError::Url {
        url: quoted(url),
        reason,
    })
}

/// Returns the place that a scheme and its parameters mean.
pub(super) fn scheme_in(
    name: String,
    parameters: Vec<(String, String)>,
) -> Result<SecretPlace, ContractError> {
    if name != OAUTH_CLIENT_BASIC {
        check_length("parameters", parameters.len())?;
        return Ok(SecretPlace::Scheme { name, parameters });
    }
    // The parameter `part` says whether the secret is the client's id or its secret.
    let mut parts = parameters.iter().filter(|(name, _)| name == "part");
    match parts.next().map(|(_, value)| value.as_str()) {
        Some("id") => Ok(SecretPlace::OauthClientId),
        Some("secret") => Ok(SecretPlace::OauthClientSecret),
        _ => Err(ContractError::SchemePart),
    }
}

/// Returns the framing of this name.
pub(super) fn framing_in(name: &str) -> Result<Framing, ContractError> {
    match name {
        "raw" => Ok(Framing::Raw),
        "lines" => Ok(Framing::Lines),
        "sse" => Ok(Framing::Sse),
        "json-array" => Ok(Framing::JsonArray),
        "aws-event-stream" => Ok(Framing::AwsEventStream),
        other => Err(ContractError::Framing(quoted(other))),
    }
}

/// A failure as a guest returned it.
pub(super) struct GuestFailure {
    pub(super) scope: Scope,
    pub(super) kind: String,
    pub(super) status: Option<u16>,
    pub(super) message: String,
    pub(super) retry_after_ms: Option<u64>,
    pub(super) refresh_suggested: bool,
    pub(super) body: Option<Bytes>,
}

impl From<GuestFailure> for Refusal {
    fn from(failure: GuestFailure) -> Self {
        Self {
            failure: Failure {
                scope: failure.scope,
                kind: Cow::Owned(truncate(&failure.kind, QUOTED_BYTES_MAX).to_owned()),
                status: failure.status.filter(|status| (100..1000).contains(status)),
                message: truncate(&failure.message, MESSAGE_BYTES_MAX).to_owned(),
                retry_after: failure.retry_after_ms.map(Duration::from_millis),
                refresh_suggested: failure.refresh_suggested,
                sent: true,
            },
            response: failure.body,
        }
    }
}

pub(super) fn check_length(list: &'static str, length: usize) -> Result<(), ContractError> {
    check_length_max(list, length, LIST_LENGTH_MAX)
}

pub(super) fn check_length_max(
    list: &'static str,
    length: usize,
    max: usize,
) -> Result<(), ContractError> {
    if length <= max {
        return Ok(());
    }
    Err(ContractError::ListTooLong { list, length, max })
}

/// A guest's text as an error message quotes it.
pub(super) fn quoted(text: &str) -> String {
    truncate(text, QUOTED_BYTES_MAX).to_owned()
}

/// The scheme that is a place here; `jackfield-signing` has the others. See `wit/README.md`.
const OAUTH_CLIENT_BASIC: &str = "oauth-client-basic";

/// Bytes of a guest's text that an error message quotes.
const QUOTED_BYTES_MAX: usize = 80;

/// Length of a failure's message, in bytes. The rest is cut off.
const MESSAGE_BYTES_MAX: usize = 1_024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rejects_more_headers_than_a_header_map_holds() {
        let header = |_| ("x-a".to_owned(), b"b".to_vec());
        let headers = |length| headers_in((0..length).map(header));
        assert_eq!(headers(HEADERS_MAX).unwrap().len(), HEADERS_MAX);
        for length in [HEADERS_MAX + 1, 30_000, LIST_LENGTH_MAX] {
            let error = headers(length).unwrap_err().to_string();
            assert!(error.contains("headers, but at most"), "{error}");
        }
    }
}
