//! The SDK for Jackfield plugins in Rust: the bindings of `wit/`, a trait for each kind of plugin, and
//! functions for what most plugins have in common.
//!
//! A plugin is a `cdylib` for the target `wasm32-wasip2`. It implements [`executor::Executor`] or
//! [`selector::Selector`] for a type, and passes the type to [`export_executor!`] or
//! [`export_selector!`]. `host/docs/howto/executor.md` and `selector.md` show each step.

#[doc(hidden)]
pub mod bindings;
pub mod classify;
pub mod encode;
pub mod executor;
pub mod refresh;
mod request;
pub mod selector;
mod signing;
pub mod typed;

/// Lines in the host's log, with the plugin's name and generation. The host takes 32 lines of 1 KiB in
/// one call. Do not log anything from a client's body.
pub mod log {
    pub use crate::bindings::imports::jackfield::plugin::log::{Level, write};
}

/// Returns the operator's settings, as the text of one JSON object: for an executor those of the
/// provider, for a selector those of the routing. `{}` if there are none, and in `describe`.
pub fn settings_json() -> String {
    bindings::imports::jackfield::plugin::settings::json()
}
