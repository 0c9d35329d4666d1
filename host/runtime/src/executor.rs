//! The port `Executor` implemented by a component: one generation of it, and its replies.

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
use tokio::time::timeout;
use wasmtime::Store;
use wasmtime::component::{InstancePre, ResourceAny};

use crate::bindings::{ExecutorPlugin, ExecutorPluginIndices, types};
use crate::convert::{
    ContractError, context_out, failure_in, frames_out, head_in, head_out, output_in, plan_in,
    refresh_credential_out,
};
use crate::engine::Engine;
use crate::host_state::HostState;
use crate::instance::{Generation, Instance, InstanceCounts, Instances, InstantiateError, World};
use crate::limits::{CALL_TICKS_MAX, CALL_WALL_MAX, DESCRIBE_TICKS_MAX};

/// The world `executor-plugin`.
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
    instances: Instances<ExecutorWorld>,
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
    /// Starts one instance and calls its `describe`.
    ///
    /// # Errors
    /// When the component does not match the contract, fails, or declares no dialect.
    pub(crate) async fn describe(
        engine: &Engine,
        plugin: PluginId,
        linked: InstancePre<HostState>,
    ) -> Result<Self, InstantiateError> {
        let (instances, mut instance) =
            Instances::<ExecutorWorld>::start(engine.clone(), plugin.clone(), linked).await?;
        instance.begin_call(DESCRIBE_TICKS_MAX);
        let shared = instances.clone();
        let call = instances.run(async move {
            let guest = instance.bindings.jackfield_plugin_executor();
            let call = guest.call_describe(&mut instance.store);
            let described = timeout(CALL_WALL_MAX, call).await;
            shared.check(instance, described)
        });
        let (instance, described) = call.await?;
        instances.release(instance);
        if described.dialects.is_empty() {
            let problem = "it declares no dialect; an executor needs at least one";
            return Err(InstantiateError::Fault(instances.invalid_output(problem)));
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
            instances,
        })
    }

    async fn acquire(
        &self,
        settings: &Arc<str>,
        body: &Bytes,
    ) -> Result<Instance<ExecutorWorld>, PluginFault> {
        let mut instance = self.instances.acquire().await?;
        let state = instance.store.data_mut();
        state.body = body.clone();
        state.settings = Arc::clone(settings);
        instance.begin_call(CALL_TICKS_MAX);
        Ok(instance)
    }
}

impl Generation for ComponentExecutor {
    fn version(&self) -> &str {
        &self.descriptor.version
    }

    fn counts(&self) -> InstanceCounts {
        self.instances.counts()
    }

    fn retire(&self) {
        self.instances.retire();
    }

    fn reactivate(&self) {
        self.instances.reactivate();
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
            let instances = self.instances.clone();
            let call = self.instances.run(async move {
                let guest = instance.bindings.jackfield_plugin_executor();
                let call = guest.call_prepare(&mut instance.store, &context);
                let planned = timeout(CALL_WALL_MAX, call).await;
                instances.check(instance, planned)
            });
            let (instance, planned) = call.await?;
            self.instances.release(instance);
            convert_result(&self.instances, planned, plan_in)
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
            let (instances, body) = (self.instances.clone(), response_body.clone());
            let call = self.instances.run(async move {
                let guest = instance.bindings.jackfield_plugin_executor();
                let call = guest.call_judge(&mut instance.store, &wit_context, &wit_head, &body);
                let failure = timeout(CALL_WALL_MAX, call).await;
                instances.check(instance, failure)
            });
            let (instance, failure) = call.await?;
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
            let instances = self.instances.clone();
            let call = self.instances.run(async move {
                let guest = instance.bindings.jackfield_plugin_executor().reply();
                let call = guest.call_constructor(&mut instance.store, &context, &state);
                let handle = timeout(CALL_WALL_MAX, call).await;
                instances.check(instance, handle)
            });
            let (instance, handle) = call.await?;
            // The reply keeps this instance to its end, so its replacement is created now: the next
            // call finds one idle.
            self.instances.prewarm();
            Ok(Box::new(ComponentReply {
                instances: self.instances.clone(),
                instance: Some(instance),
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
            let (instances, now_ms) = (self.instances.clone(), evaluation.now_ms);
            let call = self.instances.run(async move {
                let guest = instance.bindings.jackfield_plugin_executor();
                let call = guest.call_should_refresh(&mut instance.store, &credential, now_ms);
                let decision = timeout(CALL_WALL_MAX, call).await;
                instances.check(instance, decision)
            });
            let (instance, decision) = call.await?;
            self.instances.release(instance);
            Ok(decision)
        })
    }
}

/// The option of a descriptor that makes the host call `should-refresh`.
const EVALUATES_REFRESH: &str = "evaluates-refresh";

/// A reply of the executor. Its instance serves no other call and is dropped with it.
struct ComponentReply {
    instances: Instances<ExecutorWorld>,
    /// `None` after a fault, or after a call that was cancelled.
    instance: Option<Instance<ExecutorWorld>>,
    // The host never calls `resource_drop` for it: that would run the guest once more, and the guest's
    // memory is freed with the instance.
    handle: ResourceAny,
}

impl ComponentReply {
    /// Takes the instance for a call, which puts it back if it succeeds.
    fn take(&mut self) -> Result<Instance<ExecutorWorld>, PluginFault> {
        let lost = || self.instances.lost("an earlier call of this reply failed");
        self.instance.take().ok_or_else(lost)
    }
}

impl PluginReply for ComponentReply {
    fn head(&mut self, head: ResponseHead) -> BoxFuture<'_, Result<ResponseHead, Rejection>> {
        Box::pin(async move {
            let mut instance = self.take()?;
            instance.begin_call(CALL_TICKS_MAX);
            let head = head_out(&head);
            let (instances, handle) = (self.instances.clone(), self.handle);
            let call = self.instances.run(async move {
                let guest = instance.bindings.jackfield_plugin_executor().reply();
                let call = guest.call_head(&mut instance.store, handle, &head);
                let result = timeout(CALL_WALL_MAX, call).await;
                instances.check(instance, result)
            });
            let (instance, result) = call.await?;
            self.instance = Some(instance);
            convert_result(&self.instances, result, head_in)
        })
    }

    fn push(&mut self, frames: Vec<Frame>, last: bool) -> BoxFuture<'_, Result<Output, Rejection>> {
        Box::pin(async move {
            let mut instance = self.take()?;
            instance.begin_call(CALL_TICKS_MAX);
            let frames = frames_out(&frames);
            let (instances, handle) = (self.instances.clone(), self.handle);
            let call = self.instances.run(async move {
                let guest = instance.bindings.jackfield_plugin_executor().reply();
                let call = guest.call_push(&mut instance.store, handle, &frames, last);
                let result = timeout(CALL_WALL_MAX, call).await;
                instances.check(instance, result)
            });
            let (instance, result) = call.await?;
            self.instance = Some(instance);
            convert_result(&self.instances, result, output_in)
        })
    }
}

/// Converts a guest's result into the host's types. A value that the contract does not allow is a
/// fault of the plugin.
fn convert_result<T, U>(
    instances: &Instances<ExecutorWorld>,
    result: Result<T, types::Failure>,
    convert: impl FnOnce(T) -> Result<U, ContractError>,
) -> Result<U, Rejection> {
    let value = result.map_err(|failure| Rejection::Refused(Box::new(failure_in(failure))))?;
    convert(value).map_err(|error| Rejection::Fault(instances.invalid_output(error.to_string())))
}
