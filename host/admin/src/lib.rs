//! The admin API, on a listener of its own, behind a token. Nothing that it shows is secret.
//! `host/docs/admin-api.md` describes it for users.

mod client;
mod config;
mod credentials;
mod events;
pub mod limits;
mod plugins;
mod requests;
mod token;
mod views;

use std::sync::Arc;

use axum::body::Body;
use axum::extract::DefaultBodyLimit;
use axum::http::{Response, StatusCode};
use axum::middleware::from_fn_with_state;
use axum::response::IntoResponse;
use axum::routing::{get, post};
use axum::{Json, Router};
use jackfield_dispatch::Dispatcher;
use serde_json::json;
use tokio::sync::{Semaphore, watch};

pub use self::client::{AdminClient, AdminClientError};
pub use self::config::{ConfigAdmin, ConfigAdminError};
pub use self::credentials::CredentialAdmin;
pub use self::plugins::{PluginAdmin, PluginAdminError};
pub use self::token::AdminToken;
use crate::limits::{ADMIN_BODY_BYTES_MAX, EVENT_READERS_MAX};

/// The admin API.
pub struct Admin {
    parts: AdminParts,
    event_readers: Arc<Semaphore>,
    /// Becomes true when the server stops.
    stopping: watch::Sender<bool>,
}

/// What the admin API needs.
pub struct AdminParts {
    /// The calls, and the credentials.
    pub dispatcher: Arc<Dispatcher>,
    /// The plugins.
    pub plugins: Box<dyn PluginAdmin>,
    /// Makes credentials of what is sent.
    pub credentials: Box<dyn CredentialAdmin>,
    /// Reads the configuration anew.
    pub config: Arc<dyn ConfigAdmin>,
    /// What requests must carry.
    pub token: Arc<AdminToken>,
}

impl Admin {
    /// An admin API over these parts.
    pub fn new(parts: AdminParts) -> Self {
        Self {
            parts,
            event_readers: Arc::new(Semaphore::new(EVENT_READERS_MAX)),
            stopping: watch::Sender::new(false),
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
        .route("/reload", post(config::reload))
        .route("/requests", get(requests::list))
        .route("/requests/{id}", get(requests::show))
        .route("/events", get(events::events));
    Router::new()
        .nest("/admin/v1", routes)
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(DefaultBodyLimit::max(ADMIN_BODY_BYTES_MAX))
        .layer(from_fn_with_state(Arc::clone(&admin), token::check))
        .with_state(admin)
}

async fn not_found() -> Response<Body> {
    let message = "there is no such place in the admin API";
    error_response(StatusCode::NOT_FOUND, "not_found", message)
}

async fn method_not_allowed() -> Response<Body> {
    let message = "this place in the admin API takes another method";
    error_response(
        StatusCode::METHOD_NOT_ALLOWED,
        "method_not_allowed",
        message,
    )
}

fn error_response(status: StatusCode, code: &str, message: &str) -> Response<Body> {
    let body = json!({ "error": { "code": code, "message": message } });
    (status, Json(body)).into_response()
}
