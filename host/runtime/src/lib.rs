//! Plugins: WebAssembly components, prepared, run within limits, and swapped while they serve. The
//! only crate that knows wasmtime and `wit/`; it implements the ports of `jackfield-dispatch`.

mod bindings;
mod convert;
mod engine;
mod executor;
mod fault;
mod plugin_dir;
mod host_functions;
mod inspect;
mod instance;
pub mod limits;
mod plugin;
mod registry;
mod selector;
mod host_state;
mod watch;

pub use engine::{Engine, EngineError};
pub use plugin_dir::{BuiltIn, PluginDir, PluginDirError};
pub use inspect::{CONTRACT_VERSION, InspectError, PluginKind};
pub use instance::InstanceCounts;
pub use plugin::{Origin, Plugin, PrepareError};
pub use registry::{GenerationStatus, PluginStatus, ChangeCallback, Registry, RollbackError, Serving};
pub use watch::{Depth, Watch, WatchError};
