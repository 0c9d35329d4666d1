//! The plugin contract in its versions: how the functions of each are called, and what their values mean to
//! the host. A component gets the version that it exports.

pub(crate) mod candidates;
pub(crate) mod executor;
pub(crate) mod guest_result;
pub(crate) mod plan_parts;
pub(crate) mod selector;
mod v0_1;
mod v0_2;

use wasmtime::component::Linker;

use crate::host_state::HostState;

/// Links the functions that guests import, of both versions.
pub(crate) fn link(linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
    v0_1::link(linker)?;
    v0_2::link(linker)
}
