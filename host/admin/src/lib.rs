//! The admin API: its server, its types, and the client that the command line uses. No response
//! contains a secret. `host/docs/admin-api.md` describes the API for users, and
//! `host/docs/howto/admin-endpoint.md` how to add an endpoint.

mod client;
mod config;
mod credentials;
mod error;
mod events;
mod extract;
mod http_request;
pub mod limits;
mod logins;
mod plugins;
mod requests;
mod token;
pub mod types;
mod views;

use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};
use jackfield_dispatch::Dispatcher;
pub use jackfield_http::AdminToken;
use jackfield_http::{BrowserGuard, WrongKeys};
use tokio::sync::{Semaphore, watch};

pub use self::client::{AdminClient, AdminClientError, AdminRequest};
pub use self::config::{ConfigAdmin, ConfigAdminError};
pub use self::credentials::{CredentialAdmin, LoggedIn};
pub use self::plugins::{PluginAdmin, PluginAdminError, PluginEvents};
use crate::error::ApiError;
use crate::limits::EVENT_READERS_MAX;
use crate::logins::Logins;

/// The admin API. It has a listener of its own, and every request needs the token.
pub struct Admin {
    parts: AdminParts,
    event_readers: Arc<Semaphore>,
    logins: Logins,
    wrong_tokens: WrongKeys,
    /// Becomes true when the server stops.
    stopping: watch::Sender<bool>,
}

/// What the admin API works on.
pub struct AdminParts {
    /// Calls, the call log and the credentials.
    pub dispatcher: Arc<Dispatcher>,
    /// The plugins.
    pub plugins: Box<dyn PluginAdmin>,
    /// Creates credentials from request bodies.
    pub credentials: Box<dyn CredentialAdmin>,
    /// Reloads the configuration.
    pub config: Arc<dyn ConfigAdmin>,
    /// Refuses requests of web pages elsewhere.
    pub guard: Arc<BrowserGuard>,
    /// The token that requests must carry.
    pub token: Arc<AdminToken>,
}

impl Admin {
    /// Creates the admin API of these parts.
    pub fn new(parts: AdminParts) -> Self {
        Self {
            parts,
            wrong_tokens: WrongKeys::new("admin token"),
            event_readers: Arc::new(Semaphore::new(EVENT_READERS_MAX)),
            logins: Logins::new(),
            stopping: watch::Sender::new(false),
        }
    }

    /// Ends the streams of events and the open logins. Without this, they would delay the end of the server.
    pub fn stop(&self) {
        self.stopping.send_replace(true);
    }
}

/// Returns the routes of the admin API.
pub fn admin_router(admin: Arc<Admin>) -> Router {
    let credential = get(credentials::show).delete(credentials::remove);
    let routes = Router::new()
        .route("/plugins", get(plugins::list))
        .route("/plugins/{name}/rollback", post(plugins::rollback))
        .route("/plugins/{name}/unload", post(plugins::unload))
        .route(
            "/credentials",
            get(credentials::list).post(credentials::add),
        )
        .route("/credentials/{id}", credential)
        .route("/credentials/{id}/enable", post(credentials::enable))
        .route("/credentials/{id}/disable", post(credentials::disable))
        .route("/credentials/{id}/reset", post(credentials::reset))
        .route("/credentials/{id}/refresh", post(credentials::refresh))
        .route("/logins", post(logins::begin))
        .route("/logins/{id}", get(logins::show).delete(logins::cancel))
        .route("/logins/{id}/callback", post(logins::callback))
        .route("/reload", post(config::reload))
        .route("/http-request", post(http_request::send))
        .route("/requests", get(requests::list))
        .route("/requests/{id}", get(requests::show))
        .route("/events", get(events::events));
    Router::new()
        .nest("/admin/v1", routes)
        .fallback(async || ApiError::UnknownEndpoint)
        .method_not_allowed_fallback(async || ApiError::MethodNotAllowed)
        // The outermost layer: without the token, even an unknown path gets 401.
        .layer(from_fn_with_state(Arc::clone(&admin), token::check))
        .with_state(admin)
}
