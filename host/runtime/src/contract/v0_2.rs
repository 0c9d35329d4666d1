//! Components of version 0.2 of the contract, whose text is in `wit`.

mod bindings;
mod conversation;
mod convert;
mod executor;
mod imports;
mod selector;
mod typed_events;

pub(crate) use executor::{ExecutorGuestV02, ExecutorIndicesV02};
pub(crate) use selector::{SelectorGuestV02, SelectorIndicesV02};

use wasmtime::component::{HasSelf, Linker};

use crate::host_state::HostState;

/// Links the functions that guests of this version import.
pub(super) fn link(linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
    use self::bindings::{
        call, candidates, client, client_body, conversation, log, settings, types,
    };

    types::add_to_linker::<_, HasSelf<_>>(linker, |state| state)?;
    log::add_to_linker::<_, HasSelf<_>>(linker, |state| state)?;
    settings::add_to_linker::<_, HasSelf<_>>(linker, |state| state)?;
    call::add_to_linker::<_, HasSelf<_>>(linker, |state| state)?;
    client::add_to_linker::<_, HasSelf<_>>(linker, |state| state)?;
    client_body::add_to_linker::<_, HasSelf<_>>(linker, |state| state)?;
    conversation::add_to_linker::<_, HasSelf<_>>(linker, |state| state)?;
    candidates::add_to_linker::<_, HasSelf<_>>(linker, |state| state)
}
