//! The token endpoint's HTTP: the form, the client's credentials, the answers.

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

use super::{PracticeOAuth, PracticeTokens, Refused};
use crate::practice::PracticeProvider;
use crate::practice::voice::json_response;

/// Answers a token request: RFC 6749, sections 5 and 6.
pub(in crate::practice) async fn token(
    State(provider): State<Arc<PracticeProvider>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let Some(oauth) = provider.oauth() else {
        return answer(
            StatusCode::NOT_FOUND,
            &json!({ "error": "invalid_request" }),
        );
    };
    let granted = granted(oauth, &headers, &body);
    sleep(oauth.options.pause).await;
    match granted {
        Ok(tokens) => answer(StatusCode::OK, &told(&tokens)),
        Err(wrong) => refuse(oauth, &headers, &wrong),
    }
}

/// What is wrong with a request: the code and the words of section 5.2.
struct Wrong {
    code: &'static str,
    description: String,
}

impl Wrong {
    fn request(description: impl Into<String>) -> Self {
        Self {
            code: "invalid_request",
            description: description.into(),
        }
    }
}

impl From<Refused> for Wrong {
    fn from(refused: Refused) -> Self {
        let (code, description) = match refused {
            Refused::InvalidClient => (INVALID_CLIENT, "nobody knows this client"),
            Refused::InvalidGrant => (INVALID_GRANT, "the refresh token is used up or unknown"),
        };
        Self {
            code,
            description: description.to_owned(),
        }
    }
}

fn granted(
    oauth: &PracticeOAuth,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<PracticeTokens, Wrong> {
    let form = form(headers, body)?;
    let field = |name: &str| {
        form.get(name)
            .map(String::as_str)
            .filter(|text| !text.is_empty())
    };
    oauth.client(
        client(headers, &field)?
            .as_ref()
            .map(|(id, secret)| (id.as_str(), secret.as_str())),
    )?;
    match field("grant_type") {
        Some("refresh_token") => {}
        Some(other) => {
            return Err(Wrong {
                code: "unsupported_grant_type",
                description: format!("there is no grant `{other}` here"),
            });
        }
        None => return Err(Wrong::request("the field `grant_type` is missing")),
    }
    let refresh = field("refresh_token");
    let refresh = refresh.ok_or_else(|| Wrong::request("the field `refresh_token` is missing"))?;
    if field("scope").is_some_and(|scope| scope.split(' ').any(|word| word != SCOPE)) {
        return Err(Wrong {
            code: "invalid_scope",
            description: format!("tokens have the scope `{SCOPE}`"),
        });
    }
    Ok(oauth.refresh(refresh, Instant::now())?)
}

/// The form's fields. None may be there twice (section 3.2).
fn form(headers: &HeaderMap, body: &[u8]) -> Result<BTreeMap<String, String>, Wrong> {
    let kind = headers
        .get(CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok());
    let kind = kind
        .and_then(|kind| kind.split(';').next())
        .unwrap_or_default();
    if !kind.trim().eq_ignore_ascii_case(FORM) {
        return Err(Wrong::request(format!(
            "the body is `{kind}`, not `{FORM}`"
        )));
    }
    let mut form = BTreeMap::new();
    for (name, value) in parse(body) {
        if form
            .insert(name.clone().into_owned(), value.into_owned())
            .is_some()
        {
            return Err(Wrong::request(format!("the field `{name}` is there twice")));
        }
    }
    Ok(form)
}

/// The client's id and secret, from the header or the form, but not from both (section 2.3).
fn client<'a>(
    headers: &HeaderMap,
    field: &impl Fn(&str) -> Option<&'a str>,
) -> Result<Option<(String, String)>, Wrong> {
    let in_form = field("client_secret").map(|secret| {
        let id = field("client_id").unwrap_or_default();
        (id.to_owned(), secret.to_owned())
    });
    let Some(header) = headers.get(AUTHORIZATION) else {
        return Ok(in_form);
    };
    if in_form.is_some() {
        return Err(Wrong::request("the client proves who it is in two ways"));
    }
    let pair = basic(header).ok_or(Refused::InvalidClient)?;
    Ok(Some(pair))
}

/// User and password of RFC 7617, form-encoded as section 2.3.1 has it.
fn basic(header: &HeaderValue) -> Option<(String, String)> {
    let (scheme, encoded) = header.to_str().ok()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(STANDARD.decode(encoded).ok()?).ok()?;
    let (user, password) = text.split_once(':')?;
    Some((form_decoded(user)?, form_decoded(password)?))
}

/// The text that this stands for, if a client that encodes could have written it so: a plain `:`, a
/// space or a `%` without digits shows one that does not.
fn form_decoded(encoded: &str) -> Option<String> {
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

fn told(tokens: &PracticeTokens) -> Value {
    let mut told = json!({
        "access_token": tokens.access,
        "token_type": "Bearer",
        "expires_in": tokens.lifetime.as_secs(),
        "scope": SCOPE,
    });
    if let Some(refresh) = &tokens.refresh {
        told["refresh_token"] = refresh.as_str().into();
    }
    told
}

fn refuse(oauth: &PracticeOAuth, headers: &HeaderMap, wrong: &Wrong) -> Response<Body> {
    let body = json!({ "error": wrong.code, "error_description": wrong.description });
    if wrong.code != INVALID_CLIENT {
        if wrong.code != INVALID_GRANT {
            oauth.count(|counts| counts.invalid_request += 1);
        }
        return answer(StatusCode::BAD_REQUEST, &body);
    }
    oauth.count(|counts| counts.invalid_client += 1);
    let mut response = answer(StatusCode::UNAUTHORIZED, &body);
    if headers.contains_key(AUTHORIZATION) {
        let scheme = HeaderValue::from_static("Basic realm=\"practice\"");
        response.headers_mut().insert(WWW_AUTHENTICATE, scheme);
    }
    response
}

fn answer(status: StatusCode, body: &Value) -> Response<Body> {
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
