//! The paths of the mock provider.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{HeaderMap, Response, Uri};
use axum::routing::{get, post};
use serde_json::{Value, json};

use super::errors::{Api, json_response};
use super::family_routes::with_families;
use super::request::RequestError;
use super::serve::{EVENT_STREAM_TYPE, Endpoint, IncomingRequest, REQUEST_BODY_BYTES_MAX};
use super::{
    MockOAuth, MockProvider, acme, anthropic_messages, bedrock, embeddings, gemini, models, oauth,
    openai_chat, openai_completions, openai_responses, vertex,
};

type Provider = State<Arc<MockProvider>>;

pub(super) fn router(provider: &Arc<MockProvider>) -> Router {
    let routes = Router::new()
        .route("/v1/chat/completions", post(post_chat))
        .route(AZURE_CHAT, post(post_azure_chat))
        .route("/v1/completions", post(post_completions))
        .route("/v1/responses", post(post_responses))
        .route("/v1/embeddings", post(post_embeddings))
        .route("/v1/messages", post(post_messages))
        .route("/v1/messages/count_tokens", post(post_count_tokens))
        .route("/v1/models", get(list_models))
        .route("/v1beta/models", get(list_gemini_models))
        // Google's SDKs use both versions.
        .route("/v1/models/{target}", post(post_gemini))
        .route("/v1beta/models/{target}", post(post_gemini))
        .route("/model/{model}/{operation}", post(bedrock::call_operation))
        .route("/acme/generate", post(acme::generate))
        .route(VERTEX, post(vertex::call_method))
        .route("/oauth/token", post(oauth::token))
        .route("/oauth/authorize", get(oauth::authorize))
        .route("/oauth/device", post(oauth::device))
        .route("/mock/counts", get(counts))
        .route("/mock/requests", get(requests))
        .layer(DefaultBodyLimit::max(REQUEST_BODY_BYTES_MAX))
        .with_state(Arc::clone(provider));
    with_families(provider, &routes)
}

fn incoming(uri: Uri, headers: HeaderMap, body: Bytes) -> IncomingRequest {
    IncomingRequest { uri, headers, body }
}

pub(super) async fn post_chat(
    State(provider): Provider,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let endpoint = Endpoint {
        api: Api::OpenAi,
        parse: Box::new(openai_chat::parse_request),
        response_body: openai_chat::response_body,
        events: openai_chat::events,
        stream_content_type: EVENT_STREAM_TYPE,
    };
    provider.serve(endpoint, incoming(uri, headers, body)).await
}

/// Serves a chat on Azure's path, which has the deployment. The query has the API version.
async fn post_azure_chat(
    State(provider): Provider,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let incoming = incoming(uri, headers, body);
    let versioned = incoming.query("api-version").is_some();
    let endpoint = Endpoint {
        api: Api::OpenAi,
        parse: Box::new(move |body| {
            let missing = || RequestError::at("api-version", "Missing required query parameter");
            versioned.then_some(()).ok_or_else(missing)?;
            openai_chat::parse_request(body)
        }),
        response_body: openai_chat::response_body,
        events: openai_chat::events,
        stream_content_type: EVENT_STREAM_TYPE,
    };
    provider.serve(endpoint, incoming).await
}

async fn post_completions(
    State(provider): Provider,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let endpoint = Endpoint {
        api: Api::OpenAi,
        parse: Box::new(openai_completions::parse_request),
        response_body: openai_completions::response_body,
        events: openai_completions::events,
        stream_content_type: EVENT_STREAM_TYPE,
    };
    provider.serve(endpoint, incoming(uri, headers, body)).await
}

async fn post_responses(
    State(provider): Provider,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let endpoint = Endpoint {
        api: Api::OpenAiResponses,
        parse: Box::new(openai_responses::parse_request),
        response_body: openai_responses::response_body,
        events: openai_responses::events,
        stream_content_type: EVENT_STREAM_TYPE,
    };
    provider.serve(endpoint, incoming(uri, headers, body)).await
}

async fn post_embeddings(
    State(provider): Provider,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let incoming = incoming(uri, headers, body);
    provider.serve_json(Api::OpenAi, &incoming, |body| {
        embeddings::openai_response(&body)
    })
}

async fn post_messages(
    State(provider): Provider,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let versioned = headers.contains_key(ANTHROPIC_VERSION);
    let endpoint = Endpoint {
        api: Api::Anthropic,
        parse: Box::new(move |body| {
            check_version(versioned).and_then(|()| anthropic_messages::parse_request(body))
        }),
        response_body: anthropic_messages::response_body,
        events: anthropic_messages::events,
        stream_content_type: EVENT_STREAM_TYPE,
    };
    provider.serve(endpoint, incoming(uri, headers, body)).await
}

async fn post_count_tokens(
    State(provider): Provider,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let versioned = headers.contains_key(ANTHROPIC_VERSION);
    let incoming = incoming(uri, headers, body);
    provider.serve_json(Api::Anthropic, &incoming, |body| {
        check_version(versioned)?;
        Ok(json!({ "input_tokens": anthropic_messages::parse_count_request(body)?.tokens }))
    })
}

async fn post_gemini(
    State(provider): Provider,
    Path(target): Path<String>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    gemini::call_method(
        &provider,
        Api::Gemini,
        &target,
        incoming(uri, headers, body),
    )
    .await
}

/// Lists the models. Three APIs share this path; the headers tell them apart.
async fn list_models(State(provider): Provider, uri: Uri, headers: HeaderMap) -> Response<Body> {
    let (api, models) = if headers.contains_key(ANTHROPIC_VERSION) {
        (Api::Anthropic, models::anthropic_models())
    } else if headers.contains_key("x-goog-api-key") {
        (Api::Gemini, models::gemini_models())
    } else {
        (Api::OpenAi, models::openai_models())
    };
    let incoming = incoming(uri, headers, Bytes::new());
    serve_models(&provider, api, &incoming, &models)
}

async fn list_gemini_models(
    State(provider): Provider,
    uri: Uri,
    headers: HeaderMap,
) -> Response<Body> {
    let incoming = incoming(uri, headers, Bytes::new());
    serve_models(&provider, Api::Gemini, &incoming, &models::gemini_models())
}

fn serve_models(
    provider: &MockProvider,
    api: Api,
    incoming: &IncomingRequest,
    models: &Value,
) -> Response<Body> {
    match provider.admit(api, incoming) {
        Ok(_) => json_response(models),
        Err(error) => api.error_response(&error),
    }
}

/// Checks that the version header of Anthropic's API is present.
fn check_version(given: bool) -> Result<(), RequestError> {
    let missing = || RequestError::at(ANTHROPIC_VERSION, "header is required");
    given.then_some(()).ok_or_else(missing)
}

/// Shows the counts to tests in other processes.
async fn counts(State(provider): Provider) -> Response<Body> {
    json_response(&json!({
        "calls": provider.calls(),
        "streams_open": provider.streams_open(),
        "oauth": provider.oauth().map(MockOAuth::counts),
    }))
}

/// Shows the recorded requests to tests in other processes.
async fn requests(State(provider): Provider) -> Response<Body> {
    json_response(&json!({ "requests": provider.requests() }))
}

const ANTHROPIC_VERSION: &str = "anthropic-version";

const VERTEX: &str =
    "/v1/projects/{project}/locations/{location}/publishers/{publisher}/models/{target}";

const AZURE_CHAT: &str = "/openai/deployments/{deployment}/chat/completions";

#[cfg(test)]
mod tests;
