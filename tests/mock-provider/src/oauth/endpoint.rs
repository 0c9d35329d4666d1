//! The HTTP of the token endpoint: the form, the client's credentials, the responses.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, HOST, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};
use url::form_urlencoded::parse;

use super::{GrantError, MockOAuth, MockTokens};
use crate::MockProvider;
use crate::errors::json_response;

/// Serves a token request (RFC 6749, sections 4.1.3, 5 and 6, and RFC 8628, section 3.4).
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
        Ok(body) => no_store_response(StatusCode::OK, &body),
        Err(error) => error_response(oauth, &headers, &error),
    }
}

/// The error code and description of RFC 6749, section 5.2.
pub(super) struct TokenRequestError {
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
            GrantError::AccessDenied => ("access_denied", "the person refused"),
            GrantError::AuthorizationPending => ("authorization_pending", "wait"),
            GrantError::ExpiredToken => ("expired_token", "the device code has expired"),
            GrantError::SlowDown => ("slow_down", "poll less often"),
            GrantError::InvalidClient => (INVALID_CLIENT, "the client id or secret is wrong"),
            GrantError::InvalidGrant => (
                INVALID_GRANT,
                "the token or code is used, unknown or of another client",
            ),
        };
        Self {
            code,
            description: description.to_owned(),
        }
    }
}

fn grant(oauth: &MockOAuth, headers: &HeaderMap, body: &[u8]) -> Result<Value, TokenRequestError> {
    let form = parse_form(headers, body)?;
    let field = |name: &str| field(&form, name);
    let required = |name: &str| {
        let missing =
            || TokenRequestError::invalid_request(format!("the field `{name}` is missing"));
        field(name).ok_or_else(missing)
    };
    let client = client_of(oauth, headers, &form);
    let (account, tokens) = match required("grant_type")? {
        "refresh_token" => {
            // A public client need not name itself here.
            oauth.check_client(
                client_credentials(headers, &form)?
                    .as_ref()
                    .map(|(id, secret)| (id.as_str(), secret.as_str())),
            )?;
            let refresh = required("refresh_token")?;
            check_scope(field("scope"))?;
            return Ok(token_body(&oauth.refresh(refresh, Instant::now())?));
        }
        "authorization_code" => oauth.exchange_code(
            required("code")?,
            &client?,
            required("redirect_uri")?,
            required("code_verifier")?,
        )?,
        DEVICE_GRANT => {
            let client = client?;
            oauth.poll_device(required("device_code")?, &client, Instant::now())?
        }
        other => {
            return Err(TokenRequestError {
                code: "unsupported_grant_type",
                description: format!("the grant type `{other}` is not supported"),
            });
        }
    };
    let mut body = token_body(&tokens);
    let claims = json!({
        "iss": issuer(headers),
        "aud": client_of(oauth, headers, &form)?,
        "sub": account,
        "email": format!("{account}@example.com"),
    });
    body["id_token"] = id_token(&claims).into();
    body["account"] = json!({ "id": account });
    Ok(body)
}

/// An `id_token` whose signature nothing checks: it comes from the token endpoint.
fn id_token(claims: &Value) -> String {
    let part = |text: String| URL_SAFE_NO_PAD.encode(text);
    let header = json!({ "alg": "RS256" }).to_string();
    format!(
        "{}.{}.{}",
        part(header),
        part(claims.to_string()),
        part("mock".to_owned())
    )
}

fn check_scope(scope: Option<&str>) -> Result<(), TokenRequestError> {
    if scope.is_some_and(|scope| scope.split(' ').any(|word| word != SCOPE)) {
        return Err(TokenRequestError {
            code: "invalid_scope",
            description: format!("the only scope is `{SCOPE}`"),
        });
    }
    Ok(())
}

/// Returns the client that a request authenticates or, if it is a public one, names (RFC 6749, section 3.2.1).
pub(super) fn client_of(
    oauth: &MockOAuth,
    headers: &HeaderMap,
    form: &BTreeMap<String, String>,
) -> Result<String, TokenRequestError> {
    let given = client_credentials(headers, form)?;
    oauth.check_client(
        given
            .as_ref()
            .map(|(id, secret)| (id.as_str(), secret.as_str())),
    )?;
    let named = given.map(|(id, _)| id);
    let named = named.or_else(|| field(form, "client_id").map(str::to_owned));
    named.ok_or_else(|| TokenRequestError::invalid_request("the field `client_id` is missing"))
}

/// Returns a field that is not empty.
fn field<'a>(form: &'a BTreeMap<String, String>, name: &str) -> Option<&'a str> {
    form.get(name)
        .map(String::as_str)
        .filter(|text| !text.is_empty())
}

/// Returns the form's fields. A field must not be repeated (RFC 6749, section 3.2).
pub(super) fn parse_form(
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
fn client_credentials(
    headers: &HeaderMap,
    form: &BTreeMap<String, String>,
) -> Result<Option<(String, String)>, TokenRequestError> {
    let in_form = field(form, "client_secret").map(|secret| {
        let id = field(form, "client_id").unwrap_or_default();
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

/// The issuer: the origin that the request was sent to.
pub(super) fn issuer(headers: &HeaderMap) -> String {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    format!("http://{}", host.unwrap_or_default())
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

pub(super) fn error_response(
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

pub(super) fn no_store_response(status: StatusCode, body: &Value) -> Response<Body> {
    let mut response = json_response(body);
    *response.status_mut() = status;
    let never = HeaderValue::from_static("no-store");
    response.headers_mut().insert(CACHE_CONTROL, never);
    response
}

/// The grant type of RFC 8628, section 3.4.
const DEVICE_GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";

const FORM: &str = "application/x-www-form-urlencoded";
const INVALID_CLIENT: &str = "invalid_client";
const INVALID_GRANT: &str = "invalid_grant";

/// The scope of all tokens.
const SCOPE: &str = "chat";
