//! Tests what codes and device codes are refused for.

use tokio::time::advance;

use super::*;
use crate::oauth::MockOAuthOptions;

const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const REDIRECT: &str = "http://127.0.0.1:1/callback";

/// The example of RFC 7636, appendix B.
const AUTHORIZATION: Authorization<'_> = Authorization {
    client: "me",
    redirect_uri: REDIRECT,
    challenge: "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
};

#[tokio::test]
async fn code_is_valid_once_for_its_client_redirect_and_verifier() {
    let oauth = MockOAuth::new(MockOAuthOptions::default());
    let other = "a".repeat(43);
    for (client, redirect, verifier) in [
        ("you", REDIRECT, VERIFIER),
        ("me", "http://127.0.0.1:2/callback", VERIFIER),
        ("me", REDIRECT, other.as_str()),
    ] {
        let code = oauth.issue_code("alice", &AUTHORIZATION);
        let refused = oauth.exchange_code(&code, client, redirect, verifier);
        assert_eq!(refused.unwrap_err(), GrantError::InvalidGrant);
        // A wrong exchange uses the code up, too.
        let again = oauth.exchange_code(&code, "me", REDIRECT, VERIFIER);
        assert_eq!(again.unwrap_err(), GrantError::InvalidGrant);
    }
    let code = oauth.issue_code("alice", &AUTHORIZATION);
    let (account, tokens) = oauth
        .exchange_code(&code, "me", REDIRECT, VERIFIER)
        .unwrap();
    assert_eq!(account, "alice");
    assert_eq!(oauth.accept(&tokens.access, Instant::now()), Ok(account));
    let again = oauth.exchange_code(&code, "me", REDIRECT, VERIFIER);
    assert_eq!(again.unwrap_err(), GrantError::InvalidGrant);
}

#[tokio::test(start_paused = true)]
async fn each_early_poll_makes_the_interval_five_seconds_longer() {
    let oauth = MockOAuth::new(MockOAuthOptions::default());
    let codes = oauth.begin_device("me", Instant::now());
    let poll = || oauth.poll_device(&codes.device, "me", Instant::now());
    assert_eq!(poll().unwrap_err(), GrantError::SlowDown);
    advance(Duration::from_secs(5)).await;
    assert_eq!(poll().unwrap_err(), GrantError::SlowDown);
    advance(Duration::from_secs(11)).await;
    assert_eq!(poll().unwrap_err(), GrantError::AuthorizationPending);
    assert_eq!(oauth.counts().polled_too_early, 2);
    let other = oauth.poll_device(&codes.device, "you", Instant::now());
    assert_eq!(other.unwrap_err(), GrantError::InvalidGrant);
    assert!(!oauth.enter_code("MOCK-9999", Some("alice")));
    assert!(oauth.enter_code(&codes.user, Some("alice")));
    advance(Duration::from_secs(11)).await;
    assert_eq!(poll().unwrap().0, "alice");
    assert_eq!(poll().unwrap_err(), GrantError::InvalidGrant);
}

#[tokio::test(start_paused = true)]
async fn device_code_ends_by_refusal_and_by_expiry() {
    let oauth = MockOAuth::new(MockOAuthOptions::default());
    let end = async |wait: u64, decide: &dyn Fn(&str)| {
        let codes = oauth.begin_device("me", Instant::now());
        decide(&codes.user);
        advance(Duration::from_secs(wait)).await;
        oauth.poll_device(&codes.device, "me", Instant::now())
    };
    let refuse = |code: &str| assert!(oauth.enter_code(code, None));
    let refused = end(1, &refuse).await;
    assert_eq!(refused.unwrap_err(), GrantError::AccessDenied);
    let late = end(600, &|_| {}).await;
    assert_eq!(late.unwrap_err(), GrantError::ExpiredToken);
}
