//! The practice provider's paths.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, Path as PathPart, State};
use axum::http::{HeaderMap, Response, Uri};
use axum::routing::{get, post};
use serde_json::{Value, json};

use super::asked::Wrong;
use super::serve::{EVENTS, Path, Received};
use super::voice::{Voice, json_response};
use super::{
    PracticeOAuth, PracticeProvider, chat, completions, embeddings, gemini, messages, models,
    oauth, responses,
};
use crate::limits::REQUEST_BODY_BYTES_MAX;

type Provider = State<Arc<PracticeProvider>>;

pub(super) fn router(provider: Arc<PracticeProvider>) -> Router {
    Router::new()
        .route("/v1/chat/completions", post(post_chat))
        .route(AZURE_CHAT, post(post_azure_chat))
        .route("/v1/completions", post(post_completions))
        .route("/v1/responses", post(post_responses))
        .route("/v1/embeddings", post(post_embeddings))
        .route("/v1/messages", post(post_messages))
        .route("/v1/messages/count_tokens", post(post_count_tokens))
        .route("/v1/models", get(list_models))
        .route("/v1beta/models", get(list_models_of_gemini))
        // Google's SDKs call either version.
        .route("/v1/models/{target}", post(post_gemini))
        .route("/v1beta/models/{target}", post(post_gemini))
        .route("/oauth/token", post(oauth::token))
        .route("/practice/counts", get(counts))
        .route("/practice/requests", get(requests))
        .layer(DefaultBodyLimit::max(REQUEST_BODY_BYTES_MAX))
        .with_state(provider)
}

fn received(uri: Uri, headers: HeaderMap, body: Bytes) -> Received {
    Received { uri, headers, body }
}

pub(super) async fn post_chat(
    State(provider): Provider,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let path = Path {
        voice: Voice::OpenAi,
        check: Box::new(chat::check),
        whole: chat::whole,
        events: chat::events,
        stream_type: EVENTS,
    };
    provider.serve(path, received(uri, headers, body)).await
}

/// Azure's path for chats. It names the deployment, and the query the version of the API.
async fn post_azure_chat(
    State(provider): Provider,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let received = received(uri, headers, body);
    let versioned = received.query("api-version").is_some();
    let path = Path {
        voice: Voice::OpenAi,
        check: Box::new(move |body| {
            let missing = || Wrong::at("api-version", "Missing required query parameter");
            versioned.then_some(()).ok_or_else(missing)?;
            chat::check(body)
        }),
        whole: chat::whole,
        events: chat::events,
        stream_type: EVENTS,
    };
    provider.serve(path, received).await
}

async fn post_completions(
    State(provider): Provider,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let path = Path {
        voice: Voice::OpenAi,
        check: Box::new(completions::check),
        whole: completions::whole,
        events: completions::events,
        stream_type: EVENTS,
    };
    provider.serve(path, received(uri, headers, body)).await
}

async fn post_responses(
    State(provider): Provider,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let path = Path {
        voice: Voice::Responses,
        check: Box::new(responses::check),
        whole: responses::whole,
        events: responses::events,
        stream_type: EVENTS,
    };
    provider.serve(path, received(uri, headers, body)).await
}

async fn post_embeddings(
    State(provider): Provider,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let received = received(uri, headers, body);
    provider.serve_small(Voice::OpenAi, &received, |body| embeddings::openai(&body))
}

async fn post_messages(
    State(provider): Provider,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let versioned = headers.contains_key(VERSION);
    let path = Path {
        voice: Voice::Anthropic,
        check: Box::new(move |body| check_version(versioned).and_then(|()| messages::check(body))),
        whole: messages::whole,
        events: messages::events,
        stream_type: EVENTS,
    };
    provider.serve(path, received(uri, headers, body)).await
}

async fn post_count_tokens(
    State(provider): Provider,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let versioned = headers.contains_key(VERSION);
    let received = received(uri, headers, body);
    provider.serve_small(Voice::Anthropic, &received, |body| {
        check_version(versioned)?;
        Ok(json!({ "input_tokens": messages::check_count(body)?.tokens }))
    })
}

async fn post_gemini(
    State(provider): Provider,
    PathPart(target): PathPart<String>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    gemini::method(&provider, &target, received(uri, headers, body)).await
}

/// Three dialects have this path, and tell themselves apart by their headers.
async fn list_models(State(provider): Provider, uri: Uri, headers: HeaderMap) -> Response<Body> {
    let (voice, models) = if headers.contains_key(VERSION) {
        (Voice::Anthropic, models::anthropic())
    } else if headers.contains_key("x-goog-api-key") {
        (Voice::Gemini, models::gemini())
    } else {
        (Voice::OpenAi, models::openai())
    };
    let received = received(uri, headers, Bytes::new());
    list(&provider, voice, &received, &models)
}

async fn list_models_of_gemini(
    State(provider): Provider,
    uri: Uri,
    headers: HeaderMap,
) -> Response<Body> {
    let received = received(uri, headers, Bytes::new());
    list(&provider, Voice::Gemini, &received, &models::gemini())
}

fn list(
    provider: &PracticeProvider,
    voice: Voice,
    received: &Received,
    models: &Value,
) -> Response<Body> {
    match provider.admit(voice, received) {
        Ok(_) => json_response(models),
        Err(trouble) => voice.refuse(&trouble),
    }
}

/// Every request of Anthropic's says which version of the API it means.
fn check_version(given: bool) -> Result<(), Wrong> {
    let missing = || Wrong::at(VERSION, "header is required");
    given.then_some(()).ok_or_else(missing)
}

/// What it has counted, for tests that see it from outside.
async fn counts(State(provider): Provider) -> Response<Body> {
    json_response(&json!({
        "calls": provider.calls(),
        "streams_open": provider.streams_open(),
        "oauth": provider.oauth().map(PracticeOAuth::counts),
    }))
}

/// What it was sent, for tests that see it from outside.
async fn requests(State(provider): Provider) -> Response<Body> {
    json_response(&json!({ "requests": provider.requests() }))
}

const VERSION: &str = "anthropic-version";

const AZURE_CHAT: &str = "/openai/deployments/{deployment}/chat/completions";

#[cfg(test)]
mod tests;
