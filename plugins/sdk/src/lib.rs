//! What a Jackfield plugin in Rust is written with: the bindings of `wit/`, two traits with
//! sensible defaults, and shorthands for what most plans have in common.
//!
//! A plugin is a `cdylib` built for `wasm32-wasip2`. It implements [`executor::Executor`] or
//! [`selector::Selector`] for a type of its own and hands that type to
//! [`export_executor!`] or [`export_selector!`]. `plugins/README.md` goes through it step by step.

pub mod classify;
pub mod encode;
pub mod executor;
pub mod refresh;
pub mod selector;

#[doc(hidden)]
pub mod bindings {
    pub mod executor_world {
        wit_bindgen::generate!({
            world: "executor-plugin",
            path: "../../wit",
            pub_export_macro: true,
            export_macro_name: "__export_executor_world",
            default_bindings_module: "jackfield_plugin::bindings::executor_world",
        });
    }
    pub mod selector_world {
        wit_bindgen::generate!({
            world: "selector-plugin",
            path: "../../wit",
            pub_export_macro: true,
            export_macro_name: "__export_selector_world",
            default_bindings_module: "jackfield_plugin::bindings::selector_world",
            with: {
                "jackfield:plugin/types@0.1.0":
                    crate::bindings::executor_world::jackfield::plugin::types,
                "jackfield:plugin/log@0.1.0":
                    crate::bindings::executor_world::jackfield::plugin::log,
                "jackfield:plugin/settings@0.1.0":
                    crate::bindings::executor_world::jackfield::plugin::settings,
            },
        });
    }
}

/// Lines in the host's log.
pub mod log {
    pub use crate::bindings::executor_world::jackfield::plugin::log::{Level, write};
}

/// What the operator set for this plugin, as the text of one JSON object; `{}` where nothing is.
pub fn settings_json() -> String {
    bindings::executor_world::jackfield::plugin::settings::json()
}
