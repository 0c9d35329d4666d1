//! Plugins through the admin API.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{Response, StatusCode};
use axum::response::IntoResponse;
use serde_json::Value;

use super::{Admin, error_response};

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
    NoPreviousVersion(String),
}

pub(super) async fn list(State(admin): State<Arc<Admin>>) -> Json<Value> {
    let mut listed = admin.parts.plugins.list();
    listed["selector_faults"] = admin.parts.dispatcher.selector_faults().into();
    Json(listed)
}

pub(super) async fn rollback(
    State(admin): State<Arc<Admin>>,
    Path(name): Path<String>,
) -> Response<Body> {
    match admin.parts.plugins.rollback(&name) {
        Ok(serving) => {
            tracing::info!(plugin = name, "admin: plugin rolled back");
            Json(serving).into_response()
        }
        Err(error @ PluginAdminError::Unknown(_)) => error_response(
            StatusCode::NOT_FOUND,
            "plugin_not_found",
            &error.to_string(),
        ),
        Err(error @ PluginAdminError::NoPreviousVersion(_)) => {
            error_response(StatusCode::CONFLICT, "nothing_before", &error.to_string())
        }
    }
}
