//! Headers of clients that an operator lets through to one provider, beyond those of the built-in list.

use std::fmt;

use http::HeaderName;

use crate::connection_headers::CONNECTION_HEADERS;

/// The name of a header, or the beginning of several names, such as `x-acme-*`. It never matches a header
/// that carries the client's key or cookies, frames the message, or is the host's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HeaderPattern {
    /// This header.
    Name(HeaderName),
    /// All headers whose names begin so. In lower case, with a hyphen at the end.
    Prefix(Box<str>),
}

/// Why a text is no [`HeaderPattern`]. The text completes a sentence that names the value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HeaderPatternError {
    /// It is neither a name nor the beginning of one.
    #[error(
        "must be the name of a header, or its beginning up to a hyphen and `*`, such as `x-acme-*`"
    )]
    Malformed,
    /// No provider may get this header.
    #[error(
        "must be a header that may leave: those with keys and cookies, of the connection, of the body and \
         of proxies may not"
    )]
    Reserved,
}

impl HeaderPattern {
    /// Reads a pattern. Upper case becomes lower case.
    ///
    /// # Errors
    /// If the text is no pattern, or one that can only match headers that no provider may get.
    pub fn parse(text: &str) -> Result<Self, HeaderPatternError> {
        let prefix = text.strip_suffix('*');
        let name = prefix.unwrap_or(text);
        // Legal in a name (RFC 9110, section 5.6.2), but then a slip.
        if name.contains('*') {
            return Err(HeaderPatternError::Malformed);
        }
        let name = HeaderName::from_bytes(name.as_bytes());
        let name = name.map_err(|_| HeaderPatternError::Malformed)?;
        if is_reserved(name.as_str()) {
            return Err(HeaderPatternError::Reserved);
        }
        match prefix {
            None => Ok(Self::Name(name)),
            // Without the hyphen, a slip such as `x*` would let through more than was meant.
            Some(_) if !name.as_str().ends_with('-') => Err(HeaderPatternError::Malformed),
            Some(_) => Ok(Self::Prefix(Box::from(name.as_str()))),
        }
    }

    /// Whether a header, whose name is in lower case, may pass.
    pub(crate) fn matches(&self, name: &str) -> bool {
        match self {
            Self::Name(own) => own == name,
            Self::Prefix(prefix) => name.starts_with(prefix.as_ref()) && !is_reserved(name),
        }
    }
}

impl fmt::Display for HeaderPattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => write!(formatter, "{name}"),
            Self::Prefix(prefix) => write!(formatter, "{prefix}*"),
        }
    }
}

/// Headers that no provider gets from a client: in the first row those that carry its key or its cookies
/// (the API references of `OpenAI`, Anthropic, Gemini and Azure `OpenAI`), in the second those that describe
/// a body which the host may have decoded or translated, in the third that of a client's address.
const RESERVED: [&str; 10] = [
    "api-key",
    "authorization",
    "cookie",
    "x-api-key",
    "x-goog-api-key",
    "accept-encoding",
    "content-encoding",
    "content-type",
    "expect",
    "forwarded",
];

/// The beginnings of further ones: of the connection, of a browser, of proxies, of the host itself.
const RESERVED_PREFIXES: [&str; 4] = ["proxy-", "sec-", "x-forwarded-", "x-jackfield-"];

fn is_reserved(name: &str) -> bool {
    RESERVED.contains(&name)
        || CONNECTION_HEADERS.contains(&name)
        || RESERVED_PREFIXES
            .iter()
            .any(|prefix| name.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_what_may_not_leave() {
        for name in RESERVED.iter().chain(&CONNECTION_HEADERS) {
            assert_eq!(
                HeaderPattern::parse(name),
                Err(HeaderPatternError::Reserved)
            );
        }
        for text in [
            "X-API-Key",
            "x-forwarded-*",
            "proxy-*",
            "X-Jackfield-Admin-Token",
            "sec-fetch-mode",
        ] {
            assert_eq!(
                HeaderPattern::parse(text),
                Err(HeaderPatternError::Reserved),
                "{text}"
            );
        }
        for text in ["", "*", "x*", "x-acme*", "x-*-a", "*-a", "a b", "x-acme-**"] {
            assert_eq!(
                HeaderPattern::parse(text),
                Err(HeaderPatternError::Malformed),
                "{text}"
            );
        }
    }

    #[test]
    fn beginning_lets_no_reserved_header_through() {
        let all = HeaderPattern::parse("X-*").unwrap();
        assert_eq!(all.to_string(), "x-*");
        assert!(all.matches("x-acme-team"));
        for name in [
            "x-api-key",
            "x-goog-api-key",
            "x-forwarded-for",
            "x-jackfield-admin-token",
            "user-agent",
        ] {
            assert!(!all.matches(name), "{name}");
        }
        let one = HeaderPattern::parse("X-Acme-Team").unwrap();
        assert!(one.matches("x-acme-team") && !one.matches("x-acme-team-2"));
    }
}
