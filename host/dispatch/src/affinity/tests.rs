//! Where sessions are found, and that their hashes are stable.

use http::HeaderValue;
use proptest::prelude::*;

use super::*;

fn session(keys: &[AffinityKey], header: Option<(&'static str, &str)>, body: &str) -> Option<u64> {
    let mut headers = HeaderMap::new();
    if let Some((name, value)) = header {
        headers.insert(name, HeaderValue::from_str(value).unwrap());
    }
    let hints = SessionHints {
        headers: &headers,
        body: body.as_bytes(),
        principal: "team-a",
    };
    session_hash(keys, &hints)
}

#[test]
fn cliproxyapi_compat_1_19_finds_session_where_tools_send_it() {
    let expected = hash("s-1");
    assert!(expected.is_some());
    let headers = [
        "x-claude-code-session-id",
        "x-session-id",
        "x-session-affinity",
    ];
    for name in headers {
        let found = session(&AffinityKey::defaults(), Some((name, "s-1")), "{}");
        assert_eq!(found, expected, "{name}");
    }
    for body in [
        r#"{"prompt_cache_key":"s-1"}"#,
        r#"{"metadata":{"user_id":"s-1"}}"#,
        r#"{"conversation_id":"s-1"}"#,
        r#"{"session_id":"s-1"}"#,
    ] {
        let found = session(&AffinityKey::defaults(), None, body);
        assert_eq!(found, expected, "{body}");
    }
    let neither = r#"{"metadata":{"user_id":7},"session_id":null}"#;
    assert_eq!(session(&AffinityKey::defaults(), None, neither), None);
}

#[test]
fn the_first_place_that_names_a_session_counts() {
    let keys = [
        AffinityKey::Header(HeaderName::from_static("x-session-id")),
        AffinityKey::BodyPointer(Arc::from("/user")),
        AffinityKey::ClientKey,
    ];
    let body = r#"{"user":"u"}"#;
    assert_eq!(session(&keys, Some(("x-session-id", "s")), body), hash("s"));
    assert_eq!(session(&keys, Some(("x-session-id", " ")), body), hash("u"));
    assert_eq!(session(&keys, None, body), hash("u"));
    assert_eq!(session(&keys, None, "no json"), hash("team-a"));
    assert_eq!(session(&[], None, body), None);
}

#[test]
fn the_hash_is_the_same_after_a_restart() {
    assert_eq!(hash("session-1"), Some(EXPECTED));
}

/// The first 53 bits, by `printf session-1 | sha256sum`.
const EXPECTED: u64 = 0x84097828fc31a8c8 >> 11;

#[test]
fn ignores_invalid_session_names() {
    assert_eq!(hash(&"x".repeat(257)), None);
    assert!(hash(&"x".repeat(256)).is_some());
    for none in ["", "  ", "a\u{7}b", "a\u{85}b"] {
        assert_eq!(hash(none), None, "{none:?}");
    }
}

proptest! {
    #[test]
    fn hash_is_a_safe_javascript_integer(value in "\\PC{1,80}") {
        prop_assert!(hash(&value).is_none_or(|hash| hash < 1 << 53));
    }
}
