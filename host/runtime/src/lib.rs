//! Plugins: WebAssembly components, prepared, run within limits, and swapped while they serve. The
//! only crate that knows wasmtime and `wit/`; it implements the ports of `jackfield-dispatch`.

mod bindings;
mod convert;
mod engine;
mod executor;
mod fault;
mod host_functions;
mod host_state;
mod inspect;
mod instance;
pub mod limits;
mod plugin;
mod plugin_dir;
mod registry;
mod selector;

pub use engine::{Engine, EngineError};
pub use inspect::{CONTRACT_VERSION, InspectError, PluginKind};
pub use instance::InstanceCounts;
pub use plugin::{Origin, Plugin, PrepareError};
pub use plugin_dir::{BuiltIn, PluginDir, PluginDirError};
pub use registry::{
    ChangeCallback, GenerationStatus, PluginStatus, Registry, RollbackError, Serving,
};
