//! The endpoints for clients: the APIs of OpenAI, Anthropic and Gemini, and two probes.

mod admit;
mod content_encoding;
mod gemini;
mod models;
mod request_body;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use arc_swap::ArcSwap;
use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::request::Parts;
use axum::http::{Request, Response, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::IntoResponse;
use axum::routing::{MethodRouter, get, post};
use jackfield_dialect::Dialect;
use jackfield_dispatch::{Dispatcher, Embed, Operation, StreamFraming};
use uuid::Uuid;

use crate::admin_token::AdminToken;
use crate::browser_guard::BrowserGuard;
use crate::client_keys::{ClientKeyError, ClientKeys};
use crate::cors::Cors;
use crate::errors::{ErrorClass, IngressError};
use crate::render::{self, GatewayError, Recipient};
use crate::wrong_keys::WrongKeys;
use admit::{Endpoint, admit, discard_unread};

/// The options of the server for clients. A reload can replace them.
#[derive(Debug, Clone)]
pub struct ApiOptions {
    /// Largest request body, in bytes, decoded.
    pub request_body_bytes_max: usize,
    /// What all calls together may hold in memory, in bytes.
    pub memory_bytes_max: usize,
    /// The pages that may call from a browser; `None` for none.
    pub cors: Option<Cors>,
}

/// The server for clients.
pub struct Api {
    dispatcher: Arc<Dispatcher>,
    keys: ClientKeys,
    options: ArcSwap<ApiOptions>,
    /// Checks requests while there are no client keys.
    guard: Arc<BrowserGuard>,
    wrong_keys: WrongKeys,
    /// The token by which a client may pin a call to a credential; `None` without an admin API.
    admin_token: Option<Arc<AdminToken>>,
    draining: AtomicBool,
    /// When the server started, in seconds since the Unix epoch. Lists of models need a time of
    /// creation, and Jackfield does not know the real ones.
    started: u64,
}

impl Api {
    /// Creates a server that passes the calls of clients with these keys to the dispatcher.
    pub fn new(
        dispatcher: Arc<Dispatcher>,
        keys: ClientKeys,
        options: ApiOptions,
        guard: Arc<BrowserGuard>,
    ) -> Self {
        #[expect(
            clippy::disallowed_methods,
            reason = "shown to clients, and never compared"
        )]
        let started = SystemTime::now().duration_since(UNIX_EPOCH);
        let started = started.map_or(0, |time| time.as_secs());
        dispatcher.memory().set_max(options.memory_bytes_max);
        Self {
            dispatcher,
            keys,
            options: ArcSwap::from_pointee(options),
            guard,
            wrong_keys: WrongKeys::new("client key"),
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

    /// Replaces the options. Calls in progress are not affected.
    pub fn set_options(&self, options: ApiOptions) {
        let memory = self.dispatcher.memory();
        memory.set_max(options.memory_bytes_max);
        self.options.store(Arc::new(options));
    }

    /// Checks whether a client may call, and returns its name. Takes longer for wrong keys.
    async fn authorize(&self, head: &Parts) -> Result<Arc<str>, IngressError> {
        let Parts {
            method,
            uri,
            headers,
            ..
        } = head;
        let principal = match self.keys.principal(headers, uri.query()) {
            Ok(principal) => principal,
            Err(error) => {
                if error == ClientKeyError::Unknown {
                    self.wrong_keys.delay(head.extensions.get().copied()).await;
                }
                return Err(error.into());
            }
        };
        // With client keys a page would need one, and no browser sends it by itself.
        if self.keys.is_empty() {
            self.guard.check(method, uri, headers)?;
        }
        Ok(principal)
    }

    /// Returns the largest request body, in bytes.
    fn request_body_bytes_max(&self) -> usize {
        self.options.load().request_body_bytes_max
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
        // Outermost, since browsers must be able to read errors, too.
        .layer(from_fn_with_state(Arc::clone(&api), allow_origins))
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
    let mut recipient = Recipient::from(dialect);
    let call = match admit(api, endpoint, request, &id).await {
        Ok(call) => call,
        Err(error) => return error.render(dialect, &id),
    };
    recipient.wants_events = call.stream == Some(StreamFraming::Events);
    match api.dispatcher.call(call).await {
        Ok(response) => render::call_response(response, &id),
        Err(error) => {
            tracing::debug!(call = %id, label = error.label(), %error, "call failed");
            render::call_error(&error, recipient, &id)
        }
    }
}

/// Applies [`ApiOptions::cors`]. Without it, no response has a header for browsers.
async fn allow_origins(
    State(api): State<Arc<Api>>,
    request: Request<Body>,
    next: Next,
) -> Response<Body> {
    match &api.options.load_full().cors {
        Some(cors) => cors.respond(request, next).await,
        None => next.run(request).await,
    }
}

/// `GET /readyz`: 200 if every provider has its executor and the server is not shutting down.
async fn ready(State(api): State<Arc<Api>>) -> Response<Body> {
    let snapshot = api.dispatcher.snapshot();
    let mut missing: Vec<String> = Vec::new();
    if api.draining.load(Ordering::Relaxed) {
        missing.push("the server is shutting down".to_owned());
    }
    let plugins = &snapshot.plugins;
    let state = |plugin: &Arc<str>| match plugins.compiling.contains(plugin) {
        true => "is still being compiled",
        false => "is not loaded",
    };
    let selector = &snapshot.routing.selector;
    if !plugins.selectors.contains_key(selector) {
        missing.push(format!("selector `{selector}` {}", state(selector)));
    }
    for (name, provider) in &snapshot.providers {
        let executor = &provider.executor;
        if !plugins.executors.contains_key(executor) {
            let state = state(executor);
            missing.push(format!("provider `{name}`: executor `{executor}` {state}"));
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
    let dialect = dialect_of_path(path);
    refuse(request, ErrorClass::UNKNOWN_PATH, &message, dialect).await
}

async fn method_not_allowed(request: Request<Body>) -> Response<Body> {
    let path = request.uri().path();
    let message = format!("method {} is not allowed for {path}", request.method());
    let dialect = dialect_of_path(path);
    refuse(request, ErrorClass::METHOD_NOT_ALLOWED, &message, dialect).await
}

/// Responds with an error to a request whose body was not read.
async fn refuse(
    request: Request<Body>,
    class: ErrorClass,
    message: &str,
    dialect: Dialect,
) -> Response<Body> {
    let (head, body) = request.into_parts();
    discard_unread(&head, body).await;
    render::gateway_error(&GatewayError::new(class, message), dialect, &new_id())
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

#[cfg(test)]
mod tests;
