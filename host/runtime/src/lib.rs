//! Plugins: WebAssembly components that the host loads, runs within limits, and replaces while calls
//! are in progress. Only this crate knows wasmtime and `wit/`. It implements the ports `Executor` and
//! `Selector` of `jackfield-dispatch`.

mod breaker;
mod client_places;
mod code_cache;
mod compile_thread;
mod component_bytes;
mod component_size;
mod contract;
mod engine;
mod executor;
mod fault;
mod host_state;
mod inspect;
mod instance;
pub mod limits;
mod memory_budget;
mod overruns;
mod plan_memory;
mod plugin;
mod plugin_dir;
mod policy;
mod prepare_error;
mod proof;
mod proving;
mod reads;
mod registry;
mod remembered_plans;
mod running_call;
mod selector;
mod slow_calls;
mod ticker;

pub use breaker::{BreakerEvent, BreakerStatus, Suspended};
pub use code_cache::CodeCacheOptions;
pub use component_size::OverSize;
pub use engine::{Compiling, Engine, EngineError, EngineOptions};
pub use inspect::{CONTRACT_VERSION, InspectError, PluginKind};
pub use instance::InstanceCounts;
pub use plugin::{Origin, Plugin};
pub use plugin_dir::{BuiltIn, PluginDir, PluginDirError, plugin_names};
pub use policy::{PluginPolicies, PluginPolicy, Requirement};
pub use prepare_error::PrepareError;
pub use registry::{
    ChangeCallback, GenerationStatus, PluginEvent, PluginEventKind, PluginStatus, Registry,
    RollbackError, TakenBack, UnloadError,
};
