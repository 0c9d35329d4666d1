//! The functions of a selector of version 0.1.

use jackfield_dispatch::port::{Choice, PickContext};
use wasmtime::Store;
use wasmtime::component::{Instance, InstancePre};

use super::bindings::{SelectorPlugin, SelectorPluginIndices, selector_contract as contract};
use crate::host_state::HostState;

/// Where the functions are in a component.
pub(crate) struct SelectorIndicesV01(SelectorPluginIndices);

/// The functions of one instance.
pub(crate) struct SelectorGuestV01(SelectorPlugin);

impl SelectorIndicesV01 {
    pub(crate) fn new(linked: &InstancePre<HostState>) -> wasmtime::Result<Self> {
        SelectorPluginIndices::new(linked).map(Self)
    }

    pub(crate) fn load(
        &self,
        store: &mut Store<HostState>,
        instance: &Instance,
    ) -> wasmtime::Result<SelectorGuestV01> {
        self.0.load(store, instance).map(SelectorGuestV01)
    }
}

impl SelectorGuestV01 {
    pub(crate) async fn version(&self, store: &mut Store<HostState>) -> wasmtime::Result<String> {
        let guest = self.0.jackfield_plugin_selector();
        Ok(guest.call_describe(store).await?.version)
    }

    pub(crate) async fn pick(
        &self,
        store: &mut Store<HostState>,
        context: &PickContext,
    ) -> wasmtime::Result<Choice> {
        let context = contract::PickContext {
            model: context.model.as_ref().to_owned(),
            dialect: context.dialect.to_owned(),
            attempt: context.attempt,
            sequence: context.sequence,
            affinity: context.affinity,
            random: context.random,
            now_ms: context.now_ms,
        };
        let guest = self.0.jackfield_plugin_selector();
        Ok(match guest.call_pick(store, &context).await? {
            contract::Choice::Candidate(index) => Choice::Candidate(index as usize),
            contract::Choice::WaitMs(milliseconds) => Choice::WaitMs(milliseconds),
            contract::Choice::None(reason) => Choice::None(reason),
        })
    }
}
