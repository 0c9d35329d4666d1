//! The port `Selector` implemented by a component: one generation of it. A selector sees no content, so
//! its instances are reused.

use std::fmt;
use std::sync::Arc;

use jackfield_dispatch::port::{
    BoxFuture, Choice, Columns, PickContext, PluginFault, PluginId, Selector,
};
use tokio::time::timeout;
use wasmtime::Store;
use wasmtime::component::InstancePre;

use crate::contract::selector::{SelectorGuest, SelectorIndices};
use crate::engine::Engine;
use crate::host_state::HostState;
use crate::inspect::ContractVersion;
use crate::instance::{Generation, HOST_PASS, InstancePool, Instances, InstantiateError, World};
use crate::limits::{CALL_WALL_MAX, DESCRIBE_TICKS_MAX};

/// Selectors.
pub(crate) struct SelectorWorld;

impl World for SelectorWorld {
    type Indices = SelectorIndices;
    type Bindings = SelectorGuest;

    fn indices(
        version: ContractVersion,
        linked: &InstancePre<HostState>,
    ) -> wasmtime::Result<Self::Indices> {
        SelectorIndices::new(version, linked)
    }

    fn bindings(
        indices: &Self::Indices,
        store: &mut Store<HostState>,
        instance: &wasmtime::component::Instance,
    ) -> wasmtime::Result<Self::Bindings> {
        indices.load(store, instance)
    }
}

/// One generation of a selector.
pub(crate) struct ComponentSelector {
    plugin: PluginId,
    version: String,
    instances: Instances<SelectorWorld>,
}

impl fmt::Debug for ComponentSelector {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_tuple("ComponentSelector")
            .field(&self.plugin)
            .finish()
    }
}

impl ComponentSelector {
    /// Starts one instance and calls its `describe`.
    ///
    /// # Errors
    /// When the component does not match the contract, or fails.
    pub(crate) async fn describe(
        engine: &Engine,
        plugin: PluginId,
        version: ContractVersion,
        linked: InstancePre<HostState>,
    ) -> Result<Self, InstantiateError> {
        let (instances, mut instance) =
            Instances::<SelectorWorld>::start(engine.clone(), plugin.clone(), version, linked)
                .await?;
        instance.begin_call(DESCRIBE_TICKS_MAX, instances.running(HOST_PASS));
        let shared = instances.clone();
        let call = instances.run(HOST_PASS, async move {
            let call = instance.bindings.version(&mut instance.store);
            let described = timeout(CALL_WALL_MAX, call).await;
            shared.check(instance, described)
        });
        let (instance, described) = call.await?;
        instances.release(instance);
        Ok(Self {
            plugin,
            version: described,
            instances,
        })
    }

    async fn call_pick(
        &self,
        context: &PickContext,
        candidates: Arc<dyn Columns>,
    ) -> Result<Choice, PluginFault> {
        // The dispatcher would take an index out of range for a lost race and pick again, so it
        // becomes a fault here.
        let count = candidates.len();
        let pass = self.instances.admit(context.client)?;
        let mut instance = self.instances.acquire(pass).await?;
        let state = instance.store.data_mut();
        state.settings = Arc::clone(&context.settings);
        state.candidates = Some(candidates);
        state.input.call = Some(Arc::clone(&context.call));
        let (instances, context) = (self.instances.clone(), context.clone());
        let call = self.instances.run(pass, async move {
            let call = instance.bindings.pick(&mut instance.store, &context);
            let chosen = timeout(CALL_WALL_MAX, call).await;
            instances.check(instance, chosen)
        });
        let (mut instance, chosen) = call.await?;
        if let Choice::Candidate(index) = chosen
            && index >= count
        {
            let detail = format!("it chose index {index} of {count} candidates");
            return Err(self.instances.invalid_output(&mut instance, detail));
        }
        self.instances.release(instance);
        Ok(chosen)
    }
}

impl Generation for ComponentSelector {
    fn version(&self) -> &str {
        &self.version
    }

    fn pool(&self) -> &dyn InstancePool {
        &self.instances
    }
}

impl Selector for ComponentSelector {
    fn plugin(&self) -> &PluginId {
        &self.plugin
    }

    fn pick<'a>(
        &'a self,
        context: &'a PickContext,
        candidates: Arc<dyn Columns>,
    ) -> BoxFuture<'a, Result<Choice, PluginFault>> {
        Box::pin(self.call_pick(context, candidates))
    }
}
