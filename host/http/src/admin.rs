//! The admin API, on a listener of its own, behind a token. Nothing that it shows is secret.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, Response, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use axum::{Json, Router};
use jackfield_credential::{Availability, CredentialStatus, LastFailure, Standing};
use jackfield_dispatch::Dispatcher;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use subtle::ConstantTimeEq;

use crate::keys::bearer;

/// What the admin API needs.
pub struct Admin {
    dispatcher: Arc<Dispatcher>,
    plugins: Box<dyn PluginAdmin>,
    token: SecretString,
}

/// What the admin API can do with plugins.
pub trait PluginAdmin: Send + Sync {
    /// All plugins, as the JSON object that is shown.
    fn list(&self) -> Value;

    /// Has the version before the one that serves take over again; answers what serves now.
    ///
    /// # Errors
    /// When there is no such plugin, or no such version.
    fn rollback(&self, name: &str) -> Result<Value, PluginAdminError>;
}

/// Why nothing was rolled back.
#[derive(Debug, thiserror::Error)]
pub enum PluginAdminError {
    /// There is no such plugin.
    #[error("{0}")]
    Unknown(String),
    /// There is nothing to go back to.
    #[error("{0}")]
    NothingBefore(String),
}

impl Admin {
    /// An admin API over these parts, behind this token.
    pub fn new(
        dispatcher: Arc<Dispatcher>,
        plugins: Box<dyn PluginAdmin>,
        token: SecretString,
    ) -> Self {
        Self {
            dispatcher,
            plugins,
            token,
        }
    }
}

/// The routes of the admin API.
pub fn admin_router(admin: Arc<Admin>) -> Router {
    Router::new()
        .route("/admin/v1/plugins", get(plugins))
        .route("/admin/v1/plugins/{name}/rollback", post(rollback))
        .route("/admin/v1/credentials", get(credentials))
        .fallback(async || {
            refuse(
                StatusCode::NOT_FOUND,
                "there is no such place in the admin API",
            )
        })
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
    let mut response = refuse(StatusCode::UNAUTHORIZED, message);
    let scheme = HeaderValue::from_static("Bearer");
    response.headers_mut().insert(WWW_AUTHENTICATE, scheme);
    response
}

fn refuse(status: StatusCode, message: &str) -> Response<Body> {
    (status, Json(json!({ "error": { "message": message } }))).into_response()
}

async fn plugins(State(admin): State<Arc<Admin>>) -> Json<Value> {
    let mut listed = admin.plugins.list();
    listed["selector_faults"] = admin.dispatcher.selector_faults().into();
    Json(listed)
}

async fn rollback(State(admin): State<Arc<Admin>>, Path(name): Path<String>) -> Response<Body> {
    match admin.plugins.rollback(&name) {
        Ok(serving) => Json(serving).into_response(),
        Err(error @ PluginAdminError::Unknown(_)) => {
            refuse(StatusCode::NOT_FOUND, &error.to_string())
        }
        Err(error @ PluginAdminError::NothingBefore(_)) => {
            refuse(StatusCode::CONFLICT, &error.to_string())
        }
    }
}

async fn credentials(State(admin): State<Arc<Admin>>) -> Json<Value> {
    let now = admin.dispatcher.clock().now();
    let auth = admin.dispatcher.auth();
    let credentials: Vec<Value> = auth.status(now).iter().map(credential).collect();
    let leases = auth.lease_counts();
    Json(json!({
        "credentials": credentials,
        "leases": {
            "open": leases.open,
            "success": leases.success,
            "failed": leases.failed,
            "cancelled": leases.cancelled,
            "unjudged": leases.unjudged,
        },
    }))
}

fn credential(status: &CredentialStatus) -> Value {
    let models: Vec<Value> = status
        .models
        .iter()
        .map(|model| {
            json!({
                "model": model.model.as_str(),
                "health": standing(&model.standing),
                "error_permille": model.error_permille,
                "latency_ms": model.latency_ms,
            })
        })
        .collect();
    json!({
        "id": status.id.as_str(),
        "provider": status.provider.as_str(),
        "enabled": status.enabled,
        "priority": status.priority,
        "weight": status.weight,
        "in_flight": status.in_flight,
        "last_used_ms": status.last_used.map(|at| at.as_millis()),
        "health": standing(&status.account),
        "models": models,
        "last_failure": status.last_failure.as_ref().map(last_failure),
    })
}

fn standing(standing: &Standing) -> Value {
    let cause = standing.cause.as_ref().map(
        |cause| json!({ "kind": &*cause.kind, "status": cause.status, "message": &*cause.message }),
    );
    let state = match standing.availability {
        Availability::Ready => return json!({ "state": "ready" }),
        // A probe is due: one attempt may.
        Availability::Probe => "ready",
        Availability::Probing { .. } => "probing",
        Availability::Cooling { .. } => "cooling",
        Availability::Barred => "barred",
    };
    json!({
        "state": state,
        "until_ms": standing.availability.until().map(|until| until.as_millis()),
        "strikes": standing.strikes,
        "cause": cause,
    })
}

fn last_failure(failure: &LastFailure) -> Value {
    json!({
        "at_ms": failure.at.as_millis(),
        "model": failure.model.as_str(),
        "kind": &*failure.cause.kind,
        "status": failure.cause.status,
        "message": &*failure.cause.message,
    })
}
