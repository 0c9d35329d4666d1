//! What clients may call: chat completions, the list of models, and two probes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use jackfield_dialect::{Dialect, openai_chat};
use jackfield_dispatch::{Call, Dispatcher};
use tokio::time::timeout;
use uuid::Uuid;

use crate::keys::{ClientKeys, KeyError};
use crate::limits::{REQUEST_BODY_BYTES_MAX, REQUEST_BODY_WAIT};
use crate::render::{self, OwnError};

/// What the clients' server needs.
pub struct Api {
    dispatcher: Arc<Dispatcher>,
    keys: ClientKeys,
    draining: AtomicBool,
    /// When the server started, in seconds since the Unix epoch: what models are said to be of.
    started: u64,
}

impl Api {
    /// Serves this dispatcher to whoever has one of these keys.
    pub fn new(dispatcher: Arc<Dispatcher>, keys: ClientKeys) -> Self {
        #[expect(
            clippy::disallowed_methods,
            reason = "shown to people, and never compared"
        )]
        let started = SystemTime::now().duration_since(UNIX_EPOCH);
        let started = started.map_or(0, |time| time.as_secs());
        Self {
            dispatcher,
            keys,
            draining: AtomicBool::new(false),
            started,
        }
    }

    /// Lets those in who have one of these keys, from now on, and nobody else.
    pub fn set_keys(&self, keys: ClientKeys) {
        self.keys.replace(keys);
    }

    /// Whether the server is about to end.
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    /// From now on `/readyz` says that no more should come here.
    pub fn start_draining(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }
}

/// The routes for clients.
pub fn api_router(api: Arc<Api>) -> Router {
    Router::new()
        .route("/v1/chat/completions", post(chat_completions))
        .route("/v1/models", get(models))
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(ready))
        .fallback(unknown_path)
        .with_state(api)
}

async fn chat_completions(State(api): State<Arc<Api>>, request: Request<Body>) -> Response<Body> {
    const DIALECT: Dialect = Dialect::OpenaiChat;
    let id = new_id();
    let call = match admit(&api, request, &id).await {
        Ok(call) => call,
        Err(refused) => return refused.render(DIALECT, &id),
    };
    match api.dispatcher.call(call).await {
        Ok(answer) => render::answer(answer, &id),
        Err(error) => {
            tracing::debug!(call = %id, label = error.label(), %error, "call failed");
            render::call_error(&error, DIALECT, &id)
        }
    }
}

/// Makes a call of a request, or says what is wrong with it.
async fn admit(api: &Api, request: Request<Body>, id: &Arc<str>) -> Result<Call, Refused> {
    let principal = api.keys.principal(request.headers())?;
    let deadline = api.dispatcher.deadline();
    let (head, body) = request.into_parts();
    let body = read(body).await?;
    let asked = openai_chat::Request::read(&body)?;
    let affinity = api.dispatcher.affinity(&head.headers, &body, &principal);
    Ok(Call {
        id: Arc::clone(id),
        dialect: Dialect::OpenaiChat,
        operation: "generate",
        model: Arc::from(asked.model.as_ref()),
        stream: asked.stream,
        headers: Arc::new(passed_on(&head.headers)),
        principal,
        affinity,
        deadline,
        body,
    })
}

async fn read(body: Body) -> Result<Bytes, Refused> {
    let collected = timeout(
        REQUEST_BODY_WAIT,
        Limited::new(body, REQUEST_BODY_BYTES_MAX).collect(),
    );
    match collected.await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Refused::TooLarge),
        Ok(Err(error)) => Err(Refused::Broken(error.to_string())),
        Err(_) => Err(Refused::TooSlow),
    }
}

/// Why a request is no call.
#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error(transparent)]
    Key(#[from] KeyError),
    #[error("the body has more than {} MiB", REQUEST_BODY_BYTES_MAX >> 20)]
    TooLarge,
    #[error("the body did not arrive within {} s", REQUEST_BODY_WAIT.as_secs())]
    TooSlow,
    #[error("the body broke off: {0}")]
    Broken(String),
    #[error(transparent)]
    Body(#[from] openai_chat::RequestError),
}

impl Refused {
    fn render(&self, dialect: Dialect, id: &Arc<str>) -> Response<Body> {
        let status = match self {
            Self::Key(_) => StatusCode::UNAUTHORIZED,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::Broken(_) | Self::Body(_) => StatusCode::BAD_REQUEST,
        };
        let param = match self {
            Self::Body(error) => error.param(),
            _ => None,
        };
        let message = self.to_string();
        let error = OwnError {
            param,
            ..OwnError::new(status, "refused", &message)
        };
        render::own_error(error, dialect, id)
    }
}

/// The headers that go on to the provider, if its executor wants them to: those that change what
/// an API does. Everything else, keys first of all, stays here.
fn passed_on(headers: &HeaderMap) -> HeaderMap {
    let mut kept = HeaderMap::new();
    for name in &PASSED_ON {
        for value in headers.get_all(name) {
            kept.append(name, value.clone());
        }
    }
    kept
}

const PASSED_ON: [HeaderName; 4] = [
    HeaderName::from_static("anthropic-beta"),
    HeaderName::from_static("anthropic-version"),
    HeaderName::from_static("idempotency-key"),
    HeaderName::from_static("openai-beta"),
];

async fn models(State(api): State<Arc<Api>>, headers: HeaderMap) -> Response<Body> {
    let id = new_id();
    if let Err(refused) = api.keys.principal(&headers) {
        return Refused::Key(refused).render(Dialect::OpenaiChat, &id);
    }
    let names = api.dispatcher.auth().names();
    let owner = |name: &jackfield_credential::ServedName| {
        name.providers
            .first()
            .map(ToString::to_string)
            .unwrap_or_default()
    };
    let owned: Vec<_> = names
        .iter()
        .map(|name| (name.name.as_ref(), owner(name)))
        .collect();
    let listed = owned.iter().map(|(name, owner)| (*name, owner.as_str()));
    let body = openai_chat::model_list(listed, api.started);
    (
        [(CONTENT_TYPE, HeaderValue::from_static("application/json"))],
        body,
    )
        .into_response()
}

/// Whether calls can be served: every provider has its executor, and the server is not stopping.
async fn ready(State(api): State<Arc<Api>>) -> Response<Body> {
    let snapshot = api.dispatcher.snapshot();
    let mut missing: Vec<String> = Vec::new();
    if api.draining.load(Ordering::Relaxed) {
        missing.push("the server is stopping".to_owned());
    }
    if !snapshot.selectors.contains_key(&snapshot.routing.selector) {
        missing.push(format!(
            "selector `{}` is not loaded",
            snapshot.routing.selector
        ));
    }
    for (name, provider) in &snapshot.providers {
        if !snapshot.executors.contains_key(&provider.executor) {
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
    let message = format!(
        "there is no {} {} here",
        request.method(),
        request.uri().path()
    );
    let error = OwnError::new(StatusCode::NOT_FOUND, "unknown-path", &message);
    render::own_error(
        OwnError {
            code: Some("unknown_url"),
            ..error
        },
        Dialect::OpenaiChat,
        &new_id(),
    )
}

fn new_id() -> Arc<str> {
    let mut text = Uuid::encode_buffer();
    Arc::from(&*Uuid::now_v7().simple().encode_lower(&mut text))
}
