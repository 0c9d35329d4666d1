//! Tests what is read of token responses, and what is refused.

use serde_json::json;

use super::*;
use crate::settings::tests::settings;

fn id_token(claims: &Value) -> String {
    let payload = URL_SAFE_NO_PAD.encode(claims.to_string());
    format!("eyJhbGciOiJub25lIn0.{payload}.c2lnbmF0dXJl")
}

fn read(account_from: TokenMember, body: &Value) -> Result<TokenGrant, LoginFailure> {
    let mut settings = settings();
    settings.account_from = Some(account_from);
    TokenGrant::read(&settings, body)
}

fn claim(name: &str) -> TokenMember {
    TokenMember::Claim(name.to_owned())
}

#[test]
fn account_is_read_from_a_claim_or_a_member() {
    let token = id_token(&json!({"aud": ["our client"], "sub": "me@example.com", "n": 7}));
    let body = json!({"access_token": "a", "id_token": token, "account": {"id": " 1-2 "}});
    let account = |from| read(from, &body).unwrap().account.unwrap();
    assert_eq!(account(claim("sub")), "me@example.com");
    assert_eq!(account(claim("n")), "7");
    let pointer = TokenMember::Pointer("/account/id".to_owned());
    assert_eq!(account(pointer), "1-2");
}

#[test]
fn account_that_cannot_be_read_is_a_failure() {
    let ours = id_token(&json!({"aud": "our client", "sub": "me", "long": "x".repeat(257)}));
    let body = json!({"access_token": "a", "id_token": ours});
    for name in ["email", "long", "aud "] {
        assert!(read(claim(name), &body).is_err(), "{name}");
    }
    for other in [
        json!({"aud": "another client", "sub": "me"}),
        json!({"sub": "me"}),
        json!("me"),
    ] {
        let body = json!({"access_token": "a", "id_token": id_token(&other)});
        assert!(read(claim("sub"), &body).is_err(), "{other}");
    }
    for token in ["", "a.b", "a.!.c"] {
        let body = json!({"access_token": "a", "id_token": token});
        assert!(read(claim("sub"), &body).is_err(), "{token}");
    }
    assert!(read(claim("sub"), &json!({"access_token": "a"})).is_err());
}

#[test]
fn no_token_becomes_an_account() {
    let token = "0123456789abcdef0123456789abcdef";
    let id = id_token(&json!({"aud": "our client"}));
    let body = json!({
        "access_token": token,
        "refresh_token": "fedcba9876543210",
        "id_token": id,
        "piece": &token[..20],
        "more": format!("user {token}"),
        "name": "0123",
    });
    let account = |pointer: &str| read(TokenMember::Pointer(pointer.to_owned()), &body);
    for pointer in ["/access_token", "/refresh_token", "/piece", "/more"] {
        let failure = account(pointer).unwrap_err().to_string();
        assert!(failure.contains("is a token"), "{pointer}: {failure}");
        assert!(!failure.contains("0123456789"), "{failure}");
    }
    // Too long for an account.
    assert!(account("/id_token").is_err());
    assert_eq!(account("/name").unwrap().account.unwrap(), "0123");
}

#[test]
fn label_that_cannot_be_read_is_left_out() {
    let mut settings = settings();
    settings.label_from = Some(claim("email"));
    let grant = TokenGrant::read(&settings, &json!({"access_token": "a"})).unwrap();
    assert_eq!(grant.label, None);
}

#[test]
fn tokens_that_no_header_can_have_are_refused() {
    let read = |body: Value| TokenGrant::read(&settings(), &body);
    for body in [
        json!({}),
        json!({"access_token": ""}),
        json!({"access_token": "a b"}),
        json!({"access_token": "a\u{e9}"}),
        json!({"access_token": 7}),
        json!({"access_token": "a".repeat(TOKEN_BYTES_MAX + 1)}),
        json!({"access_token": "a", "refresh_token": "\n"}),
        json!({"access_token": "a", "token_type": "mac"}),
    ] {
        assert!(read(body.clone()).is_err(), "{body}");
    }
    assert!(read(json!({"access_token": "a", "token_type": "bearer"})).is_ok());
    let lifetime = |value| read(json!({"access_token": "a", "expires_in": value}));
    assert_eq!(lifetime(json!(0)).unwrap().expires_in, None);
    // An epoch in milliseconds.
    let far = lifetime(json!(1_780_000_000_000_u64)).unwrap();
    assert_eq!(far.expires_in, None);
    let minute = Some(Duration::from_mins(1));
    assert_eq!(lifetime(json!("60")).unwrap().expires_in, minute);
}
