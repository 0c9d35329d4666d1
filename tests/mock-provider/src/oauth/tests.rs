//! Tests rotation, reuse, expiry, and the validation of token requests.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Bytes, to_bytes};
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Uri};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tokio::time::{Instant, advance};

use super::{GrantError, MockOAuth, MockOAuthOptions, Rotation, Unauthorized, token};
use crate::MockProvider;
use crate::routes::post_chat;

fn oauth(rotation: Rotation) -> MockOAuth {
    MockOAuth::new(MockOAuthOptions {
        rotation,
        ..MockOAuthOptions::default()
    })
}

#[tokio::test]
async fn reuse_revokes_all_tokens_with_strict_rotation() {
    let oauth = oauth(Rotation::Strict);
    let now = Instant::now();
    let first = oauth.open("alice").refresh.unwrap();
    let bob = oauth.open("bob");
    let second = oauth.refresh(&first, now).unwrap();
    let third = oauth.refresh(&second.refresh.unwrap(), now).unwrap();
    assert_eq!(oauth.accept(&third.access, now), Ok("alice".to_owned()));

    assert_eq!(oauth.refresh(&first, now), Err(GrantError::InvalidGrant));
    let newest = third.refresh.unwrap();
    assert_eq!(oauth.refresh(&newest, now), Err(GrantError::InvalidGrant));
    assert_eq!(oauth.accept(&third.access, now), Err(Unauthorized::Expired));
    assert_eq!(oauth.accept(&bob.access, now), Ok("bob".to_owned()));
    let counts = oauth.counts();
    assert_eq!((counts.refreshed, counts.invalid_grant), (2, 2));
    assert_eq!((counts.reused, counts.revoked), (2, 1));
}

#[tokio::test]
async fn refresh_token_is_reusable_until_its_successor_is_used() {
    let oauth = oauth(Rotation::UntilFirstUse);
    let now = Instant::now();
    let first = oauth.open("alice").refresh.unwrap();
    let lost = oauth.refresh(&first, now).unwrap();
    let current = oauth.refresh(&first, now).unwrap();
    assert_ne!(lost, current);
    oauth.accept(&current.access, now).unwrap();
    assert_eq!(oauth.refresh(&first, now), Err(GrantError::InvalidGrant));
    // The refresh tokens from before the used access token are invalid; its own one is valid.
    let older = lost.refresh.unwrap();
    assert_eq!(oauth.refresh(&older, now), Err(GrantError::InvalidGrant));
    let next = oauth.refresh(&current.refresh.unwrap(), now).unwrap();
    oauth.accept(&next.access, now).unwrap();
    assert_eq!(oauth.counts().revoked, 0);
}

#[tokio::test]
async fn without_rotation_no_new_refresh_token_is_issued() {
    let oauth = oauth(Rotation::Never);
    let now = Instant::now();
    let first = oauth.open("alice").refresh.unwrap();
    for _ in 0..3 {
        let tokens = oauth.refresh(&first, now).unwrap();
        assert_eq!(tokens.refresh, None);
        oauth.end_access("alice");
    }
}

#[tokio::test(start_paused = true)]
async fn access_token_expires() {
    let oauth = oauth(Rotation::Strict);
    let tokens = oauth.open("alice");
    advance(Duration::from_secs(3_599)).await;
    assert!(oauth.accept(&tokens.access, Instant::now()).is_ok());
    advance(Duration::from_secs(1)).await;
    let over = oauth.accept(&tokens.access, Instant::now());
    assert_eq!(over, Err(Unauthorized::Expired));
    for unknown in ["alice.access.9", "carol.access.0", "alice.refresh.0", ""] {
        let refused = oauth.accept(unknown, Instant::now());
        assert_eq!(refused, Err(Unauthorized::Unknown), "{unknown}");
    }
    assert_eq!(oauth.counts().unauthorized, 5);
    assert!(
        oauth
            .refresh(&tokens.refresh.unwrap(), Instant::now())
            .is_ok()
    );
}

#[tokio::test]
async fn access_token_expires_after_its_call_limit() {
    let oauth = MockOAuth::new(MockOAuthOptions {
        calls_max: Some(2),
        ..MockOAuthOptions::default()
    });
    let now = Instant::now();
    let tokens = oauth.open("alice");
    assert!(oauth.accept(&tokens.access, now).is_ok() && oauth.accept(&tokens.access, now).is_ok());
    let over = oauth.accept(&tokens.access, now);
    assert_eq!(over, Err(Unauthorized::Expired));
    let next = oauth.refresh(&tokens.refresh.unwrap(), now).unwrap();
    assert!(oauth.accept(&next.access, now).is_ok());
}

/// Posts a form; returns the status, the body, and whether the response has `www-authenticate`.
async fn post(
    provider: &Arc<MockProvider>,
    headers: &[(&'static str, &str)],
    body: &str,
) -> (u16, Value, bool) {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        let value = HeaderValue::from_str(value).unwrap();
        map.insert(HeaderName::from_static(name), value);
    }
    let body = Bytes::copy_from_slice(body.as_bytes());
    let response = token(State(Arc::clone(provider)), map, body).await;
    let (head, body) = response.into_parts();
    assert_eq!(head.headers["cache-control"], "no-store");
    let body = to_bytes(body, 1 << 16).await.unwrap();
    let challenged = head.headers.contains_key("www-authenticate");
    (
        head.status.as_u16(),
        serde_json::from_slice(&body).unwrap(),
        challenged,
    )
}

fn provider() -> Arc<MockProvider> {
    let provider = MockProvider::with_oauth(MockOAuthOptions {
        client: Some(("me".to_owned(), "s3:cr%t&".to_owned())),
        ..MockOAuthOptions::default()
    });
    provider.oauth().unwrap().open("alice");
    provider
}

const FORM: (&str, &str) = (
    "content-type",
    "application/x-www-form-urlencoded; charset=utf-8",
);
const GRANT: &str = "grant_type=refresh_token&refresh_token=alice.refresh.0";
const CLIENT: &str = "client_id=me&client_secret=s3%3Acr%25t%26";
/// `me:s3%3Acr%25t%26`
const BASIC: (&str, &str) = ("authorization", "Basic bWU6czMlM0FjciUyNXQlMjY=");

#[tokio::test]
async fn refresh_response_follows_the_rfc() {
    let body = format!("{GRANT}&{CLIENT}&scope=chat");
    let (status, response, _) = post(&provider(), &[FORM], &body).await;
    assert_eq!(status, 200, "{response}");
    let expected = json!({
        "access_token": "alice.access.1",
        "token_type": "Bearer",
        "expires_in": 3600,
        "scope": "chat",
        "refresh_token": "alice.refresh.1",
    });
    assert_eq!(response, expected);
    let (status, ..) = post(&provider(), &[FORM, BASIC], GRANT).await;
    assert_eq!(status, 200);
}

/// The headers and the body of a request, and the status and the error code of its rejection.
type RejectedRequest<'a> = (&'a [(&'static str, &'a str)], String, u16, &'a str);

async fn assert_rejected(provider: &Arc<MockProvider>, cases: &[RejectedRequest<'_>]) {
    for (headers, body, status, code) in cases {
        let (found, response, challenged) = post(provider, headers, body).await;
        let expected = (*status, &json!(code));
        assert_eq!((found, &response["error"]), expected, "{headers:?} {body}");
        // A client that used the header gets the accepted scheme.
        let with_header = headers.iter().any(|(name, _)| *name == "authorization");
        assert_eq!(
            challenged,
            *status == 401 && with_header,
            "{headers:?} {body}"
        );
    }
}

#[tokio::test]
async fn invalid_form_is_rejected_and_uses_no_token() {
    let provider = provider();
    let json_body = ("content-type", "application/json");
    let (whole, invalid) = (format!("{GRANT}&{CLIENT}"), "invalid_request");
    let with = |fields: &str| format!("{CLIENT}&{fields}");
    let cases: [RejectedRequest<'_>; 9] = [
        (&[json_body], whole.clone(), 400, invalid),
        (&[], whole.clone(), 400, invalid),
        (&[FORM], with("refresh_token=alice.refresh.0"), 400, invalid),
        (&[FORM], with("grant_type=refresh_token"), 400, invalid),
        (
            &[FORM],
            format!("{whole}&grant_type=refresh_token"),
            400,
            invalid,
        ),
        (&[FORM, BASIC], whole.clone(), 400, invalid),
        (
            &[FORM],
            with("grant_type=password"),
            400,
            "unsupported_grant_type",
        ),
        (
            &[FORM],
            format!("{whole}&scope=chat+admin"),
            400,
            "invalid_scope",
        ),
        (
            &[FORM, BASIC],
            GRANT.replace("alice", "carol"),
            400,
            "invalid_grant",
        ),
    ];
    assert_rejected(&provider, &cases).await;
    let counts = provider.oauth().unwrap().counts();
    assert_eq!((counts.invalid_request, counts.invalid_grant), (8, 1));
    let (status, ..) = post(&provider, &[FORM, BASIC], GRANT).await;
    assert_eq!(status, 200);
}

#[tokio::test]
async fn unauthenticated_client_is_rejected_and_uses_no_token() {
    let provider = provider();
    let bad_basic = ("authorization", "Basic bWU6d3Jvbmc=");
    let bearer = ("authorization", "Bearer bWU6czMlM0FjciUyNXQlMjY=");
    // `me:s3:cr%t&`: HTTP Basic without the form encoding of OAuth.
    let not_encoded = ("authorization", "Basic bWU6czM6Y3IldCY=");
    let in_form = format!("{GRANT}&client_id=me&client_secret=no");
    let cases: [RejectedRequest<'_>; 5] = [
        (&[FORM], GRANT.to_owned(), 401, "invalid_client"),
        (&[FORM], in_form, 401, "invalid_client"),
        (&[FORM, bad_basic], GRANT.to_owned(), 401, "invalid_client"),
        (&[FORM, bearer], GRANT.to_owned(), 401, "invalid_client"),
        (
            &[FORM, not_encoded],
            GRANT.to_owned(),
            401,
            "invalid_client",
        ),
    ];
    assert_rejected(&provider, &cases).await;
    assert_eq!(provider.oauth().unwrap().counts().invalid_client, 5);
    let (status, ..) = post(&provider, &[FORM, BASIC], GRANT).await;
    assert_eq!(status, 200);
}

#[tokio::test]
async fn basic_credentials_must_be_form_encoded() {
    let provider = MockProvider::with_oauth(MockOAuthOptions {
        client: Some(("app:1+ü".to_owned(), "p%4 a&b=c*~".to_owned())),
        rotation: Rotation::Never,
        ..MockOAuthOptions::default()
    });
    provider.oauth().unwrap().open("alice");
    for (pair, status) in [
        // Not encoded, and partly encoded.
        ("app:1+ü:p%4 a&b=c*~", 401),
        ("app%3A1%2B%C3%BC:p%4 a&b=c*~", 401),
        ("app%3A1%2B%C3%BC:p%254%20a%26b%3Dc%2A~", 200),
        ("app%3A1%2B%C3%BC:p%254+a%26b%3Dc*%7E", 200),
    ] {
        let header = format!("Basic {}", STANDARD.encode(pair));
        let header = ("authorization", header.as_str());
        let (found, response, _) = post(&provider, &[FORM, header], GRANT).await;
        assert_eq!(found, status, "{pair}: {response}");
    }
}

#[tokio::test]
async fn call_with_expired_access_token_gets_an_openai_error() {
    let provider = provider();
    let body = json!({ "model": "m", "messages": [{ "role": "user", "content": "hi" }] });
    let call = async |token: &str| {
        let mut headers = HeaderMap::new();
        let value = HeaderValue::from_str(&format!("Bearer {token}")).unwrap();
        headers.insert("authorization", value);
        let body = Bytes::from(body.to_string());
        let uri = Uri::from_static("/v1/chat/completions");
        let response = post_chat(State(Arc::clone(&provider)), uri, headers, body).await;
        let (head, body) = response.into_parts();
        let body = to_bytes(body, 1 << 16).await.unwrap();
        let body: Value = serde_json::from_slice(&body).unwrap();
        (head.status.as_u16(), body)
    };
    let (status, response) = call("alice.access.0").await;
    assert_eq!(
        (status, &response["x_mock"]["served_by"]),
        (200, &json!("alice"))
    );
    provider.oauth().unwrap().end_access("alice");
    let (status, refused) = call("alice.access.0").await;
    assert_eq!(status, 401);
    assert_eq!(refused["error"]["code"], "invalid_api_key");
    assert!(refused["error"]["message"].is_string() && refused["error"]["type"].is_string());
    assert_eq!(provider.calls()["alice"], 1);
}
