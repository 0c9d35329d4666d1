//! Rust types and functions of both worlds, generated from `wit/0.1/`. Both worlds share the types of the
//! interfaces that they have in common.

pub(crate) mod executor_world {
    wasmtime::component::bindgen!({
        path: "../../wit/0.1",
        world: "executor-plugin",
        exports: { default: async },
    });
}

pub(crate) mod selector_world {
    wasmtime::component::bindgen!({
        path: "../../wit/0.1",
        world: "selector-plugin",
        exports: { default: async },
        with: {
            "jackfield:plugin/types": super::executor_world::jackfield::plugin::types,
            "jackfield:plugin/log": super::executor_world::jackfield::plugin::log,
            "jackfield:plugin/settings": super::executor_world::jackfield::plugin::settings,
        },
    });
}

pub(crate) use executor_world::ExecutorPlugin;
pub(crate) use executor_world::ExecutorPluginIndices;
pub(crate) use executor_world::exports::jackfield::plugin::executor as executor_contract;
pub(crate) use executor_world::jackfield::plugin::{client_body, log, settings, types};
pub(crate) use selector_world::SelectorPlugin;
pub(crate) use selector_world::SelectorPluginIndices;
pub(crate) use selector_world::exports::jackfield::plugin::selector as selector_contract;
pub(crate) use selector_world::jackfield::plugin::candidates;
