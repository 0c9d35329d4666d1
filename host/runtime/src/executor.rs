//! The port `Executor` implemented by a component: one generation of it, and its replies.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use jackfield_credential::Timestamp;
use jackfield_dispatch::ClientDigest;
use jackfield_dispatch::or_default_rules;
use jackfield_dispatch::plan::{Context, Evaluation, Frame, Output, Plan, Refusal};
use jackfield_dispatch::port::{
    BoxFuture, Descriptor, Executor, PluginFault, PluginId, PluginReply, Rejection, ResponseHead,
};
use tokio::time::timeout;
use wasmtime::Store;
use wasmtime::component::{InstancePre, ResourceAny};

use crate::bindings::{ExecutorPlugin, ExecutorPluginIndices, types};
use crate::breaker::Pass;
use crate::convert::{
    ContractError, context_out, failure_in, frames_out, head_in, head_out, output_in, plan_in,
    refresh_credential_out,
};
use crate::engine::Engine;
use crate::host_state::HostState;
use crate::instance::{
    Generation, HOST_PASS, Instance, InstancePool, Instances, InstantiateError, World,
};
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
        instance.begin_call(DESCRIBE_TICKS_MAX, instances.running(HOST_PASS));
        let shared = instances.clone();
        let call = instances.run(HOST_PASS, async move {
            let guest = instance.bindings.jackfield_plugin_executor();
            let call = guest.call_describe(&mut instance.store);
            let described = timeout(CALL_WALL_MAX, call).await;
            shared.check(instance, described)
        });
        let (mut instance, described) = call.await?;
        if described.dialects.is_empty() {
            let problem = "it declares no dialect; an executor needs at least one";
            let fault = instances.invalid_output(&mut instance, problem);
            return Err(InstantiateError::Fault(fault));
        }
        instances.release(instance);
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
        pass: Pass,
        settings: &Arc<str>,
        body: &Bytes,
    ) -> Result<Instance<ExecutorWorld>, PluginFault> {
        let mut instance = self.instances.acquire(pass).await?;
        let state = instance.store.data_mut();
        state.body = body.clone();
        state.settings = Arc::clone(settings);
        Ok(instance)
    }
}

impl Generation for ComponentExecutor {
    fn version(&self) -> &str {
        &self.descriptor.version
    }

    fn pool(&self) -> &dyn InstancePool {
        &self.instances
    }
}

impl Executor for ComponentExecutor {
    fn plugin(&self) -> &PluginId {
        &self.plugin
    }

    fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    fn note_fault(&self, client: ClientDigest) {
        self.instances.note_fault(client);
    }

    fn prepare<'a>(
        &'a self,
        context: &'a Context,
        body: &'a Bytes,
    ) -> BoxFuture<'a, Result<Plan, Rejection>> {
        Box::pin(async move {
            let pass = self.instances.admit(context.client)?;
            let mut instance = self.acquire(pass, &context.settings, body).await?;
            let context = context_out(context);
            let instances = self.instances.clone();
            let call = self.instances.run(pass, async move {
                let guest = instance.bindings.jackfield_plugin_executor();
                let call = guest.call_prepare(&mut instance.store, &context);
                let planned = timeout(CALL_WALL_MAX, call).await;
                instances.check(instance, planned)
            });
            let (mut instance, planned) = call.await?;
            let plan = convert_result(&self.instances, &mut instance, planned, plan_in);
            if !is_fault(&plan) {
                self.instances.release(instance);
            }
            plan
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
            let pass = Pass::further(context.client);
            let mut instance = self.acquire(pass, &context.settings, body).await?;
            instance.store.data_mut().saw_content = true;
            let (wit_context, wit_head) = (context_out(context), head_out(head));
            let (instances, body) = (self.instances.clone(), response_body.clone());
            let call = self.instances.run(pass, async move {
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
            let pass = Pass::further(context.client);
            let mut instance = self.acquire(pass, &context.settings, body).await?;
            instance.store.data_mut().saw_content = true;
            let context = context_out(context);
            let instances = self.instances.clone();
            let call = self.instances.run(pass, async move {
                let guest = instance.bindings.jackfield_plugin_executor().reply();
                let call = guest.call_constructor(&mut instance.store, &context, &state);
                let handle = timeout(CALL_WALL_MAX, call).await;
                instances.check(instance, handle)
            });
            let (mut instance, handle) = call.await?;
            instance.succeed();
            // The reply keeps this instance to its end, so its replacement is created now: the next
            // call finds one idle.
            self.instances.prewarm();
            Ok(Box::new(ComponentReply {
                instances: self.instances.clone(),
                instance: Some(instance),
                handle,
                pass,
            }) as Box<dyn PluginReply>)
        })
    }

    fn should_refresh<'a>(
        &'a self,
        evaluation: &'a Evaluation,
    ) -> BoxFuture<'a, Result<Option<bool>, PluginFault>> {
        Box::pin(async move {
            let body = Bytes::new();
            let pass = self.instances.admit(ClientDigest::HOST)?;
            let mut instance = self.acquire(pass, &evaluation.settings, &body).await?;
            let credential = refresh_credential_out(evaluation);
            let (instances, now_ms) = (self.instances.clone(), evaluation.now_ms);
            let call = self.instances.run(pass, async move {
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
    /// Of the further calls.
    pass: Pass,
}

impl ComponentReply {
    /// Takes the instance for a call, which puts it back if it succeeds.
    fn take(&mut self) -> Result<Instance<ExecutorWorld>, PluginFault> {
        let lost = || self.instances.lost("an earlier call of this reply failed");
        let mut instance = self.instance.take().ok_or_else(lost)?;
        instance.begin_call(CALL_TICKS_MAX, self.instances.running(self.pass));
        Ok(instance)
    }

    /// Converts the result of a call, and puts its instance back unless the call was a fault.
    fn put_back<T, U>(
        &mut self,
        mut instance: Instance<ExecutorWorld>,
        result: Result<T, types::Failure>,
        convert: impl FnOnce(T) -> Result<U, ContractError>,
    ) -> Result<U, Rejection> {
        let converted = convert_result(&self.instances, &mut instance, result, convert);
        if !is_fault(&converted) {
            instance.succeed();
            self.instance = Some(instance);
        }
        converted
    }
}

impl PluginReply for ComponentReply {
    fn head(&mut self, head: ResponseHead) -> BoxFuture<'_, Result<ResponseHead, Rejection>> {
        Box::pin(async move {
            let mut instance = self.take()?;
            let head = head_out(&head);
            let (instances, handle) = (self.instances.clone(), self.handle);
            let call = self.instances.run(self.pass, async move {
                let guest = instance.bindings.jackfield_plugin_executor().reply();
                let call = guest.call_head(&mut instance.store, handle, &head);
                let result = timeout(CALL_WALL_MAX, call).await;
                instances.check(instance, result)
            });
            let (instance, result) = call.await?;
            self.put_back(instance, result, head_in)
        })
    }

    fn push(&mut self, frames: Vec<Frame>, last: bool) -> BoxFuture<'_, Result<Output, Rejection>> {
        Box::pin(async move {
            let mut instance = self.take()?;
            let frames = frames_out(&frames);
            let (instances, handle) = (self.instances.clone(), self.handle);
            let call = self.instances.run(self.pass, async move {
                let guest = instance.bindings.jackfield_plugin_executor().reply();
                let call = guest.call_push(&mut instance.store, handle, &frames, last);
                let result = timeout(CALL_WALL_MAX, call).await;
                instances.check(instance, result)
            });
            let (instance, result) = call.await?;
            self.put_back(instance, result, output_in)
        })
    }
}

/// Converts a guest's result into the host's types. A value that the contract does not allow is a
/// fault of the plugin.
fn convert_result<T, U>(
    instances: &Instances<ExecutorWorld>,
    instance: &mut Instance<ExecutorWorld>,
    result: Result<T, types::Failure>,
    convert: impl FnOnce(T) -> Result<U, ContractError>,
) -> Result<U, Rejection> {
    let value = result.map_err(|failure| Rejection::Refused(Box::new(failure_in(failure))))?;
    convert(value)
        .map_err(|error| Rejection::Fault(instances.invalid_output(instance, error.to_string())))
}

fn is_fault<T>(result: &Result<T, Rejection>) -> bool {
    matches!(result, Err(Rejection::Fault(_)))
}
