//! The HTTP of logins: the authorization endpoint and the device authorization endpoint.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header::LOCATION;
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode, Uri};
use serde_json::json;
use tokio::time::Instant;
use url::Url;
use url::form_urlencoded::parse;

use super::endpoint::{client_of, error_response, issuer, no_store_response, parse_form};
use super::login::Authorization;
use super::{MockConsent, MockOAuth};
use crate::MockProvider;

/// Serves an authorization request (RFC 6749, section 4.1.1). The person decides as the test has set.
pub(crate) async fn authorize(
    State(provider): State<Arc<MockProvider>>,
    headers: HeaderMap,
    uri: Uri,
) -> Response<Body> {
    let Some(oauth) = provider.oauth() else {
        return refused(StatusCode::NOT_FOUND, "there is no login");
    };
    let query: BTreeMap<_, _> = parse(uri.query().unwrap_or_default().as_bytes())
        .into_owned()
        .collect();
    let field = |name: &str| query.get(name).map(String::as_str).unwrap_or_default();
    let authorization = Authorization {
        client: field("client_id"),
        redirect_uri: field("redirect_uri"),
        challenge: field("code_challenge"),
    };
    let mut target = match check(oauth, &authorization, &field) {
        Ok(target) => target,
        Err(message) => return refused(StatusCode::BAD_REQUEST, message),
    };
    let mut state = field("state").to_owned();
    let mut issuer = issuer(&headers);
    let account = match oauth.take_consent() {
        MockConsent::Approve(account) => Some(account),
        MockConsent::Deny => None,
        MockConsent::OtherState(account) => {
            state.replace_range(..1, "~");
            Some(account)
        }
        MockConsent::OtherIssuer(account) => {
            "https://another.example".clone_into(&mut issuer);
            Some(account)
        }
    };
    let mut callback = target.query_pairs_mut();
    callback
        .append_pair("state", &state)
        .append_pair("iss", &issuer);
    match account {
        Some(account) => {
            callback.append_pair("code", &oauth.issue_code(&account, &authorization));
        }
        None => {
            callback.append_pair("error", "access_denied");
        }
    }
    drop(callback);
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::FOUND;
    if let Ok(target) = HeaderValue::from_str(target.as_str()) {
        response.headers_mut().insert(LOCATION, target);
    }
    response
}

/// Checks an authorization request; returns where it redirects to.
fn check<'a>(
    oauth: &MockOAuth,
    authorization: &Authorization<'_>,
    field: &impl Fn(&str) -> &'a str,
) -> Result<Url, &'static str> {
    let target = Url::parse(authorization.redirect_uri).ok();
    let target = target.filter(is_loopback);
    let target = target.ok_or("the redirect is not registered")?;
    let client = authorization.client;
    let known = oauth.options.client.as_ref();
    if client.is_empty() || known.is_some_and(|(id, _)| id != client) {
        return Err("the client is unknown");
    }
    if field("response_type") != "code"
        || field("code_challenge_method") != "S256"
        || authorization.challenge.len() != CHALLENGE_CHARS
        || field("state").len() < STATE_CHARS_MIN
    {
        return Err("a code with PKCE and a state is required");
    }
    Ok(target)
}

/// Serves a device authorization request (RFC 8628, section 3.1).
pub(crate) async fn device(
    State(provider): State<Arc<MockProvider>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let Some(oauth) = provider.oauth() else {
        return refused(StatusCode::NOT_FOUND, "there is no login");
    };
    let parsed = parse_form(&headers, &body);
    let client = parsed.and_then(|form| client_of(oauth, &headers, &form));
    let client = match client {
        Ok(client) => client,
        Err(error) => return error_response(oauth, &headers, &error),
    };
    let codes = oauth.begin_device(&client, Instant::now());
    let origin = issuer(&headers);
    no_store_response(
        StatusCode::OK,
        &json!({
            "device_code": codes.device,
            "user_code": codes.user,
            "verification_uri": format!("{origin}/oauth/enter"),
            "expires_in": oauth.options.device_lifetime.as_secs(),
            "interval": oauth.options.poll_interval.as_secs(),
        }),
    )
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    url.scheme() == "http" && ["127.0.0.1", "[::1]", "localhost"].contains(&host)
}

fn refused(status: StatusCode, message: &str) -> Response<Body> {
    let body = json!({ "error": "invalid_request", "error_description": message });
    no_store_response(status, &body)
}

/// The length of a challenge by S256: 32 bytes in base64 (RFC 7636, section 4.2).
const CHALLENGE_CHARS: usize = 43;

/// The shortest state that cannot be guessed: 128 bits in base64.
const STATE_CHARS_MIN: usize = 22;
