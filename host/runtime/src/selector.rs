//! A selector that is a component: one generation of it. It never sees content, so its instances
//! stay warm.

use std::fmt;
use std::sync::Arc;

use jackfield_dispatch::port::{
    BoxFuture, Choice, Columns, PickContext, PluginFault, PluginId, Selector,
};
use tokio::time::timeout;
use wasmtime::Store;

use crate::bindings::{SelectorPlugin, SelectorPluginPre, selector_contract as contract};
use crate::engine::Engine;
use crate::fault::nonsense;
use crate::instance::{Instance, InstanceCounts, Instances, World};
use crate::limits::{CALL_TICKS_MAX, CALL_WALL_MAX, DESCRIBE_TICKS_MAX};
use crate::state::State;

/// The selectors' world.
pub(crate) struct SelectorWorld;

impl World for SelectorWorld {
    type Linked = SelectorPluginPre<State>;
    type Bindings = SelectorPlugin;

    fn instantiate<'a>(
        linked: &'a Self::Linked,
        store: &'a mut Store<State>,
    ) -> BoxFuture<'a, wasmtime::Result<Self::Bindings>> {
        Box::pin(linked.instantiate_async(store))
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
    /// Starts one instance and asks it what it is.
    ///
    /// # Errors
    /// When it fails to.
    pub(crate) async fn describe(
        engine: &Engine,
        plugin: PluginId,
        linked: SelectorPluginPre<State>,
    ) -> Result<Self, PluginFault> {
        let instances = Instances::<SelectorWorld>::new(engine.clone(), plugin.clone(), linked);
        let mut instance = instances.take().await?;
        instance.ready(DESCRIBE_TICKS_MAX);
        let guest = instance.bindings.jackfield_plugin_selector();
        let described = timeout(CALL_WALL_MAX, guest.call_describe(&mut instance.store)).await;
        let version = instance.judge(described)?.version;
        instances.give_back(instance);
        Ok(Self {
            plugin,
            version,
            instances,
        })
    }

    pub(crate) fn version(&self) -> &str {
        &self.version
    }

    pub(crate) fn counts(&self) -> InstanceCounts {
        self.instances.counts()
    }

    pub(crate) fn retire(&self) {
        self.instances.retire();
    }

    pub(crate) fn reinstate(&self) {
        self.instances.reinstate();
    }

    async fn choose(
        &self,
        instance: &mut Instance<SelectorWorld>,
        context: &PickContext,
        candidates: Arc<dyn Columns>,
    ) -> Result<contract::Choice, PluginFault> {
        let state = instance.store.data_mut();
        state.settings = Arc::clone(&context.settings);
        state.candidates = Some(candidates);
        instance.ready(CALL_TICKS_MAX);
        let guest = instance.bindings.jackfield_plugin_selector();
        let context = context_out(context);
        let call = guest.call_pick(&mut instance.store, &context);
        let chosen = timeout(CALL_WALL_MAX, call).await;
        instance.judge(chosen)
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
        Box::pin(async move {
            let count = candidates.len();
            let mut instance = self.instances.take().await?;
            let chosen = self.choose(&mut instance, context, candidates).await;
            let chosen = chosen.inspect_err(|_| self.instances.count_fault())?;
            self.instances.give_back(instance);
            choice_in(&self.plugin, chosen, count).inspect_err(|_| self.instances.count_fault())
        })
    }
}

fn context_out(context: &PickContext) -> contract::PickContext {
    contract::PickContext {
        model: context.model.as_ref().to_owned(),
        dialect: context.dialect.to_owned(),
        attempt: context.attempt,
        sequence: context.sequence,
        affinity: context.affinity,
        random: context.random,
        now_ms: context.now_ms,
    }
}

fn choice_in(
    plugin: &PluginId,
    choice: contract::Choice,
    count: usize,
) -> Result<Choice, PluginFault> {
    match choice {
        contract::Choice::Candidate(index) if (index as usize) < count => {
            Ok(Choice::Candidate(index as usize))
        }
        contract::Choice::Candidate(index) => Err(nonsense(
            plugin,
            format!("it chose candidate {index} of {count}"),
        )),
        contract::Choice::WaitMs(milliseconds) => Ok(Choice::WaitMs(milliseconds)),
        contract::Choice::None(reason) => Ok(Choice::None(reason)),
    }
}
