//! An executor that is a component: one generation of it, and the answers that pass through it.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use jackfield_dispatch::plan::{Context, Frame, Output, Plan, Refusal};
use jackfield_dispatch::port::{
    BoxFuture, Descriptor, Executor, Head, PluginFault, PluginId, Rejection, Reply,
};
use tokio::time::timeout;
use wasmtime::Store;
use wasmtime::component::ResourceAny;

use crate::bindings::{ExecutorPlugin, ExecutorPluginPre, types};
use crate::convert::{
    Wrong, context_out, frames_out, head_in, head_out, output_in, plan_in, refusal_in,
};
use crate::engine::Engine;
use crate::fault::nonsense;
use crate::instance::{Instance, InstanceCounts, Instances, World};
use crate::limits::{CALL_TICKS_MAX, CALL_WALL_MAX, DESCRIBE_TICKS_MAX};
use crate::state::State;

/// The executors' world.
pub(crate) struct ExecutorWorld;

impl World for ExecutorWorld {
    type Linked = ExecutorPluginPre<State>;
    type Bindings = ExecutorPlugin;

    fn instantiate<'a>(
        linked: &'a Self::Linked,
        store: &'a mut Store<State>,
    ) -> BoxFuture<'a, wasmtime::Result<Self::Bindings>> {
        Box::pin(linked.instantiate_async(store))
    }
}

/// One generation of an executor.
pub(crate) struct ComponentExecutor {
    plugin: PluginId,
    descriptor: Descriptor,
    instances: Arc<Instances<ExecutorWorld>>,
}

impl fmt::Debug for ComponentExecutor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_tuple("ComponentExecutor")
            .field(&self.plugin)
            .finish()
    }
}

impl ComponentExecutor {
    /// Starts one instance and asks it what it is.
    ///
    /// # Errors
    /// When it fails to, or answers nonsense.
    pub(crate) async fn describe(
        engine: &Engine,
        plugin: PluginId,
        linked: ExecutorPluginPre<State>,
    ) -> Result<Self, PluginFault> {
        let instances = Instances::<ExecutorWorld>::new(engine.clone(), plugin.clone(), linked);
        let mut instance = instances.take().await?;
        instance.ready(DESCRIBE_TICKS_MAX);
        let guest = instance.bindings.jackfield_plugin_executor();
        let described = timeout(CALL_WALL_MAX, guest.call_describe(&mut instance.store)).await;
        let described = instance.judge(described)?;
        instances.give_back(instance);
        if described.dialects.is_empty() {
            return Err(nonsense(
                &plugin,
                "it accepts no dialect; an executor declares at least one",
            ));
        }
        let descriptor = Descriptor {
            version: described.version,
            dialects: described.dialects,
            operations: described.operations,
            hosts: described.hosts,
            judges_errors: described.judges_errors,
        };
        Ok(Self {
            plugin,
            descriptor,
            instances: Arc::new(instances),
        })
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

    fn fault(&self, fault: PluginFault) -> PluginFault {
        self.instances.count_fault();
        fault
    }

    async fn take(
        &self,
        context: &Context,
        body: &Bytes,
    ) -> Result<Instance<ExecutorWorld>, PluginFault> {
        let mut instance = self
            .instances
            .take()
            .await
            .map_err(|fault| self.fault(fault))?;
        let state = instance.store.data_mut();
        state.body = body.clone();
        state.settings = Arc::clone(&context.settings);
        instance.ready(CALL_TICKS_MAX);
        Ok(instance)
    }

    /// Turns what a guest answered into what the host works with; a wrong answer is a fault.
    fn checked<T, U>(
        &self,
        answered: Result<T, types::Failure>,
        convert: impl FnOnce(T) -> Result<U, Wrong>,
    ) -> Result<U, Rejection> {
        checked(&self.plugin, &self.instances, answered, convert)
    }
}

impl Executor for ComponentExecutor {
    fn plugin(&self) -> &PluginId {
        &self.plugin
    }

    fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    fn prepare<'a>(
        &'a self,
        context: &'a Context,
        body: &'a Bytes,
    ) -> BoxFuture<'a, Result<Plan, Rejection>> {
        Box::pin(async move {
            let mut instance = self.take(context, body).await?;
            let context = context_out(context);
            let guest = instance.bindings.jackfield_plugin_executor();
            let call = guest.call_prepare(&mut instance.store, &context);
            let planned = timeout(CALL_WALL_MAX, call).await;
            let planned = instance.judge(planned).map_err(|fault| self.fault(fault))?;
            self.instances.give_back(instance);
            self.checked(planned, plan_in)
        })
    }

    fn judge<'a>(
        &'a self,
        context: &'a Context,
        body: &'a Bytes,
        head: &'a Head,
        answer: &'a Bytes,
    ) -> BoxFuture<'a, Result<Refusal, PluginFault>> {
        Box::pin(async move {
            let mut instance = self.take(context, body).await?;
            instance.store.data_mut().saw_content = true;
            let (context, head) = (context_out(context), head_out(head));
            let guest = instance.bindings.jackfield_plugin_executor();
            let call = guest.call_judge(&mut instance.store, &context, &head, answer);
            let judged = timeout(CALL_WALL_MAX, call).await;
            let judged = instance.judge(judged).map_err(|fault| self.fault(fault))?;
            self.instances.give_back(instance);
            Ok(refusal_in(judged))
        })
    }

    fn reply<'a>(
        &'a self,
        context: &'a Context,
        body: &'a Bytes,
        state: Bytes,
    ) -> BoxFuture<'a, Result<Box<dyn Reply>, PluginFault>> {
        Box::pin(async move {
            let mut instance = self.take(context, body).await?;
            instance.store.data_mut().saw_content = true;
            let context = context_out(context);
            let guest = instance.bindings.jackfield_plugin_executor().reply();
            let call = guest.call_constructor(&mut instance.store, &context, &state);
            let handle = timeout(CALL_WALL_MAX, call).await;
            let handle = instance.judge(handle).map_err(|fault| self.fault(fault))?;
            let (plugin, instances) = (self.plugin.clone(), Arc::clone(&self.instances));
            // Its place is filled now, while the answer takes its time.
            instances.make_ahead();
            Ok(Box::new(ComponentReply {
                plugin,
                instances,
                instance,
                handle,
            }) as Box<dyn Reply>)
        })
    }
}

/// One answer that passes through an instance of its own, dropped with it.
struct ComponentReply {
    plugin: PluginId,
    instances: Arc<Instances<ExecutorWorld>>,
    instance: Instance<ExecutorWorld>,
    handle: ResourceAny,
}

impl Reply for ComponentReply {
    fn head(&mut self, head: Head) -> BoxFuture<'_, Result<Head, Rejection>> {
        Box::pin(async move {
            self.instance.ready(CALL_TICKS_MAX);
            let guest = self.instance.bindings.jackfield_plugin_executor().reply();
            let head = head_out(&head);
            let call = guest.call_head(&mut self.instance.store, self.handle, &head);
            let answered = timeout(CALL_WALL_MAX, call).await;
            let answered = self.judge(answered)?;
            checked(&self.plugin, &self.instances, answered, head_in)
        })
    }

    fn push(&mut self, frames: Vec<Frame>, last: bool) -> BoxFuture<'_, Result<Output, Rejection>> {
        Box::pin(async move {
            self.instance.ready(CALL_TICKS_MAX);
            let guest = self.instance.bindings.jackfield_plugin_executor().reply();
            let frames = frames_out(&frames);
            let call = guest.call_push(&mut self.instance.store, self.handle, &frames, last);
            let answered = timeout(CALL_WALL_MAX, call).await;
            let answered = self.judge(answered)?;
            checked(&self.plugin, &self.instances, answered, output_in)
        })
    }
}

impl ComponentReply {
    fn judge<R>(
        &self,
        result: Result<wasmtime::Result<R>, tokio::time::error::Elapsed>,
    ) -> Result<R, Rejection> {
        self.instance.judge(result).map_err(|fault| {
            self.instances.count_fault();
            Rejection::Fault(fault)
        })
    }
}

fn checked<T, U>(
    plugin: &PluginId,
    instances: &Instances<ExecutorWorld>,
    answered: Result<T, types::Failure>,
    convert: impl FnOnce(T) -> Result<U, Wrong>,
) -> Result<U, Rejection> {
    let value = answered.map_err(|failure| Rejection::Refused(Box::new(refusal_in(failure))))?;
    convert(value).map_err(|wrong| {
        instances.count_fault();
        Rejection::Fault(nonsense(plugin, wrong))
    })
}
