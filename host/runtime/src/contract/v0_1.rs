//! The adapter for components of version 0.1 of the contract, whose text is in `wit/0.1`.

mod bindings;
mod convert;
mod executor;
mod imports;
mod selector;

pub(crate) use executor::{ExecutorGuestV01, ExecutorIndicesV01};
pub(crate) use selector::{SelectorGuestV01, SelectorIndicesV01};

use wasmtime::component::{HasSelf, Linker};

use crate::host_state::HostState;

/// Links the functions that guests of this version import.
pub(super) fn link(linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
    use self::bindings::{candidates, client_body, log, settings, types};

    types::add_to_linker::<_, HasSelf<_>>(linker, |state| state)?;
    log::add_to_linker::<_, HasSelf<_>>(linker, |state| state)?;
    settings::add_to_linker::<_, HasSelf<_>>(linker, |state| state)?;
    client_body::add_to_linker::<_, HasSelf<_>>(linker, |state| state)?;
    candidates::add_to_linker::<_, HasSelf<_>>(linker, |state| state)
}
