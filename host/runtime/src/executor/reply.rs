//! A reply of an executor. Its instance serves no other call and is dropped with it.

use bytes::Bytes;
use jackfield_dispatch::plan::{Context, Frame, Output};
use jackfield_dispatch::port::{BoxFuture, PluginFault, PluginReply, Rejection, ResponseHead};
use tokio::time::timeout;
use wasmtime::component::ResourceAny;

use super::{ExecutorWorld, begin, checked, is_fault};
use crate::breaker::Pass;
use crate::contract::guest_result::GuestError;
use crate::instance::{Instance, Instances};
use crate::limits::{CALL_TICKS_MAX, CALL_WALL_MAX};
use crate::reads::CallInput;

/// A reply of the executor.
pub(super) struct ComponentReply {
    instances: Instances<ExecutorWorld>,
    context: Context,
    call: CallInput,
    /// `None` after a fault, or after a call that was cancelled.
    running: Option<Running>,
    /// The state of the further request that the guest has planned. Its response gets a new reply.
    next: Option<Bytes>,
}

struct Running {
    instance: Instance<ExecutorWorld>,
    // The host never calls `resource_drop` for it: that would run the guest once more, and the guest's
    // memory is freed with the instance.
    handle: ResourceAny,
}

impl ComponentReply {
    /// Creates the reply in an instance of its own.
    ///
    /// # Errors
    /// When there is no instance, or the guest fails.
    pub(super) async fn begin(
        instances: &Instances<ExecutorWorld>,
        context: Context,
        call: CallInput,
        state: Bytes,
    ) -> Result<Self, PluginFault> {
        let running = Running::start(instances, &context, &call, state).await?;
        Ok(Self {
            instances: instances.clone(),
            context,
            call,
            running: Some(running),
            next: None,
        })
    }

    /// Takes the instance for a call, which puts it back if it succeeds.
    fn take(&mut self) -> Result<Running, PluginFault> {
        let lost = || self.instances.lost("an earlier call of this reply failed");
        let mut running = self.running.take().ok_or_else(lost)?;
        let call = self.instances.running(self.pass());
        running.instance.begin_call(CALL_TICKS_MAX, call);
        Ok(running)
    }
}

impl ComponentReply {
    /// Of the calls after the plan's.
    fn pass(&self) -> Pass {
        Pass::further(self.context.client)
    }

    /// Returns the result of a call, and puts its instance back unless the call was a fault.
    fn put_back<T>(
        &mut self,
        mut running: Running,
        result: Result<T, GuestError>,
    ) -> Result<T, Rejection> {
        let checked = checked(&self.instances, &mut running.instance, result);
        if !is_fault(&checked) {
            running.instance.succeed();
            self.running = Some(running);
        }
        checked
    }
}

impl Running {
    async fn start(
        instances: &Instances<ExecutorWorld>,
        context: &Context,
        call: &CallInput,
        state: Bytes,
    ) -> Result<Self, PluginFault> {
        let pass = Pass::further(context.client);
        let mut instance = instances.acquire(pass).await?;
        begin(&mut instance, &context.settings, call.clone());
        instance.store.data_mut().tainted = true;
        let (shared, context) = (instances.clone(), context.clone());
        let call = instances.run(pass, async move {
            let Instance {
                bindings, store, ..
            } = &mut instance;
            let call = bindings.reply(store, &context, &state);
            let handle = timeout(CALL_WALL_MAX, call).await;
            shared.check(instance, handle)
        });
        let (mut instance, handle) = call.await?;
        instance.succeed();
        // The reply keeps this instance to its end, so its replacement is created now: the next
        // call finds one idle.
        instances.prewarm();
        Ok(Self { instance, handle })
    }
}

impl PluginReply for ComponentReply {
    fn head(&mut self, head: ResponseHead) -> BoxFuture<'_, Result<ResponseHead, Rejection>> {
        Box::pin(async move {
            if let Some(state) = self.next.take() {
                let started = Running::start(&self.instances, &self.context, &self.call, state);
                self.running = Some(started.await?);
            }
            let Running {
                mut instance,
                handle,
            } = self.take()?;
            let (instances, dialect) = (self.instances.clone(), self.context.dialect);
            let call = self.instances.run(self.pass(), async move {
                let Instance {
                    bindings, store, ..
                } = &mut instance;
                let call = bindings.head(store, dialect, handle, head);
                let result = timeout(CALL_WALL_MAX, call).await;
                instances.check(instance, result)
            });
            let (instance, result) = call.await?;
            self.put_back(Running { instance, handle }, result)
        })
    }

    fn push(&mut self, frames: Vec<Frame>, last: bool) -> BoxFuture<'_, Result<Output, Rejection>> {
        Box::pin(async move {
            let Running {
                mut instance,
                handle,
            } = self.take()?;
            let (instances, dialect) = (self.instances.clone(), self.context.dialect);
            let call = self.instances.run(self.pass(), async move {
                let Instance {
                    bindings, store, ..
                } = &mut instance;
                let call = bindings.push(store, dialect, handle, &frames, last);
                let result = timeout(CALL_WALL_MAX, call).await;
                instances.check(instance, result)
            });
            let (instance, result) = call.await?;
            let is_per_request = instance.bindings.has_reply_per_request();
            let output = self.put_back(Running { instance, handle }, result)?;
            if let Some(plan) = output.next.as_ref().filter(|_| is_per_request) {
                self.next = Some(plan.state.clone());
                // Not while the host waits for the next response.
                self.running = None;
            }
            Ok(output)
        })
    }
}
