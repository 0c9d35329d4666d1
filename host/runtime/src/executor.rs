//! An executor that is a component: one generation of it, and the answers that pass through it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use jackfield_credential::Timestamp;
use jackfield_dispatch::or_default_rules;
use jackfield_dispatch::plan::{Context, Evaluation, Frame, Output, Plan, Refusal};
use jackfield_dispatch::port::{
    BoxFuture, Descriptor, Executor, PluginFault, PluginId, PluginReply, Rejection, ResponseHead,
};
use wasmtime::Store;
use wasmtime::component::{InstancePre, ResourceAny};

use crate::bindings::{ExecutorPlugin, ExecutorPluginIndices, types};
use crate::convert::{
    ContractError, context_out, failure_in, frames_out, head_in, head_out, output_in, plan_in,
    refresh_credential_out,
};
use crate::engine::Engine;
use crate::fault::{CallTimeout, invalid_output, with_timeout};
use crate::host_state::HostState;
use crate::instance::{Instance, InstanceCounts, Instances, InstantiateError, World};
use crate::limits::{CALL_TICKS_MAX, DESCRIBE_TICKS_MAX};

/// The executors' world.
pub(crate) struct ExecutorWorld;

impl World for ExecutorWorld {
    type Indices = ExecutorPluginIndices;
    type Bindings = ExecutorPlugin;

    fn indices(linked: &InstancePre<HostState>) -> wasmtime::Result<Self::Indices> {
        ExecutorPluginIndices::new(linked)
    }

    fn bindings(
        indices: &Self::Indices,
        store: &mut Store<HostState>,
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
        linked: InstancePre<HostState>,
    ) -> Result<Self, InstantiateError> {
        let instances = Instances::<ExecutorWorld>::new(engine.clone(), plugin.clone(), linked)
            .map_err(InstantiateError::Link)?;
        let mut instance = instances.instantiate_first().await?;
        instance.begin_call(DESCRIBE_TICKS_MAX);
        let guest = instance.bindings.jackfield_plugin_executor();
        let described = with_timeout(guest.call_describe(&mut instance.store)).await;
        let described = instance.check(described)?;
        instances.release(instance);
        if described.dialects.is_empty() {
            let problem = "it accepts no dialect; an executor declares at least one";
            return Err(InstantiateError::Fault(invalid_output(&plugin, problem)));
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

    pub(crate) fn reactivate(&self) {
        self.instances.reactivate();
    }

    fn record_fault(&self, fault: PluginFault) -> PluginFault {
        self.instances.count_fault();
        fault
    }

    async fn acquire(
        &self,
        settings: &Arc<str>,
        body: &Bytes,
    ) -> Result<Instance<ExecutorWorld>, PluginFault> {
        let mut instance = self
            .instances
            .acquire()
            .await
            .map_err(|fault| self.record_fault(fault))?;
        let state = instance.store.data_mut();
        state.body = body.clone();
        state.settings = Arc::clone(settings);
        instance.begin_call(CALL_TICKS_MAX);
        Ok(instance)
    }

    /// Turns what a guest answered into what the host works with; a wrong answer is a fault.
    fn convert_result<T, U>(
        &self,
        result: Result<T, types::Failure>,
        convert: impl FnOnce(T) -> Result<U, ContractError>,
    ) -> Result<U, Rejection> {
        convert_result(&self.plugin, &self.instances, result, convert)
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
            let mut instance = self.acquire(&context.settings, body).await?;
            let context = context_out(context);
            let guest = instance.bindings.jackfield_plugin_executor();
            let call = guest.call_prepare(&mut instance.store, &context);
            let planned = with_timeout(call).await;
            let planned = instance
                .check(planned)
                .map_err(|fault| self.record_fault(fault))?;
            self.instances.release(instance);
            self.convert_result(planned, plan_in)
        })
    }

    fn judge<'a>(
        &'a self,
        context: &'a Context,
        body: &'a Bytes,
        head: &'a ResponseHead,
        response_body: &'a Bytes,
    ) -> BoxFuture<'a, Result<Refusal, PluginFault>> {
        Box::pin(async move {
            let mut instance = self.acquire(&context.settings, body).await?;
            instance.store.data_mut().saw_content = true;
            let (wit_context, wit_head) = (context_out(context), head_out(head));
            let guest = instance.bindings.jackfield_plugin_executor();
            let call =
                guest.call_judge(&mut instance.store, &wit_context, &wit_head, response_body);
            let failure = with_timeout(call).await;
            let failure = instance
                .check(failure)
                .map_err(|fault| self.record_fault(fault))?;
            self.instances.release(instance);
            let now = Timestamp::from_millis(context.now_ms);
            Ok(or_default_rules(
                failure_in(failure),
                head,
                response_body,
                now,
            ))
        })
    }

    fn reply<'a>(
        &'a self,
        context: &'a Context,
        body: &'a Bytes,
        state: Bytes,
    ) -> BoxFuture<'a, Result<Box<dyn PluginReply>, PluginFault>> {
        Box::pin(async move {
            let mut instance = self.acquire(&context.settings, body).await?;
            instance.store.data_mut().saw_content = true;
            let context = context_out(context);
            let guest = instance.bindings.jackfield_plugin_executor().reply();
            let call = guest.call_constructor(&mut instance.store, &context, &state);
            let handle = with_timeout(call).await;
            let handle = instance
                .check(handle)
                .map_err(|fault| self.record_fault(fault))?;
            let (plugin, instances) = (self.plugin.clone(), Arc::clone(&self.instances));
            // Its place is filled now, while the answer takes its time.
            instances.prewarm();
            Ok(Box::new(ComponentReply {
                plugin,
                instances,
                instance,
                handle,
            }) as Box<dyn PluginReply>)
        })
    }

    fn should_refresh<'a>(
        &'a self,
        evaluation: &'a Evaluation,
    ) -> BoxFuture<'a, Result<Option<bool>, PluginFault>> {
        Box::pin(async move {
            let body = Bytes::new();
            let mut instance = self.acquire(&evaluation.settings, &body).await?;
            let credential = refresh_credential_out(evaluation);
            let guest = instance.bindings.jackfield_plugin_executor();
            let now_ms = evaluation.now_ms;
            let call = guest.call_should_refresh(&mut instance.store, &credential, now_ms);
            let decision = with_timeout(call).await;
            let decision = instance
                .check(decision)
                .map_err(|fault| self.record_fault(fault))?;
            self.instances.release(instance);
            Ok(decision)
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

impl PluginReply for ComponentReply {
    fn head(&mut self, head: ResponseHead) -> BoxFuture<'_, Result<ResponseHead, Rejection>> {
        Box::pin(async move {
            self.instance.begin_call(CALL_TICKS_MAX);
            let guest = self.instance.bindings.jackfield_plugin_executor().reply();
            let head = head_out(&head);
            let call = guest.call_head(&mut self.instance.store, self.handle, &head);
            let result = with_timeout(call).await;
            let result = self.check(result)?;
            convert_result(&self.plugin, &self.instances, result, head_in)
        })
    }

    fn push(&mut self, frames: Vec<Frame>, last: bool) -> BoxFuture<'_, Result<Output, Rejection>> {
        Box::pin(async move {
            self.instance.begin_call(CALL_TICKS_MAX);
            let guest = self.instance.bindings.jackfield_plugin_executor().reply();
            let frames = frames_out(&frames);
            let call = guest.call_push(&mut self.instance.store, self.handle, &frames, last);
            let result = with_timeout(call).await;
            let result = self.check(result)?;
            convert_result(&self.plugin, &self.instances, result, output_in)
        })
    }
}

impl ComponentReply {
    fn check<R>(&self, result: Result<wasmtime::Result<R>, CallTimeout>) -> Result<R, Rejection> {
        self.instance.check(result).map_err(|fault| {
            self.instances.count_fault();
            Rejection::Fault(fault)
        })
    }
}

fn convert_result<T, U>(
    plugin: &PluginId,
    instances: &Instances<ExecutorWorld>,
    result: Result<T, types::Failure>,
    convert: impl FnOnce(T) -> Result<U, ContractError>,
) -> Result<U, Rejection> {
    let value = result.map_err(|failure| Rejection::Refused(Box::new(failure_in(failure))))?;
    convert(value).map_err(|error| {
        instances.count_fault();
        Rejection::Fault(invalid_output(plugin, error))
    })
}
