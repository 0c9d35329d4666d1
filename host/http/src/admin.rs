//! The admin API, on a listener of its own, behind a token. Nothing that it shows is secret.
//! `host/http/ADMIN.md` describes it for users.

mod credentials;
mod events;
mod plugins;
mod requests;
mod shape;

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, Response, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use axum::{Json, Router};
use jackfield_dispatch::Dispatcher;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use subtle::ConstantTimeEq;
use tokio::sync::{Mutex, Semaphore, watch};

pub use self::credentials::CredentialMaker;
pub use self::plugins::{PluginAdmin, PluginAdminError};
use crate::keys::bearer;
use crate::limits::{ADMIN_BODY_BYTES_MAX, EVENT_READERS_MAX};

/// What the admin API needs.
pub struct Admin {
    dispatcher: Arc<Dispatcher>,
    plugins: Box<dyn PluginAdmin>,
    maker: Box<dyn CredentialMaker>,
    token: SecretString,
    event_readers: Arc<Semaphore>,
    /// Becomes true when the server stops.
    stopping: watch::Sender<bool>,
    adding: Mutex<()>,
}

impl Admin {
    /// An admin API over these parts, behind this token.
    pub fn new(
        dispatcher: Arc<Dispatcher>,
        plugins: Box<dyn PluginAdmin>,
        maker: Box<dyn CredentialMaker>,
        token: SecretString,
    ) -> Self {
        Self {
            dispatcher,
            plugins,
            maker,
            token,
            event_readers: Arc::new(Semaphore::new(EVENT_READERS_MAX)),
            stopping: watch::Sender::new(false),
            adding: Mutex::default(),
        }
    }

    /// Ends the streams of events, which would not end by themselves.
    pub fn stop(&self) {
        self.stopping.send_replace(true);
    }
}

/// The routes of the admin API.
pub fn admin_router(admin: Arc<Admin>) -> Router {
    let credential = get(credentials::show).delete(credentials::remove);
    let routes = Router::new()
        .route("/plugins", get(plugins::list))
        .route("/plugins/{name}/rollback", post(plugins::rollback))
        .route(
            "/credentials",
            get(credentials::list).post(credentials::add),
        )
        .route("/credentials/{id}", credential)
        .route("/credentials/{id}/enable", post(credentials::enable))
        .route("/credentials/{id}/disable", post(credentials::disable))
        .route("/credentials/{id}/reset", post(credentials::reset))
        .route("/credentials/{id}/refresh", post(credentials::refresh))
        .route("/requests", get(requests::list))
        .route("/requests/{id}", get(requests::show))
        .route("/events", get(events::events));
    Router::new()
        .nest("/admin/v1", routes)
        .fallback(nowhere)
        .method_not_allowed_fallback(wrong_method)
        .layer(DefaultBodyLimit::max(ADMIN_BODY_BYTES_MAX))
        .layer(from_fn_with_state(Arc::clone(&admin), check_token))
        .with_state(admin)
}

async fn check_token(
    State(admin): State<Arc<Admin>>,
    request: Request,
    next: Next,
) -> Response<Body> {
    let presented = request
        .headers()
        .get(AUTHORIZATION)
        .map(|value| bearer(value.as_bytes()));
    let known = admin.token.expose_secret().as_bytes();
    // Comparing takes as long for a wrong token as for the right one.
    if presented.is_some_and(|token| bool::from(token.ct_eq(known))) {
        return next.run(request).await;
    }
    let message = "send the admin token as `Authorization: Bearer TOKEN`";
    let mut response = refuse(StatusCode::UNAUTHORIZED, "invalid_token", message);
    let scheme = HeaderValue::from_static("Bearer");
    response.headers_mut().insert(WWW_AUTHENTICATE, scheme);
    response
}

async fn nowhere() -> Response<Body> {
    let message = "there is no such place in the admin API";
    refuse(StatusCode::NOT_FOUND, "not_found", message)
}

async fn wrong_method() -> Response<Body> {
    let message = "this place in the admin API takes another method";
    refuse(
        StatusCode::METHOD_NOT_ALLOWED,
        "method_not_allowed",
        message,
    )
}

fn refuse(status: StatusCode, code: &str, message: &str) -> Response<Body> {
    let body = json!({ "error": { "code": code, "message": message } });
    (status, Json(body)).into_response()
}
