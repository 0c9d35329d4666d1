//! The lists of models, in the format of each API.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Response, Uri};
use axum::response::IntoResponse;
use jackfield_dialect::{Dialect, ModelEntry};
use jackfield_dispatch::CallError;

use super::{Api, new_id};
use crate::render;

/// `GET /v1/models`, for clients of all three APIs.
pub(super) async fn list(State(api): State<Arc<Api>>, head: Parts) -> Response<Body> {
    respond(&api, &head, dialect_of(&head.uri, &head.headers), None).await
}

/// `GET /v1/models/{model}`.
pub(super) async fn show(
    State(api): State<Arc<Api>>,
    Path(model): Path<String>,
    head: Parts,
) -> Response<Body> {
    let dialect = dialect_of(&head.uri, &head.headers);
    respond(&api, &head, dialect, Some(&model)).await
}

/// `GET /v1beta/models`, for Gemini's clients.
pub(super) async fn list_gemini(State(api): State<Arc<Api>>, head: Parts) -> Response<Body> {
    respond(&api, &head, Dialect::Gemini, None).await
}

/// `GET /v1beta/models/{model}`.
pub(super) async fn show_gemini(
    State(api): State<Arc<Api>>,
    Path(model): Path<String>,
    head: Parts,
) -> Response<Body> {
    respond(&api, &head, Dialect::Gemini, Some(&model)).await
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

async fn respond(
    api: &Api,
    head: &Parts,
    dialect: Dialect,
    requested: Option<&str>,
) -> Response<Body> {
    let id = new_id();
    if let Err(error) = api.authorize(head).await {
        return error.render(dialect, &id);
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
        Some(requested) => {
            let resolved = api.dispatcher.resolve_model(&Arc::from(requested));
            let name = resolved.as_deref().unwrap_or(requested);
            match models.find(|model| model.name == name) {
                Some(model) => codec.render_model(&model),
                None => {
                    let unknown = resolved.err();
                    let unknown = unknown.unwrap_or_else(|| requested.to_owned().into());
                    let error = CallError::UnknownModel(unknown);
                    return render::call_error(&error, dialect, &id);
                }
            }
        }
    };
    let json = HeaderValue::from_static("application/json");
    render::with_request_id(([(CONTENT_TYPE, json)], body).into_response(), &id)
}
