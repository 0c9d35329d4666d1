//! A selector of either version: its functions, with the host's types.

use jackfield_dispatch::port::{Choice, PickContext};
use wasmtime::Store;
use wasmtime::component::{Instance, InstancePre};

use super::{v0_1, v0_2};
use crate::host_state::HostState;
use crate::inspect::ContractVersion;

/// Where the functions of a selector are in its component.
pub(crate) enum SelectorIndices {
    V0_1(v0_1::SelectorIndicesV01),
    V0_2(v0_2::SelectorIndicesV02),
}

/// The functions of one instance of a selector.
pub(crate) enum SelectorGuest {
    V0_1(v0_1::SelectorGuestV01),
    V0_2(v0_2::SelectorGuestV02),
}

impl SelectorIndices {
    /// Looks up the functions of a component.
    ///
    /// # Errors
    /// When a function is missing.
    pub(crate) fn new(
        version: ContractVersion,
        linked: &InstancePre<HostState>,
    ) -> wasmtime::Result<Self> {
        Ok(match version {
            ContractVersion::V0_1 => Self::V0_1(v0_1::SelectorIndicesV01::new(linked)?),
            ContractVersion::V0_2 => Self::V0_2(v0_2::SelectorIndicesV02::new(linked)?),
        })
    }

    /// Returns the functions of an instance.
    ///
    /// # Errors
    /// When a function has another type than in the contract.
    pub(crate) fn load(
        &self,
        store: &mut Store<HostState>,
        instance: &Instance,
    ) -> wasmtime::Result<SelectorGuest> {
        Ok(match self {
            Self::V0_1(indices) => SelectorGuest::V0_1(indices.load(store, instance)?),
            Self::V0_2(indices) => SelectorGuest::V0_2(indices.load(store, instance)?),
        })
    }
}

impl SelectorGuest {
    /// The version in its descriptor.
    pub(crate) async fn version(&self, store: &mut Store<HostState>) -> wasmtime::Result<String> {
        match self {
            Self::V0_1(guest) => guest.version(store).await,
            Self::V0_2(guest) => guest.version(store).await,
        }
    }

    pub(crate) async fn pick(
        &self,
        store: &mut Store<HostState>,
        context: &PickContext,
    ) -> wasmtime::Result<Choice> {
        match self {
            Self::V0_1(guest) => guest.pick(store, context).await,
            Self::V0_2(guest) => guest.pick(store, context).await,
        }
    }
}
