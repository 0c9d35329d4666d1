//! The HTTP of the token endpoint: the form, the client's credentials, the responses.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};
use url::form_urlencoded::parse;

use super::{GrantError, MockOAuth, MockTokens};
use crate::MockProvider;
use crate::errors::json_response;

/// Serves a token request (RFC 6749, sections 5 and 6).
pub(crate) async fn token(
    State(provider): State<Arc<MockProvider>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let Some(oauth) = provider.oauth() else {
        return no_store_response(
            StatusCode::NOT_FOUND,
            &json!({ "error": "invalid_request" }),
        );
    };
    let granted = grant(oauth, &headers, &body);
    // The tokens have changed already: a client that gives up now has lost them.
    sleep(oauth.options.pause).await;
    match granted {
        Ok(tokens) => no_store_response(StatusCode::OK, &token_body(&tokens)),
        Err(error) => error_response(oauth, &headers, &error),
    }
}

/// The error code and description of RFC 6749, section 5.2.
struct TokenRequestError {
    code: &'static str,
    description: String,
}

impl TokenRequestError {
    fn invalid_request(description: impl Into<String>) -> Self {
        Self {
            code: "invalid_request",
            description: description.into(),
        }
    }
}

impl From<GrantError> for TokenRequestError {
    fn from(error: GrantError) -> Self {
        let (code, description) = match error {
            GrantError::InvalidClient => (INVALID_CLIENT, "the client id or secret is wrong"),
            GrantError::InvalidGrant => (INVALID_GRANT, "the refresh token is used or unknown"),
        };
        Self {
            code,
            description: description.to_owned(),
        }
    }
}

fn grant(
    oauth: &MockOAuth,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<MockTokens, TokenRequestError> {
    let form = parse_form(headers, body)?;
    let field = |name: &str| {
        form.get(name)
            .map(String::as_str)
            .filter(|text| !text.is_empty())
    };
    oauth.check_client(
        client_credentials(headers, &field)?
            .as_ref()
            .map(|(id, secret)| (id.as_str(), secret.as_str())),
    )?;
    match field("grant_type") {
        Some("refresh_token") => {}
        Some(other) => {
            return Err(TokenRequestError {
                code: "unsupported_grant_type",
                description: format!("the grant type `{other}` is not supported"),
            });
        }
        None => {
            return Err(TokenRequestError::invalid_request(
                "the field `grant_type` is missing",
            ));
        }
    }
    let refresh = field("refresh_token");
    let refresh = refresh.ok_or_else(|| {
        TokenRequestError::invalid_request("the field `refresh_token` is missing")
    })?;
    if field("scope").is_some_and(|scope| scope.split(' ').any(|word| word != SCOPE)) {
        return Err(TokenRequestError {
            code: "invalid_scope",
            description: format!("the only scope is `{SCOPE}`"),
        });
    }
    Ok(oauth.refresh(refresh, Instant::now())?)
}

/// Returns the form's fields. A field must not be repeated (RFC 6749, section 3.2).
fn parse_form(
    headers: &HeaderMap,
    body: &[u8],
) -> Result<BTreeMap<String, String>, TokenRequestError> {
    let kind = headers
        .get(CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok());
    let kind = kind
        .and_then(|kind| kind.split(';').next())
        .unwrap_or_default();
    if !kind.trim().eq_ignore_ascii_case(FORM) {
        return Err(TokenRequestError::invalid_request(format!(
            "the content type is `{kind}`, not `{FORM}`"
        )));
    }
    let mut form = BTreeMap::new();
    for (name, value) in parse(body) {
        if form
            .insert(name.clone().into_owned(), value.into_owned())
            .is_some()
        {
            return Err(TokenRequestError::invalid_request(format!(
                "the field `{name}` is repeated"
            )));
        }
    }
    Ok(form)
}

/// Returns the client's id and secret, from the header or the form, but not both (RFC 6749, section 2.3).
fn client_credentials<'a>(
    headers: &HeaderMap,
    field: &impl Fn(&str) -> Option<&'a str>,
) -> Result<Option<(String, String)>, TokenRequestError> {
    let in_form = field("client_secret").map(|secret| {
        let id = field("client_id").unwrap_or_default();
        (id.to_owned(), secret.to_owned())
    });
    let Some(header) = headers.get(AUTHORIZATION) else {
        return Ok(in_form);
    };
    if in_form.is_some() {
        return Err(TokenRequestError::invalid_request(
            "the client uses two authentication methods",
        ));
    }
    let pair = parse_basic(header).ok_or(GrantError::InvalidClient)?;
    Ok(Some(pair))
}

/// Returns the user and the password of HTTP Basic, which are form-encoded (RFC 6749, section 2.3.1).
fn parse_basic(header: &HeaderValue) -> Option<(String, String)> {
    let (scheme, encoded) = header.to_str().ok()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(STANDARD.decode(encoded).ok()?).ok()?;
    let (user, password) = text.split_once(':')?;
    Some((form_decode(user)?, form_decode(password)?))
}

/// Decodes a form-encoded text. Returns `None` for a text with a plain `:`, a space or a `%` without
/// digits: its client did not encode it.
fn form_decode(encoded: &str) -> Option<String> {
    let bytes = encoded.as_bytes();
    let digits = |at: usize| bytes.get(at + 1..at + 3);
    let is_encoded = |(at, byte): (usize, &u8)| match byte {
        b'%' => digits(at).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit)),
        other => other.is_ascii_alphanumeric() || b"*-._~+".contains(other),
    };
    if !bytes.iter().enumerate().all(is_encoded) {
        return None;
    }
    let pair = format!("text={encoded}");
    let (_, text) = parse(pair.as_bytes()).next()?;
    Some(text.into_owned())
}

fn token_body(tokens: &MockTokens) -> Value {
    let mut body = json!({
        "access_token": tokens.access,
        "token_type": "Bearer",
        "expires_in": tokens.lifetime.as_secs(),
        "scope": SCOPE,
    });
    if let Some(refresh) = &tokens.refresh {
        body["refresh_token"] = refresh.as_str().into();
    }
    body
}

fn error_response(
    oauth: &MockOAuth,
    headers: &HeaderMap,
    error: &TokenRequestError,
) -> Response<Body> {
    let body = json!({ "error": error.code, "error_description": error.description });
    if error.code != INVALID_CLIENT {
        if error.code != INVALID_GRANT {
            oauth.count(|counts| counts.invalid_request += 1);
        }
        return no_store_response(StatusCode::BAD_REQUEST, &body);
    }
    oauth.count(|counts| counts.invalid_client += 1);
    let mut response = no_store_response(StatusCode::UNAUTHORIZED, &body);
    if headers.contains_key(AUTHORIZATION) {
        let scheme = HeaderValue::from_static("Basic realm=\"mock\"");
        response.headers_mut().insert(WWW_AUTHENTICATE, scheme);
    }
    response
}

fn no_store_response(status: StatusCode, body: &Value) -> Response<Body> {
    let mut response = json_response(body);
    *response.status_mut() = status;
    let never = HeaderValue::from_static("no-store");
    response.headers_mut().insert(CACHE_CONTROL, never);
    response
}

const FORM: &str = "application/x-www-form-urlencoded";
const INVALID_CLIENT: &str = "invalid_client";
const INVALID_GRANT: &str = "invalid_grant";

/// The scope of all tokens.
const SCOPE: &str = "chat";
