//! Keeps keys out of a recorded case: those of the provider, and those in the client's headers and query.

use super::client_request::ClientRequest;
use super::recorder::Exchange;

/// Replaces the secrets of both sides in a body.
pub(super) fn remove(body: &[u8], request: &ClientRequest, exchange: &Exchange) -> Vec<u8> {
    let own = request.headers.iter();
    let own = own.filter(|(name, _)| SECRET_HEADERS.contains(&name.as_str()));
    let own = own.filter_map(|(_, value)| value.to_str().ok()?.rsplit(' ').next());
    let secrets = exchange.secrets.iter().map(String::as_str).chain(own);
    let mut body = body.to_vec();
    for secret in secrets.filter(|secret| !secret.is_empty()) {
        body = replace(&body, secret.as_bytes(), b"[secret]");
    }
    body
}

/// Returns the client's path without the values of its query, of which one may be a key.
pub(super) fn public_path(path: &str) -> String {
    let Some((path, query)) = path.split_once('?') else {
        return path.to_owned();
    };
    let is_public = |pair: &&str| PUBLIC_QUERY.contains(pair);
    let query: Vec<&str> = query.split('&').filter(is_public).collect();
    match query.is_empty() {
        true => path.to_owned(),
        false => format!("{path}?{}", query.join("&")),
    }
}

fn replace(text: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix(from) {
            out.extend_from_slice(to);
            rest = after;
        } else {
            out.push(rest[0]);
            rest = &rest[1..];
        }
    }
    out
}

/// Parts of a query that are no secrets.
const PUBLIC_QUERY: [&str; 2] = ["alt=sse", "beta=true"];

/// Headers of clients whose values are keys.
const SECRET_HEADERS: [&str; 4] = ["api-key", "authorization", "x-api-key", "x-goog-api-key"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replaces_all_secrets() {
        assert_eq!(
            replace(b"a sk-1 b sk-1", b"sk-1", b"[secret]"),
            b"a [secret] b [secret]"
        );
    }
}
