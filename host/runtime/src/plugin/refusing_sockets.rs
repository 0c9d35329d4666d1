//! WASI's sockets for components that import them: every function traps. The runtime of Python imports them for its standard
//! library.

use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, Linker, ResourceType};

use crate::engine::Engine;
use crate::host_state::HostState;
use crate::inspect::is_of_sockets;

/// Returns a linker that has what this component imports of sockets.
pub(super) fn linker(
    engine: &Engine,
    component: &Component,
) -> wasmtime::Result<Linker<HostState>> {
    let mut linker = engine.linker().clone();
    let component_type = component.component_type();
    for (interface, import) in component_type.imports(component.engine()) {
        let ComponentItem::ComponentInstance(instance) = import.ty else {
            continue;
        };
        if !is_of_sockets(interface) {
            continue;
        }
        let engine = component.engine();
        let mut offered = linker.instance(interface)?;
        for (name, export) in instance.exports(engine) {
            match export.ty {
                ComponentItem::ComponentFunc(_) => {
                    let refusal = format!("{interface}#{name}: plugins have no network");
                    offered.func_new(name, move |_, _, _, _| {
                        Err(wasmtime::Error::msg(refusal.clone()))
                    })?;
                }
                ComponentItem::Resource(_) if !STREAM_RESOURCES.contains(&name) => {
                    // There is never one.
                    offered.resource(name, ResourceType::host::<()>(), |_, _| Ok(()))?;
                }
                _ => {}
            }
        }
    }
    Ok(linker)
}

/// The resources of `wasi:io` that the functions of sockets use. The linker has them.
const STREAM_RESOURCES: [&str; 4] = ["error", "input-stream", "output-stream", "pollable"];
