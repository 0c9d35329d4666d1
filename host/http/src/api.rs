//! The endpoints for clients: the APIs of OpenAI, Anthropic and Gemini, and two probes.

mod admit;
mod forwarded_headers;
mod gemini;
mod models;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{Request, Response, StatusCode};
use axum::response::IntoResponse;
use axum::routing::{MethodRouter, get, post};
use jackfield_dialect::Dialect;
use jackfield_dispatch::{Dispatcher, Embed, Operation};
use uuid::Uuid;

use crate::admin_token::AdminToken;
use crate::client_keys::ClientKeys;
use crate::errors::ErrorClass;
use crate::render::{self, GatewayError};
use admit::{Endpoint, admit};

/// The server for clients.
pub struct Api {
    dispatcher: Arc<Dispatcher>,
    keys: ClientKeys,
    /// The token by which a client may pin a call to a credential; `None` without an admin API.
    admin_token: Option<Arc<AdminToken>>,
    draining: AtomicBool,
    /// When the server started, in seconds since the Unix epoch. Lists of models need a time of
    /// creation, and Jackfield does not know the real ones.
    started: u64,
}

impl Api {
    /// Creates a server that passes the calls of clients with these keys to the dispatcher.
    pub fn new(dispatcher: Arc<Dispatcher>, keys: ClientKeys) -> Self {
        #[expect(
            clippy::disallowed_methods,
            reason = "shown to clients, and never compared"
        )]
        let started = SystemTime::now().duration_since(UNIX_EPOCH);
        let started = started.map_or(0, |time| time.as_secs());
        Self {
            dispatcher,
            keys,
            admin_token: None,
            draining: AtomicBool::new(false),
            started,
        }
    }

    /// Allows clients with this token to pin calls to a credential.
    #[must_use]
    pub fn with_admin_token(mut self, token: Option<Arc<AdminToken>>) -> Self {
        self.admin_token = token;
        self
    }

    /// Replaces the keys of all clients.
    pub fn set_keys(&self, keys: ClientKeys) {
        self.keys.replace(keys);
    }

    /// Returns whether the server is shutting down.
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    /// Makes `/readyz` fail, so that a load balancer sends no more calls.
    pub fn start_draining(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }
}

/// Returns the routes for clients.
pub fn api_router(api: Arc<Api>) -> Router {
    let generate = |dialect| endpoint(dialect, Operation::Generate);
    let embed = Operation::Embed(Embed::Plain);
    Router::new()
        .route("/v1/chat/completions", generate(Dialect::OpenaiChat))
        .route("/v1/completions", generate(Dialect::OpenaiCompletions))
        .route("/v1/responses", generate(Dialect::OpenaiResponses))
        .route("/v1/embeddings", endpoint(Dialect::OpenaiChat, embed))
        .route("/v1/messages", generate(Dialect::AnthropicMessages))
        .route(
            "/v1/messages/count_tokens",
            endpoint(Dialect::AnthropicMessages, Operation::CountTokens),
        )
        .route("/v1/models", get(models::list))
        // A wildcard, since names of models may contain slashes. Google has its methods under `/v1`, too.
        .route("/v1/models/{*model}", get(models::show).post(gemini::call))
        .route("/v1beta/models", get(models::list_gemini))
        .route(
            "/v1beta/models/{*model}",
            get(models::show_gemini).post(gemini::call),
        )
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(ready))
        .fallback(unknown_path)
        .method_not_allowed_fallback(method_not_allowed)
        .with_state(api)
}

/// Returns the handler of a path that determines dialect and operation. The model is in the body.
fn endpoint(dialect: Dialect, operation: Operation) -> MethodRouter<Arc<Api>> {
    post(
        async move |State(api): State<Arc<Api>>, request: Request<Body>| {
            serve(&api, Endpoint::new(dialect, operation), request).await
        },
    )
}

async fn serve(api: &Api, endpoint: Endpoint, request: Request<Body>) -> Response<Body> {
    let dialect = endpoint.dialect;
    let id = new_id();
    let call = match admit(api, endpoint, request, &id).await {
        Ok(call) => call,
        Err(error) => return error.render(dialect, &id),
    };
    match api.dispatcher.call(call).await {
        Ok(response) => render::call_response(response, &id),
        Err(error) => {
            tracing::debug!(call = %id, label = error.label(), %error, "call failed");
            render::call_error(&error, dialect, &id)
        }
    }
}

/// `GET /readyz`: 200 if every provider has its executor and the server is not shutting down.
async fn ready(State(api): State<Arc<Api>>) -> Response<Body> {
    let snapshot = api.dispatcher.snapshot();
    let mut missing: Vec<String> = Vec::new();
    if api.draining.load(Ordering::Relaxed) {
        missing.push("the server is shutting down".to_owned());
    }
    if !snapshot
        .plugins
        .selectors
        .contains_key(&snapshot.routing.selector)
    {
        missing.push(format!(
            "selector `{}` is not loaded",
            snapshot.routing.selector
        ));
    }
    for (name, provider) in &snapshot.providers {
        if !snapshot.plugins.executors.contains_key(&provider.executor) {
            missing.push(format!(
                "provider `{name}`: executor `{}` is not loaded",
                provider.executor
            ));
        }
    }
    if missing.is_empty() {
        return "ready\n".into_response();
    }
    (StatusCode::SERVICE_UNAVAILABLE, missing.join("\n") + "\n").into_response()
}

async fn unknown_path(request: Request<Body>) -> Response<Body> {
    let path = request.uri().path();
    let message = format!("unknown endpoint: {} {path}", request.method());
    let error = GatewayError::new(ErrorClass::UNKNOWN_PATH, &message);
    render::gateway_error(&error, dialect_of_path(path), &new_id())
}

async fn method_not_allowed(request: Request<Body>) -> Response<Body> {
    let path = request.uri().path();
    let message = format!("method {} is not allowed for {path}", request.method());
    let error = GatewayError::new(ErrorClass::METHOD_NOT_ALLOWED, &message);
    render::gateway_error(&error, dialect_of_path(path), &new_id())
}

/// Guesses the client's dialect from a wrong path, to render the error in it.
fn dialect_of_path(path: &str) -> Dialect {
    if path.starts_with("/v1beta/") {
        Dialect::Gemini
    } else if path.starts_with("/v1/messages") {
        Dialect::AnthropicMessages
    } else {
        Dialect::OpenaiChat
    }
}

fn new_id() -> Arc<str> {
    let mut text = Uuid::encode_buffer();
    Arc::from(&*Uuid::now_v7().simple().encode_lower(&mut text))
}
