//! An executor of either version: its functions, with the host's types.

use bytes::Bytes;
use jackfield_dispatch::plan::{Context, Evaluation, Frame, Output, Plan, Refusal};
use jackfield_dispatch::port::{Descriptor, ResponseHead};
use wasmtime::Store;
use wasmtime::component::{Instance, InstancePre, ResourceAny};

use super::guest_result::GuestResult;
use super::{v0_1, v0_2};
use crate::host_state::HostState;
use crate::inspect::ContractVersion;

/// Where the functions of an executor are in its component.
pub(crate) enum ExecutorIndices {
    V0_1(v0_1::ExecutorIndicesV01),
    V0_2(Box<v0_2::ExecutorIndicesV02>),
}

/// The functions of one instance of an executor.
pub(crate) enum ExecutorGuest {
    V0_1(v0_1::ExecutorGuestV01),
    V0_2(Box<v0_2::ExecutorGuestV02>),
}

impl ExecutorIndices {
    /// Looks up the functions of a component.
    ///
    /// # Errors
    /// When a function is missing.
    pub(crate) fn new(
        version: ContractVersion,
        linked: &InstancePre<HostState>,
    ) -> wasmtime::Result<Self> {
        Ok(match version {
            ContractVersion::V0_1 => Self::V0_1(v0_1::ExecutorIndicesV01::new(linked)?),
            ContractVersion::V0_2 => Self::V0_2(Box::new(v0_2::ExecutorIndicesV02::new(linked)?)),
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
    ) -> wasmtime::Result<ExecutorGuest> {
        Ok(match self {
            Self::V0_1(indices) => ExecutorGuest::V0_1(indices.load(store, instance)?),
            Self::V0_2(indices) => ExecutorGuest::V0_2(Box::new(indices.load(store, instance)?)),
        })
    }
}

impl ExecutorGuest {
    /// Whether its plans may be remembered. In version 0.1 a plan is made with the time and the headers.
    pub(crate) fn may_remember(&self) -> bool {
        matches!(self, Self::V0_2(_))
    }

    /// Whether a further request of a response gets a new reply. In version 0.1 it is the same one.
    pub(crate) fn has_reply_per_request(&self) -> bool {
        matches!(self, Self::V0_2(_))
    }

    pub(crate) async fn describe(
        &self,
        store: &mut Store<HostState>,
    ) -> wasmtime::Result<Descriptor> {
        match self {
            Self::V0_1(guest) => guest.describe(store).await,
            Self::V0_2(guest) => guest.describe(store).await,
        }
    }

    pub(crate) async fn prepare(
        &self,
        store: &mut Store<HostState>,
        context: &Context,
    ) -> GuestResult<Plan> {
        match self {
            Self::V0_1(guest) => guest.prepare(store, context).await,
            Self::V0_2(guest) => guest.prepare(store, context).await,
        }
    }

    /// Classifies an error response; `None` leaves it to the host.
    pub(crate) async fn judge(
        &self,
        store: &mut Store<HostState>,
        context: &Context,
        head: &ResponseHead,
        body: &Bytes,
    ) -> wasmtime::Result<Option<Refusal>> {
        match self {
            Self::V0_1(guest) => guest.judge(store, context, head, body).await.map(Some),
            Self::V0_2(guest) => guest.judge(store, context, head, body).await,
        }
    }

    /// Creates a reply.
    pub(crate) async fn reply(
        &self,
        store: &mut Store<HostState>,
        context: &Context,
        state: &Bytes,
    ) -> wasmtime::Result<ResourceAny> {
        match self {
            Self::V0_1(guest) => guest.reply(store, context, state).await,
            Self::V0_2(guest) => guest.reply(store, context, state).await,
        }
    }

    pub(crate) async fn head(
        &self,
        store: &mut Store<HostState>,
        dialect: &'static str,
        reply: ResourceAny,
        head: ResponseHead,
    ) -> GuestResult<ResponseHead> {
        match self {
            Self::V0_1(guest) => guest.head(store, reply, &head).await,
            Self::V0_2(guest) => guest.head(store, dialect, reply, head).await,
        }
    }

    pub(crate) async fn push(
        &self,
        store: &mut Store<HostState>,
        dialect: &'static str,
        reply: ResourceAny,
        frames: &[Frame],
        last: bool,
    ) -> GuestResult<Output> {
        match self {
            Self::V0_1(guest) => guest.push(store, reply, frames, last).await,
            Self::V0_2(guest) => guest.push(store, dialect, reply, frames, last).await,
        }
    }

    pub(crate) async fn should_refresh(
        &self,
        store: &mut Store<HostState>,
        evaluation: &Evaluation,
    ) -> wasmtime::Result<Option<bool>> {
        match self {
            Self::V0_1(guest) => guest.should_refresh(store, evaluation).await,
            Self::V0_2(guest) => guest.should_refresh(store, evaluation).await,
        }
    }
}
