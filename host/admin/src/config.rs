//! `POST /reload`: reads the configuration again, everything or nothing.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use jackfield_auth::BoxFuture;

use crate::Admin;
use crate::error::ApiError;
use crate::extract::RequestBody;
use crate::types::Reloaded;

/// What the admin API can do with the configuration.
pub trait ConfigAdmin: Send + Sync {
    /// Reads the configuration again and returns what changed.
    ///
    /// # Errors
    /// After an error the old configuration stays.
    fn reload(&self) -> BoxFuture<'_, Result<Reloaded, ConfigAdminError>>;
}

/// Why a reload failed. It contains no secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigAdminError {
    /// The file has errors, or changes a key that needs a restart: one line for each.
    #[error("{}", .0.join("\n"))]
    Invalid(Vec<String>),
    /// The server shuts down.
    #[error("the server is shutting down; its configuration stays")]
    Stopping,
    /// The store could not be read.
    #[error("the store could not be read, so the old configuration stays: {0}")]
    Store(String),
}

/// The body is read, so that the connection can be used again, and ignored.
pub(crate) async fn reload(
    State(admin): State<Arc<Admin>>,
    _body: RequestBody,
) -> Result<Json<Reloaded>, ApiError> {
    Ok(Json(admin.parts.config.reload().await?))
}
