//! The functions of a selector of version 0.2.

use jackfield_dispatch::port::{Choice, PickContext};
use wasmtime::Store;
use wasmtime::component::{Instance, InstancePre};

use super::bindings::selector as contract;
use crate::host_state::HostState;

/// Where the functions are in a component.
pub(crate) struct SelectorIndicesV02(contract::GuestIndices);

/// The functions of one instance.
pub(crate) struct SelectorGuestV02(contract::Guest);

impl SelectorIndicesV02 {
    pub(crate) fn new(linked: &InstancePre<HostState>) -> wasmtime::Result<Self> {
        contract::GuestIndices::new(linked).map(Self)
    }

    pub(crate) fn load(
        &self,
        store: &mut Store<HostState>,
        instance: &Instance,
    ) -> wasmtime::Result<SelectorGuestV02> {
        self.0.load(store, instance).map(SelectorGuestV02)
    }
}

impl SelectorGuestV02 {
    pub(crate) async fn version(&self, store: &mut Store<HostState>) -> wasmtime::Result<String> {
        Ok(self.0.call_describe(store).await?.version)
    }

    pub(crate) async fn pick(
        &self,
        store: &mut Store<HostState>,
        context: &PickContext,
    ) -> wasmtime::Result<Choice> {
        let context = contract::PickContext {
            model: context.model.as_ref().to_owned(),
            dialect: context.dialect.to_owned(),
            operation: context.operation.to_owned(),
            stream: context.stream,
            attempt: context.attempt,
            sequence: context.sequence,
            affinity: context.affinity,
            random: context.random,
            now_ms: context.now_ms,
            options: Vec::new(),
        };
        Ok(match self.0.call_pick(store, &context).await? {
            contract::Choice::Candidate(index) => Choice::Candidate(index as usize),
            contract::Choice::WaitMs(milliseconds) => Choice::WaitMs(milliseconds),
            contract::Choice::None(reason) => Choice::None(reason),
            contract::Choice::Delegate(name) => Choice::Delegate(name),
        })
    }
}
