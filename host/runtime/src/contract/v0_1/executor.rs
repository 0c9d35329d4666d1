//! The functions of an executor of version 0.1.

use bytes::Bytes;
use jackfield_dispatch::plan::{Context, Evaluation, Frame, Output, Plan, Refusal};
use jackfield_dispatch::port::{Descriptor, ResponseHead};
use wasmtime::Store;
use wasmtime::component::{Instance, InstancePre, ResourceAny};

use super::bindings::{ExecutorPlugin, ExecutorPluginIndices};
use super::convert::{
    context_out, descriptor_in, failure_in, frames_out, head_in, head_out, output_in, plan_in,
    refresh_credential_out,
};
use crate::contract::guest_result::{GuestResult, converted};
use crate::host_state::HostState;

/// Where the functions are in a component.
pub(crate) struct ExecutorIndicesV01(ExecutorPluginIndices);

/// The functions of one instance.
pub(crate) struct ExecutorGuestV01(ExecutorPlugin);

impl ExecutorIndicesV01 {
    pub(crate) fn new(linked: &InstancePre<HostState>) -> wasmtime::Result<Self> {
        ExecutorPluginIndices::new(linked).map(Self)
    }

    pub(crate) fn load(
        &self,
        store: &mut Store<HostState>,
        instance: &Instance,
    ) -> wasmtime::Result<ExecutorGuestV01> {
        self.0.load(store, instance).map(ExecutorGuestV01)
    }
}

impl ExecutorGuestV01 {
    pub(crate) async fn describe(
        &self,
        store: &mut Store<HostState>,
    ) -> wasmtime::Result<Descriptor> {
        let guest = self.0.jackfield_plugin_executor();
        guest.call_describe(store).await.map(descriptor_in)
    }

    pub(crate) async fn prepare(
        &self,
        store: &mut Store<HostState>,
        context: &Context,
    ) -> GuestResult<Plan> {
        // The context has the client's headers, so a guest that got some has seen them.
        store.data_mut().tainted |= !context.headers.is_empty();
        let guest = self.0.jackfield_plugin_executor();
        let planned = guest.call_prepare(store, &context_out(context)).await?;
        Ok(converted(planned, failure_in, plan_in))
    }

    pub(crate) async fn judge(
        &self,
        store: &mut Store<HostState>,
        context: &Context,
        head: &ResponseHead,
        body: &Bytes,
    ) -> wasmtime::Result<Refusal> {
        let guest = self.0.jackfield_plugin_executor();
        let (context, head) = (context_out(context), head_out(head));
        let failure = guest.call_judge(store, &context, &head, body).await?;
        Ok(failure_in(failure))
    }

    pub(crate) async fn reply(
        &self,
        store: &mut Store<HostState>,
        context: &Context,
        state: &Bytes,
    ) -> wasmtime::Result<ResourceAny> {
        let guest = self.0.jackfield_plugin_executor().reply();
        guest
            .call_constructor(store, &context_out(context), state)
            .await
    }

    pub(crate) async fn head(
        &self,
        store: &mut Store<HostState>,
        reply: ResourceAny,
        head: &ResponseHead,
    ) -> GuestResult<ResponseHead> {
        let guest = self.0.jackfield_plugin_executor().reply();
        let head = guest.call_head(store, reply, &head_out(head)).await?;
        Ok(converted(head, failure_in, head_in))
    }

    pub(crate) async fn push(
        &self,
        store: &mut Store<HostState>,
        reply: ResourceAny,
        frames: &[Frame],
        last: bool,
    ) -> GuestResult<Output> {
        let guest = self.0.jackfield_plugin_executor().reply();
        let frames = frames_out(frames);
        let output = guest.call_push(store, reply, &frames, last).await?;
        Ok(converted(output, failure_in, output_in))
    }

    pub(crate) async fn should_refresh(
        &self,
        store: &mut Store<HostState>,
        evaluation: &Evaluation,
    ) -> wasmtime::Result<Option<bool>> {
        let guest = self.0.jackfield_plugin_executor();
        let credential = refresh_credential_out(evaluation);
        guest
            .call_should_refresh(store, &credential, evaluation.now_ms)
            .await
    }
}
