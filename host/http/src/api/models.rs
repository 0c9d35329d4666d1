//! The lists of models: what clients may ask for, in the shape of each API.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode, Uri};
use axum::response::IntoResponse;
use jackfield_dialect::{Dialect, ModelEntry};

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
    let mut models = owned.iter().map(|(name, owner)| ModelEntry {
        name,
        owner,
        created: api.started,
    });
    let codec = dialect.codec();
    let body = match requested {
        None => codec.render_model_list(&models.collect::<Vec<_>>()),
        Some(requested) => match models.find(|model| model.name == requested) {
            Some(model) => codec.render_model(&model),
            None => return unknown_model(requested, dialect, &id),
        },
    };
    let json = HeaderValue::from_static("application/json");
    render::with_request_id(([(CONTENT_TYPE, json)], body).into_response(), &id)
}

fn unknown_model(model: &str, dialect: Dialect, id: &Arc<str>) -> Response<Body> {
    let message = format!("no provider serves a model `{model}`");
    let error = GatewayError::new(StatusCode::NOT_FOUND, "unknown-model", &message);
    let code = Some("model_not_found");
    render::gateway_error(GatewayError { code, ..error }, dialect, id)
}
