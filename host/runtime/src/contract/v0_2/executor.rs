//! The functions of an executor of version 0.2. All exports but `planner` are optional.

use bytes::Bytes;
use jackfield_dispatch::plan::{
    COMMON_FORM, Context, Evaluation, Frame, Output, Plan, Refusal, ResponseMode,
};
use jackfield_dispatch::port::{Descriptor, ResponseHead};
use wasmtime::Store;
use wasmtime::component::{Instance, InstancePre, ResourceAny};

use super::bindings::{judge, judge_head, planner, quotas, refresh, reply, typed_reply};
use super::convert::{
    Exports, credential_out, descriptor_in, failure_in, frames_out, head_out, output_in,
    payload_out, plan_in, quota_headers_in, target_out,
};
use super::typed_events::typed_output_in;
use crate::contract::guest_result::{GuestResult, converted, credential_of};
use crate::contract::plan_parts::ContractError;
use crate::host_state::HostState;

/// Where the functions are in a component.
pub(crate) struct ExecutorIndicesV02 {
    planner: planner::GuestIndices,
    judge_head: Option<judge_head::GuestIndices>,
    judge: Option<judge::GuestIndices>,
    quotas: Option<quotas::GuestIndices>,
    refresh: Option<refresh::GuestIndices>,
    reply: Option<reply::GuestIndices>,
    typed_reply: Option<typed_reply::GuestIndices>,
}

/// The functions of one instance.
pub(crate) struct ExecutorGuestV02 {
    planner: planner::Guest,
    judge_head: Option<judge_head::Guest>,
    judge: Option<judge::Guest>,
    quotas: Option<quotas::Guest>,
    refresh: Option<refresh::Guest>,
    reply: Option<reply::Guest>,
    typed_reply: Option<typed_reply::Guest>,
}

impl ExecutorIndicesV02 {
    pub(crate) fn new(linked: &InstancePre<HostState>) -> wasmtime::Result<Self> {
        let exports = |interface: &str| {
            let name = format!("jackfield:plugin/{interface}@0.2.0");
            linked.component().get_export_index(None, &name).is_some()
        };
        let optional = |interface: &str| exports(interface).then_some(());
        Ok(Self {
            planner: planner::GuestIndices::new(linked)?,
            judge_head: optional("judge-head")
                .map(|()| judge_head::GuestIndices::new(linked))
                .transpose()?,
            judge: optional("judge")
                .map(|()| judge::GuestIndices::new(linked))
                .transpose()?,
            quotas: optional("quotas")
                .map(|()| quotas::GuestIndices::new(linked))
                .transpose()?,
            refresh: optional("refresh")
                .map(|()| refresh::GuestIndices::new(linked))
                .transpose()?,
            reply: optional("reply")
                .map(|()| reply::GuestIndices::new(linked))
                .transpose()?,
            typed_reply: optional("typed-reply")
                .map(|()| typed_reply::GuestIndices::new(linked))
                .transpose()?,
        })
    }

    pub(crate) fn load(
        &self,
        store: &mut Store<HostState>,
        instance: &Instance,
    ) -> wasmtime::Result<ExecutorGuestV02> {
        let Self {
            planner,
            judge_head,
            judge,
            quotas,
            refresh,
            reply,
            typed_reply,
        } = self;
        Ok(ExecutorGuestV02 {
            planner: planner.load(&mut *store, instance)?,
            judge_head: judge_head
                .as_ref()
                .map(|indices| indices.load(&mut *store, instance))
                .transpose()?,
            judge: judge
                .as_ref()
                .map(|indices| indices.load(&mut *store, instance))
                .transpose()?,
            quotas: quotas
                .as_ref()
                .map(|indices| indices.load(&mut *store, instance))
                .transpose()?,
            refresh: refresh
                .as_ref()
                .map(|indices| indices.load(&mut *store, instance))
                .transpose()?,
            reply: reply
                .as_ref()
                .map(|indices| indices.load(&mut *store, instance))
                .transpose()?,
            typed_reply: typed_reply
                .as_ref()
                .map(|indices| indices.load(&mut *store, instance))
                .transpose()?,
        })
    }
}

impl ExecutorGuestV02 {
    fn exports(&self) -> Exports {
        Exports {
            judge: self.judge.is_some(),
            judge_head: self.judge_head.is_some(),
            refresh: self.refresh.is_some(),
        }
    }

    pub(crate) async fn describe(
        &self,
        store: &mut Store<HostState>,
    ) -> wasmtime::Result<Descriptor> {
        let described = self.planner.call_describe(&mut *store).await?;
        let mut descriptor = descriptor_in(described, self.exports());
        if let Some(guest) = &self.quotas {
            let declared = guest.call_headers(store).await?;
            descriptor.quota_headers = quota_headers_in(declared)?;
        }
        Ok(descriptor)
    }

    pub(crate) async fn prepare(
        &self,
        store: &mut Store<HostState>,
        context: &Context,
    ) -> GuestResult<Plan> {
        let target = target_out(context);
        let planned = self.planner.call_prepare(store, &target).await?;
        let (reply, has_reply) = match context.dialect {
            COMMON_FORM => ("typed-reply", self.typed_reply.is_some()),
            _ => ("reply", self.reply.is_some()),
        };
        Ok(converted(planned, failure_in, |plan| {
            let plan = plan_in(plan)?;
            if plan.response_mode != ResponseMode::Relay && !has_reply {
                return Err(ContractError::NoReply(reply));
            }
            Ok(plan)
        }))
    }

    pub(crate) async fn judge(
        &self,
        store: &mut Store<HostState>,
        context: &Context,
        head: &ResponseHead,
        body: &Bytes,
    ) -> wasmtime::Result<Option<Refusal>> {
        let (target, head) = (target_out(context), head_out(head));
        if let Some(guest) = &self.judge_head {
            let failure = guest.call_judge(&mut *store, &target, &head).await?;
            if let Some(failure) = failure {
                return Ok(Some(failure_in(failure)));
            }
        }
        let Some(guest) = &self.judge else {
            return Ok(None);
        };
        let body = payload_out(body);
        let failure = guest.call_judge(store, &target, &head, &body).await?;
        Ok(failure.map(failure_in))
    }

    pub(crate) async fn reply(
        &self,
        store: &mut Store<HostState>,
        context: &Context,
        state: &Bytes,
    ) -> wasmtime::Result<ResourceAny> {
        let target = target_out(context);
        if context.dialect == COMMON_FORM {
            let guest = self.typed_guest()?.converter();
            return guest.call_constructor(store, &target, state).await;
        }
        let guest = self.reply_guest()?.converter();
        guest.call_constructor(store, &target, state).await
    }

    pub(crate) async fn head(
        &self,
        store: &mut Store<HostState>,
        dialect: &'static str,
        reply: ResourceAny,
        head: ResponseHead,
    ) -> GuestResult<ResponseHead> {
        let checked = if dialect == COMMON_FORM {
            let guest = self.typed_guest()?.converter();
            guest.call_head(store, reply, &head_out(&head)).await?
        } else {
            let guest = self.reply_guest()?.converter();
            guest.call_head(store, reply, &head_out(&head)).await?
        };
        Ok(converted(checked, failure_in, |()| Ok(head)))
    }

    pub(crate) async fn push(
        &self,
        store: &mut Store<HostState>,
        dialect: &'static str,
        reply: ResourceAny,
        frames: &[Frame],
        last: bool,
    ) -> GuestResult<Output> {
        let frames = frames_out(frames);
        if dialect == COMMON_FORM {
            let guest = self.typed_guest()?.converter();
            let output = guest.call_push(store, reply, &frames, last).await?;
            return Ok(converted(output, failure_in, typed_output_in));
        }
        let guest = self.reply_guest()?.converter();
        let output = guest.call_push(store, reply, &frames, last).await?;
        Ok(converted(output, failure_in, output_in))
    }

    pub(crate) async fn should_refresh(
        &self,
        store: &mut Store<HostState>,
        evaluation: &Evaluation,
    ) -> wasmtime::Result<Option<bool>> {
        let Some(guest) = &self.refresh else {
            return Ok(None);
        };
        let credential = credential_out(&credential_of(evaluation));
        guest.call_due(store, &credential, evaluation.now_ms).await
    }

    /// The same for `typed-reply`.
    fn typed_guest(&self) -> wasmtime::Result<&typed_reply::Guest> {
        let missing = || wasmtime::Error::msg("the component does not export `typed-reply`");
        self.typed_reply.as_ref().ok_or_else(missing)
    }

    /// The export `reply`, without which the host accepts no plan that needs one.
    fn reply_guest(&self) -> wasmtime::Result<&reply::Guest> {
        let missing = || wasmtime::Error::msg("the component does not export `reply`");
        self.reply.as_ref().ok_or_else(missing)
    }
}
