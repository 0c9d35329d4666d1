//! `/plugins`: lists plugins, rolls them back, and unloads them.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use futures_util::stream::BoxStream;
use jackfield_auth::BoxFuture;

use crate::Admin;
use crate::error::ApiError;
use crate::extract::{Name, RequestBody};
use crate::types::{Plugin, PluginEvent, PluginList, Rollback, RolledBack, Unloaded};

/// Events of plugins, with their names. An error is the number of events that the reader was too slow to receive.
pub type PluginEvents = BoxStream<'static, Result<(&'static str, PluginEvent), u64>>;

/// What the admin API can do with plugins.
pub trait PluginAdmin: Send + Sync {
    /// Returns all plugins, sorted by name.
    fn list(&self) -> Vec<Plugin>;

    /// Returns the number of instances of all plugins.
    fn instances_alive(&self) -> usize;

    /// Subscribes to what happens to plugins from now on.
    fn subscribe(&self) -> PluginEvents;

    /// Activates this generation of a plugin, or the previous one, and returns what is in use now.
    ///
    /// # Errors
    /// If there is no such plugin or generation.
    fn rollback(&self, name: &str, to: Option<u64>) -> Result<RolledBack, PluginAdminError>;

    /// Takes a plugin out of use whose file was removed.
    ///
    /// # Errors
    /// If there is no such plugin, it is built in, or its file exists.
    fn unload<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Unloaded, PluginAdminError>>;
}

/// Why a plugin was not rolled back or unloaded. The text comes from the registry.
#[derive(Debug, thiserror::Error)]
pub enum PluginAdminError {
    /// There is no such plugin.
    #[error("{0}")]
    Unknown(String),
    /// The plugin has no previous version.
    #[error("{0}")]
    NoPreviousVersion(String),
    /// The plugin does not hold this generation.
    #[error("{0}")]
    NotHeld(String),
    /// The plugin is built in, or its file exists.
    #[error("{0}")]
    StillThere(String),
}

pub(crate) async fn list(State(admin): State<Arc<Admin>>) -> Json<PluginList> {
    Json(PluginList {
        plugins: admin.parts.plugins.list(),
        instances_alive: admin.parts.plugins.instances_alive(),
        selector_faults: admin.parts.dispatcher.selector_faults(),
    })
}

pub(crate) async fn rollback(
    State(admin): State<Arc<Admin>>,
    Name(name): Name,
    RequestBody(body): RequestBody,
) -> Result<Json<RolledBack>, ApiError> {
    let rollback = if body.is_empty() {
        Rollback::default()
    } else {
        serde_json::from_slice(&body)
            .map_err(|error| ApiError::InvalidRollback(error.to_string()))?
    };
    let rolled_back = admin.parts.plugins.rollback(&name, rollback.to)?;
    tracing::info!(plugin = name, "admin: plugin rolled back");
    Ok(Json(rolled_back))
}

/// The body is read, so that the connection can be used again, and ignored.
pub(crate) async fn unload(
    State(admin): State<Arc<Admin>>,
    Name(name): Name,
    _body: RequestBody,
) -> Result<Json<Unloaded>, ApiError> {
    let unloaded = admin.parts.plugins.unload(&name).await?;
    tracing::info!(plugin = name, "admin: plugin unloaded");
    Ok(Json(unloaded))
}
