//! The lists of models: what clients may ask for, in the shape of each API.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode, Uri};
use axum::response::IntoResponse;
use bytes::Bytes;
use jackfield_dialect::{Dialect, anthropic, gemini, openai_chat};

use super::admit::IngressError;
use super::{Api, new_id};
use crate::render::{self, GatewayError};

/// `GET /v1/models`, for OpenAI's clients and for Anthropic's.
pub(super) async fn list(
    State(api): State<Arc<Api>>,
    uri: Uri,
    headers: HeaderMap,
) -> Response<Body> {
    respond(&api, &uri, &headers, dialect_of(&uri, &headers), None)
}

/// `GET /v1/models/{model}`.
pub(super) async fn show(
    State(api): State<Arc<Api>>,
    Path(model): Path<String>,
    uri: Uri,
    headers: HeaderMap,
) -> Response<Body> {
    respond(
        &api,
        &uri,
        &headers,
        dialect_of(&uri, &headers),
        Some(&model),
    )
}

/// `GET /v1beta/models`, for Gemini's clients.
pub(super) async fn list_gemini(
    State(api): State<Arc<Api>>,
    uri: Uri,
    headers: HeaderMap,
) -> Response<Body> {
    respond(&api, &uri, &headers, Dialect::Gemini, None)
}

/// `GET /v1beta/models/{model}`.
pub(super) async fn show_gemini(
    State(api): State<Arc<Api>>,
    Path(model): Path<String>,
    uri: Uri,
    headers: HeaderMap,
) -> Response<Body> {
    respond(&api, &uri, &headers, Dialect::Gemini, Some(&model))
}

/// Whether a query has a key, where only Google's API takes one.
fn has_key(query: &str) -> bool {
    query.split('&').any(|pair| pair.starts_with("key="))
}

/// Three APIs have this path. Anthropic's demands a version of every request, and Google's clients say
/// who they are; no other API knows these headers.
fn dialect_of(uri: &Uri, headers: &HeaderMap) -> Dialect {
    if headers.contains_key("anthropic-version") {
        Dialect::AnthropicMessages
    } else if ["x-goog-api-client", "x-goog-api-key"]
        .iter()
        .any(|name| headers.contains_key(*name))
        || uri.query().is_some_and(has_key)
    {
        Dialect::Gemini
    } else {
        Dialect::OpenaiChat
    }
}

fn respond(
    api: &Api,
    uri: &Uri,
    headers: &HeaderMap,
    dialect: Dialect,
    requested: Option<&str>,
) -> Response<Body> {
    let id = new_id();
    if let Err(error) = api.keys.principal(headers, uri.query()) {
        return IngressError::Key(error).render(dialect, &id);
    }
    let names = api.dispatcher.auth().names();
    let owner = |name: &jackfield_credential::ServedName| {
        let first = name.providers.first();
        first.map(ToString::to_string).unwrap_or_default()
    };
    let owned: Vec<_> = names
        .iter()
        .map(|name| (name.name.as_ref(), owner(name)))
        .collect();
    let mut names_and_owners = owned.iter().map(|(name, owner)| (*name, owner.as_str()));
    let body = match requested {
        None => render_list(dialect, names_and_owners, api.started),
        Some(requested) => match names_and_owners.find(|(name, _)| *name == requested) {
            Some((name, owner)) => render_model(dialect, name, owner, api.started),
            None => return unknown_model(requested, dialect, &id),
        },
    };
    let json = HeaderValue::from_static("application/json");
    render::with_request_id(([(CONTENT_TYPE, json)], body).into_response(), &id)
}

fn render_list<'a>(
    dialect: Dialect,
    names: impl Iterator<Item = (&'a str, &'a str)>,
    created: u64,
) -> Bytes {
    match dialect {
        Dialect::AnthropicMessages => anthropic::model_list(names, created),
        Dialect::Gemini => gemini::model_list(names),
        Dialect::OpenaiChat | Dialect::OpenaiCompletions | Dialect::OpenaiResponses => {
            openai_chat::model_list(names, created)
        }
    }
}

fn render_model(dialect: Dialect, name: &str, owner: &str, created: u64) -> Bytes {
    match dialect {
        Dialect::AnthropicMessages => anthropic::model(name, owner, created),
        Dialect::Gemini => gemini::model(name, owner),
        Dialect::OpenaiChat | Dialect::OpenaiCompletions | Dialect::OpenaiResponses => {
            openai_chat::model(name, owner, created)
        }
    }
}

fn unknown_model(model: &str, dialect: Dialect, id: &Arc<str>) -> Response<Body> {
    let message = format!("no provider serves a model `{model}`");
    let error = GatewayError::new(StatusCode::NOT_FOUND, "unknown-model", &message);
    let code = Some("model_not_found");
    render::gateway_error(GatewayError { code, ..error }, dialect, id)
}
