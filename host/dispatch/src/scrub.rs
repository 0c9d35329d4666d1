//! Removes secrets from what providers send. Some repeat the key that they reject; it must reach neither
//! clients nor logs.

use std::borrow::Cow;

use http::{HeaderMap, HeaderName};
use jackfield_auth::Lease;
use jackfield_credential::Failure;
use jackfield_dialect::ProviderError;
use memchr::memmem;
use secrecy::{ExposeSecret, SecretString};

use crate::limits::{HEADER_SECRET_BYTES_MIN, SECRET_BEGINNING_BYTES_MIN};

/// Replaces the secrets of this lease in a failure's message.
pub(crate) fn scrub(lease: &Lease, failure: &mut Failure) {
    replace_secrets(&mut failure.message, secrets(lease));
}

/// Removes the secrets of this lease from an error that the provider reported. `message` is the error's full message
/// without them.
pub(crate) fn scrub_reported(lease: &Lease, error: &mut ProviderError, message: &str) {
    message.clone_into(&mut error.message);
    error.passed_on = None;
    for text in [&mut error.kind, &mut error.code, &mut error.param] {
        let shown = text.as_ref();
        if shown.is_some_and(|text| shows_secret(lease, text.as_bytes())) {
            *text = None;
        }
    }
}

/// Replaces all these secrets in a message by `[secret]`. Empty secrets are ignored.
pub(crate) fn replace_secrets<'a>(
    message: &mut String,
    secrets: impl Iterator<Item = &'a SecretString>,
) {
    for secret in secrets.map(ExposeSecret::expose_secret) {
        // `replace` of an empty secret would insert the mark between all characters.
        if secret.is_empty() {
            continue;
        }
        if message.contains(secret) {
            *message = message.replace(secret, MARK);
        }
        if let Some(begin) = cut_secret(message.as_bytes(), secret.as_bytes()) {
            message.truncate(begin);
            message.push_str(MARK);
        }
        if contains(&unescaped(message.as_bytes()), secret.as_bytes()) {
            // The place of an escaped secret is not known, only that it is there.
            MARK.clone_into(message);
        }
    }
}

/// Whether a text contains a secret of this lease: as it is, with JSON's escapes, or cut off by the end of
/// the text.
pub(crate) fn shows_secret(lease: &Lease, text: &[u8]) -> bool {
    secrets(lease)
        .map(|secret| secret.expose_secret().as_bytes())
        .any(|secret| shows(text, secret))
}

/// Removes headers whose values contain a secret of this lease that is long enough to be one.
pub(crate) fn remove_headers_with_secrets(lease: &Lease, headers: &mut HeaderMap) {
    let secrets = secrets(lease).map(|secret| secret.expose_secret().as_bytes());
    for secret in secrets.filter(|secret| secret.len() >= HEADER_SECRET_BYTES_MIN) {
        remove_headers_with(headers, secret);
    }
}

/// Removes headers whose values contain a secret.
pub(crate) fn remove_headers_with(headers: &mut HeaderMap, secret: &[u8]) {
    // The values of most headers are shorter than any secret, which makes this cheap.
    let shown: Vec<HeaderName> = headers
        .iter()
        .filter(|(_, value)| value.len() >= secret.len() && contains(value.as_bytes(), secret))
        .map(|(name, _)| name.clone())
        .collect();
    for name in shown {
        headers.remove(name);
    }
}

const MARK: &str = "[secret]";

/// The secrets of the credential, and what the attempt's requests derived from them.
fn secrets(lease: &Lease) -> impl Iterator<Item = &SecretString> {
    let fields = lease.credential().secret_fields.iter();
    let own = fields.filter_map(|field| lease.secret(field));
    own.chain(lease.derived_secrets())
}

fn shows(text: &[u8], secret: &[u8]) -> bool {
    let unescaped = unescaped(text);
    [text, &unescaped].into_iter().any(|text| {
        contains(text, secret) || (!secret.is_empty() && cut_secret(text, secret).is_some())
    })
}

fn contains(text: &[u8], secret: &[u8]) -> bool {
    !secret.is_empty() && memmem::find(text, secret).is_some()
}

/// Where a secret begins that the end of the text cuts off. A limit may cut anywhere.
fn cut_secret(text: &[u8], secret: &[u8]) -> Option<usize> {
    let longest = secret.len().saturating_sub(1).min(text.len());
    let lengths = (SECRET_BEGINNING_BYTES_MIN..=longest).rev();
    lengths
        .map(|length| text.len() - length)
        .find(|begin| secret.starts_with(&text[*begin..]))
}

/// A text without JSON's escapes (RFC 8259, section 7), wherever they are. Secrets are ASCII, so that halves
/// of surrogate pairs do not matter.
fn unescaped(text: &[u8]) -> Cow<'_, [u8]> {
    let Some(first) = memchr::memchr(b'\\', text) else {
        return Cow::Borrowed(text);
    };
    let mut plain = text[..first].to_vec();
    let mut rest = &text[first..];
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        match (byte, after.split_first()) {
            (b'\\', Some((b'u', digits))) => {
                let code = digits
                    .get(..4)
                    .and_then(|hex| std::str::from_utf8(hex).ok());
                let code = code.and_then(|hex| u32::from_str_radix(hex, 16).ok());
                let Some(char) = code.and_then(char::from_u32) else {
                    continue;
                };
                plain.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes());
                rest = &digits[4..];
            }
            (b'\\', Some((escaped, after))) => {
                plain.push(*escaped);
                rest = after;
            }
            _ => plain.push(*byte),
        }
    }
    Cow::Owned(plain)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECRET: &str = "sk-PROVKEY/SECRET-a1b2c3d4e5";

    fn scrubbed(message: &str) -> String {
        let mut message = message.to_owned();
        let secret = SecretString::from(SECRET);
        replace_secrets(&mut message, std::iter::once(&secret));
        message
    }

    #[test]
    fn replaces_plain_cut_and_escaped_secrets() {
        let plain = format!("wrong key {SECRET}, again {SECRET}");
        assert_eq!(scrubbed(&plain), "wrong key [secret], again [secret]");
        assert_eq!(scrubbed("wrong key sk-PROVKEY/SEC"), "wrong key [secret]");
        assert_eq!(scrubbed("wrong key sk-PROV"), "wrong key sk-PROV");
        let escaped = SECRET.replace('/', "\\/").replace('s', "\\u0073");
        assert_eq!(scrubbed(&format!("wrong key {escaped}")), "[secret]");
    }

    #[test]
    fn removes_headers_that_show_a_secret() {
        let value = |text: &str| text.parse().unwrap();
        let mut headers = HeaderMap::new();
        headers.insert("request-id", value("req_1"));
        headers.append("x-request-id", value("req_1"));
        headers.append("x-request-id", value(&format!("key={SECRET}")));
        remove_headers_with(&mut headers, SECRET.as_bytes());
        assert_eq!(headers.keys().collect::<Vec<_>>(), ["request-id"]);
    }

    proptest! {
        #[test]
        fn finds_a_secret_however_json_escapes_it(
            before in ".{0,20}",
            after in ".{0,20}",
            escaped in prop::collection::vec(any::<bool>(), SECRET.len()),
        ) {
            let text = serde_json::to_string(&before).unwrap();
            let mut text = text[..text.len() - 1].to_owned();
            for (char, escaped) in SECRET.chars().zip(escaped) {
                if escaped {
                    text += &format!("\\u{:04X}", u32::from(char));
                } else {
                    text.push(char);
                }
            }
            text += &serde_json::to_string(&after).unwrap()[1..];
            prop_assert!(shows(text.as_bytes(), SECRET.as_bytes()));
        }

        #[test]
        fn finds_a_secret_however_it_is_cut(before in ".{0,20}", length in SECRET_BEGINNING_BYTES_MIN..SECRET.len()) {
            let text = before + &SECRET[..length];
            prop_assert!(shows(text.as_bytes(), SECRET.as_bytes()));
            prop_assert!(!scrubbed(&text).contains(&SECRET[..length]));
        }

        #[test]
        fn texts_without_the_secret_stay(text in "[a-z \\\\\"/{}]{0,60}") {
            prop_assert!(!shows(text.as_bytes(), SECRET.as_bytes()));
            prop_assert_eq!(scrubbed(&text), text);
        }
    }
}
