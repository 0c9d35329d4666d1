//! Why a plugin is rejected.

use jackfield_dispatch::port::PluginFault;

use crate::component_size::OverSize;
use crate::inspect::{InspectError, PluginKind};
use crate::instance::InstantiateError;
use crate::limits::COMPONENT_BYTES_MAX;

/// Why a plugin is rejected. The version in use stays.
#[derive(Debug, thiserror::Error)]
pub enum PrepareError {
    /// It is larger than [`COMPONENT_BYTES_MAX`].
    #[error("it is larger than {} MiB; strip it, or split it", COMPONENT_BYTES_MAX >> 20)]
    TooLarge,
    /// To compile it would take too much time and memory.
    #[error(transparent)]
    OverSize(#[from] OverSize),
    /// It is not a plugin, or it is a plugin for another host.
    #[error(transparent)]
    Inspect(#[from] InspectError),
    /// wasmtime cannot compile it.
    #[error("it does not compile: {0}")]
    Compile(String),
    /// Its imports or exports have the names of the contract, but other types.
    #[error("it does not match the contract: {0}; build it against this host's wit/")]
    Link(String),
    /// It failed while it was instantiated or in `describe`.
    #[error("it failed to start: {0}")]
    Start(PluginFault),
    /// The plugin in use under this name is of the other kind.
    #[error("the plugin in use under this name is of the kind `{}`, and this one of the kind `{}`; rename the file", .serving.label(), .offered.label())]
    KindChanged {
        /// The kind of the plugin in use.
        serving: PluginKind,
        /// The kind of this plugin.
        offered: PluginKind,
    },
    /// The operator requires something that is not true of it.
    #[error(
        "`plugins-require` has `{required}`, but by its imports and exports it can see: {sees}"
    )]
    Requirement {
        /// What is required.
        required: &'static str,
        /// What it can see.
        sees: String,
    },
    /// The operator has pinned another component.
    #[error(
        "its SHA-256 is {found}, but `plugins-pinned` has {pinned}; pin the new digest, or restore the file"
    )]
    NotPinned {
        /// The digest of this component.
        found: String,
        /// The digest in the configuration.
        pinned: String,
    },
    /// The file could not be read.
    #[error("it cannot be read: {0}")]
    Read(String),
}

impl From<InstantiateError> for PrepareError {
    fn from(error: InstantiateError) -> Self {
        match error {
            InstantiateError::Fault(fault) => Self::Start(fault),
            InstantiateError::Link(error) => Self::Link(format!("{error:#}")),
        }
    }
}
