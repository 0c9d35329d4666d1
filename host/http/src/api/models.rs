//! The lists of models, in the format of each API.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderValue, Response, Uri};
use axum::response::IntoResponse;
use bytes::Bytes;
use jackfield_dialect::{Dialect, anthropic, gemini, openai_chat};
use jackfield_dispatch::CallError;

use super::{Api, new_id};
use crate::ingress_error::IngressError;
use crate::render;

/// `GET /v1/models`, for clients of all three APIs.
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

/// Returns whether the query contains a key; only Google's API has it there.
fn has_key(query: &str) -> bool {
    query.split('&').any(|pair| pair.starts_with("key="))
}

/// Finds the client's API, since three have this path. Anthropic requires a version in every request,
/// and Google's clients identify themselves; no other API has these headers.
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
            None => {
                let error = CallError::UnknownModel(requested.to_owned());
                return render::call_error(&error, dialect, &id);
            }
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
