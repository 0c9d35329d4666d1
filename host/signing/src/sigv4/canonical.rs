//! The canonical request of AWS Signature Version 4: the form of a request in which both sides compute the same
//! signature.

use std::collections::BTreeMap;

use url::form_urlencoded;

/// A canonical request.
pub(super) struct CanonicalRequest {
    /// Values of headers may have bytes that are no UTF-8.
    pub(super) text: Vec<u8>,
    /// The names of the headers in it, joined by semicolons.
    pub(super) signed_headers: String,
    /// The SHA-256 of the body, in hexadecimal digits.
    pub(super) body_sha256: String,
}

impl CanonicalRequest {
    /// Writes the canonical request. `path` and `query` are canonical already.
    pub(super) fn new(
        method: &str,
        path: &str,
        query: &str,
        headers: &[(&str, &[u8])],
        body_sha256: String,
    ) -> Self {
        let mut by_name: BTreeMap<&str, Vec<Vec<u8>>> = BTreeMap::new();
        for (name, value) in headers {
            if !UNSIGNED_HEADERS.contains(name) {
                by_name.entry(name).or_default().push(header_value(value));
            }
        }
        let names: Vec<&str> = by_name.keys().copied().collect();
        let signed_headers = names.join(";");
        let mut text = format!("{method}\n{path}\n{query}\n").into_bytes();
        for (name, values) in &by_name {
            text.extend_from_slice(name.as_bytes());
            text.push(b':');
            text.extend_from_slice(&values.join(&b','));
            text.push(b'\n');
        }
        text.extend_from_slice(format!("\n{signed_headers}\n{body_sha256}").as_bytes());
        Self {
            text,
            signed_headers,
            body_sha256,
        }
    }
}

/// Trims a value, and makes each run of white space one space.
fn header_value(value: &[u8]) -> Vec<u8> {
    let words = value.split(u8::is_ascii_whitespace);
    let words: Vec<&[u8]> = words.filter(|word| !word.is_empty()).collect();
    words.join(&b' ')
}

/// Returns the canonical form of the path of a request as it is sent. All services but S3 encode it a second time.
pub(super) fn path(path: &str, normalize: bool, encode: bool) -> String {
    let path = if normalize {
        normalized(path)
    } else {
        path.to_owned()
    };
    if !encode {
        return path;
    }
    percent_encoded(&path, b"/")
}

/// Removes empty segments and dots (RFC 3986, section 5.2.4).
fn normalized(path: &str) -> String {
    let mut segments: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                segments.pop();
            }
            name => segments.push(name),
        }
    }
    let is_folder = ["/", "/.", "/.."].iter().any(|end| path.ends_with(end));
    let mut normal = format!("/{}", segments.join("/"));
    if is_folder && normal.len() > 1 {
        normal.push('/');
    }
    normal
}

/// Returns the canonical form of a query: pairs, encoded and sorted.
pub(super) fn query(query: &str) -> String {
    let encoded = |text: &str| percent_encoded(text, b"");
    let mut pairs: Vec<(String, String)> = form_urlencoded::parse(query.as_bytes())
        .map(|(name, value)| (encoded(&name), encoded(&value)))
        .collect();
    pairs.sort_unstable();
    let pairs: Vec<String> = pairs
        .into_iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    pairs.join("&")
}

/// Encodes all bytes but the unreserved ones of RFC 3986, section 2.3, and these.
fn percent_encoded(text: &str, unchanged: &[u8]) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) || unchanged.contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push('%');
            for digit in [byte >> 4, byte & 15] {
                let digit = char::from_digit(digit.into(), 16).unwrap_or('0');
                encoded.push(digit.to_ascii_uppercase());
            }
        }
    }
    encoded
}

/// Headers that are not signed, because what carries the request may change them (as in AWS's own SDKs, such as
/// botocore's `SIGNED_HEADERS_BLACKLIST`).
const UNSIGNED_HEADERS: [&str; 7] = [
    "accept-encoding",
    "connection",
    "expect",
    "te",
    "transfer-encoding",
    "user-agent",
    "x-amzn-trace-id",
];
