//! An executor that is a component: one generation of it, and the answers that pass through it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use jackfield_credential::Timestamp;
use jackfield_dispatch::plan::{Context, Evaluation, Frame, Output, Plan, Refusal};
use jackfield_dispatch::port::{
    BoxFuture, Descriptor, Executor, ResponseHead, PluginFault, PluginId, Rejection, Reply,
};
use jackfield_dispatch::or_default_rules;
use wasmtime::Store;
use wasmtime::component::{InstancePre, ResourceAny};

use crate::bindings::{ExecutorPlugin, ExecutorPluginIndices, types};
use crate::convert::{
    Wrong, context_out, evaluated_out, frames_out, head_in, head_out, output_in, plan_in,
    refusal_in,
};
use crate::engine::Engine;
use crate::fault::{Overdue, nonsense, within_time};
use crate::instance::{Instance, InstanceCounts, Instances, NotStarted, World};
use crate::limits::{CALL_TICKS_MAX, DESCRIBE_TICKS_MAX};
use crate::state::State;

/// The executors' world.
pub(crate) struct ExecutorWorld;

impl World for ExecutorWorld {
    type Indices = ExecutorPluginIndices;
    type Bindings = ExecutorPlugin;

    fn indices(linked: &InstancePre<State>) -> wasmtime::Result<Self::Indices> {
        ExecutorPluginIndices::new(linked)
    }

    fn bindings(
        indices: &Self::Indices,
        store: &mut Store<State>,
        instance: &wasmtime::component::Instance,
    ) -> wasmtime::Result<Self::Bindings> {
        indices.load(store, instance)
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
    /// When it does not fit the contract, fails, or answers nonsense.
    pub(crate) async fn describe(
        engine: &Engine,
        plugin: PluginId,
        linked: InstancePre<State>,
    ) -> Result<Self, NotStarted> {
        let instances = Instances::<ExecutorWorld>::new(engine.clone(), plugin.clone(), linked)
            .map_err(NotStarted::Unfit)?;
        let mut instance = instances.first().await?;
        instance.ready(DESCRIBE_TICKS_MAX);
        let guest = instance.bindings.jackfield_plugin_executor();
        let described = within_time(guest.call_describe(&mut instance.store)).await;
        let described = instance.judge(described)?;
        instances.give_back(instance);
        if described.dialects.is_empty() {
            let problem = "it accepts no dialect; an executor declares at least one";
            return Err(NotStarted::Fault(nonsense(&plugin, problem)));
        }
        let descriptor = Descriptor {
            version: described.version,
            dialects: described.dialects,
            operations: described.operations,
            hosts: described.hosts,
            refresh_lead: described.refresh_lead_ms.map(Duration::from_millis),
            judges_errors: described.judges_errors,
            evaluates_refresh: described
                .options
                .iter()
                .any(|(name, value)| name == EVALUATES_REFRESH && value == "true"),
            options: described.options,
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
        settings: &Arc<str>,
        body: &Bytes,
    ) -> Result<Instance<ExecutorWorld>, PluginFault> {
        let mut instance = self
            .instances
            .take()
            .await
            .map_err(|fault| self.fault(fault))?;
        let state = instance.store.data_mut();
        state.body = body.clone();
        state.settings = Arc::clone(settings);
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

    fn note_fault(&self) {
        self.instances.count_fault();
    }

    fn prepare<'a>(
        &'a self,
        context: &'a Context,
        body: &'a Bytes,
    ) -> BoxFuture<'a, Result<Plan, Rejection>> {
        Box::pin(async move {
            let mut instance = self.take(&context.settings, body).await?;
            let context = context_out(context);
            let guest = instance.bindings.jackfield_plugin_executor();
            let call = guest.call_prepare(&mut instance.store, &context);
            let planned = within_time(call).await;
            let planned = instance.judge(planned).map_err(|fault| self.fault(fault))?;
            self.instances.give_back(instance);
            self.checked(planned, plan_in)
        })
    }

    fn judge<'a>(
        &'a self,
        context: &'a Context,
        body: &'a Bytes,
        head: &'a ResponseHead,
        answer: &'a Bytes,
    ) -> BoxFuture<'a, Result<Refusal, PluginFault>> {
        Box::pin(async move {
            let mut instance = self.take(&context.settings, body).await?;
            instance.store.data_mut().saw_content = true;
            let (given, told) = (context_out(context), head_out(head));
            let guest = instance.bindings.jackfield_plugin_executor();
            let call = guest.call_judge(&mut instance.store, &given, &told, answer);
            let judged = within_time(call).await;
            let judged = instance.judge(judged).map_err(|fault| self.fault(fault))?;
            self.instances.give_back(instance);
            let now = Timestamp::from_millis(context.now_ms);
            Ok(or_default_rules(refusal_in(judged), head, answer, now))
        })
    }

    fn reply<'a>(
        &'a self,
        context: &'a Context,
        body: &'a Bytes,
        state: Bytes,
    ) -> BoxFuture<'a, Result<Box<dyn Reply>, PluginFault>> {
        Box::pin(async move {
            let mut instance = self.take(&context.settings, body).await?;
            instance.store.data_mut().saw_content = true;
            let context = context_out(context);
            let guest = instance.bindings.jackfield_plugin_executor().reply();
            let call = guest.call_constructor(&mut instance.store, &context, &state);
            let handle = within_time(call).await;
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

    fn should_refresh<'a>(
        &'a self,
        evaluation: &'a Evaluation,
    ) -> BoxFuture<'a, Result<Option<bool>, PluginFault>> {
        Box::pin(async move {
            let body = Bytes::new();
            let mut instance = self.take(&evaluation.settings, &body).await?;
            let credential = evaluated_out(evaluation);
            let guest = instance.bindings.jackfield_plugin_executor();
            let now_ms = evaluation.now_ms;
            let call = guest.call_should_refresh(&mut instance.store, &credential, now_ms);
            let opinion = within_time(call).await;
            let opinion = instance.judge(opinion).map_err(|fault| self.fault(fault))?;
            self.instances.give_back(instance);
            Ok(opinion)
        })
    }
}

/// The option of a descriptor that says that `should-refresh` is to be called.
const EVALUATES_REFRESH: &str = "evaluates-refresh";

/// One answer that passes through an instance of its own, dropped with it.
struct ComponentReply {
    plugin: PluginId,
    instances: Arc<Instances<ExecutorWorld>>,
    instance: Instance<ExecutorWorld>,
    handle: ResourceAny,
}

impl Reply for ComponentReply {
    fn head(&mut self, head: ResponseHead) -> BoxFuture<'_, Result<ResponseHead, Rejection>> {
        Box::pin(async move {
            self.instance.ready(CALL_TICKS_MAX);
            let guest = self.instance.bindings.jackfield_plugin_executor().reply();
            let head = head_out(&head);
            let call = guest.call_head(&mut self.instance.store, self.handle, &head);
            let answered = within_time(call).await;
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
            let answered = within_time(call).await;
            let answered = self.judge(answered)?;
            checked(&self.plugin, &self.instances, answered, output_in)
        })
    }
}

impl ComponentReply {
    fn judge<R>(&self, result: Result<wasmtime::Result<R>, Overdue>) -> Result<R, Rejection> {
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
