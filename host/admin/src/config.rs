//! The configuration through the admin API: it is read anew, all of it or nothing.

use std::sync::Arc;

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{Response, StatusCode};
use axum::response::IntoResponse;
use jackfield_auth::BoxFuture;
use serde_json::{Value, json};

use super::{Admin, error_response};

/// What the admin API can do with the configuration.
pub trait ConfigAdmin: Send + Sync {
    /// Reads it anew; answers what that changed, as the JSON object that is shown.
    fn reload(&self) -> BoxFuture<'_, Result<Value, ConfigAdminError>>;
}

/// Why the configuration is as it was. Nothing in it is secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigAdminError {
    /// It has mistakes, or says what only a restart can change: a line for each.
    #[error("{}", .0.join("\n"))]
    Invalid(Vec<String>),
    /// The server is ending.
    #[error("the server is ending, so its configuration stays as it is")]
    Stopping,
    /// What is kept of credentials could not be read.
    #[error("the configuration stays as it is, since the store fails: {0}")]
    Store(String),
}

/// The body is read to its end and not looked at.
pub(super) async fn reload(State(admin): State<Arc<Admin>>, _body: Bytes) -> Response<Body> {
    let error = match admin.parts.config.reload().await {
        Ok(changed) => return Json(changed).into_response(),
        Err(error) => error,
    };
    let message = error.to_string();
    match error {
        ConfigAdminError::Invalid(errors) => {
            let body = json!({
                "error": { "code": "invalid_config", "message": message, "mistakes": errors },
            });
            (StatusCode::UNPROCESSABLE_ENTITY, Json(body)).into_response()
        }
        ConfigAdminError::Stopping => error_response(StatusCode::CONFLICT, "stopping", &message),
        ConfigAdminError::Store(_) => {
            error_response(StatusCode::INTERNAL_SERVER_ERROR, "store_failed", &message)
        }
    }
}
