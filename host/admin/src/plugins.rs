//! `/plugins`: lists plugins and rolls them back.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use futures_util::stream::BoxStream;

use crate::Admin;
use crate::error::ApiError;
use crate::extract::Name;
use crate::types::{Plugin, PluginEvent, PluginList, RolledBack};

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

    /// Activates the previous version of a plugin and returns what is in use now.
    ///
    /// # Errors
    /// If there is no such plugin or no previous version.
    fn rollback(&self, name: &str) -> Result<RolledBack, PluginAdminError>;
}

/// Why a plugin was not rolled back. The text comes from the registry.
#[derive(Debug, thiserror::Error)]
pub enum PluginAdminError {
    /// There is no such plugin.
    #[error("{0}")]
    Unknown(String),
    /// The plugin has no previous version.
    #[error("{0}")]
    NoPreviousVersion(String),
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
) -> Result<Json<RolledBack>, ApiError> {
    let rolled_back = admin.parts.plugins.rollback(&name)?;
    tracing::info!(plugin = name, "admin: plugin rolled back");
    Ok(Json(rolled_back))
}
