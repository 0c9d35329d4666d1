//! The port `Executor` implemented by a component: one generation of it. Plans are remembered; see
//! `remembered_plans.rs`.

mod reply;

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use jackfield_credential::{Failure, Scope, Timestamp};
use jackfield_dispatch::plan::{Context, Evaluation, Plan, Planned, Refusal};
use jackfield_dispatch::port::{
    BoxFuture, Descriptor, Executor, PluginFault, PluginId, PluginReply, Rejection, ResponseHead,
};
use jackfield_dispatch::{ClientDigest, UNCLASSIFIED, or_default_rules};
use tokio::time::timeout;
use wasmtime::Store;
use wasmtime::component::InstancePre;

use self::reply::ComponentReply;
use crate::breaker::Pass;
use crate::contract::executor::{ExecutorGuest, ExecutorIndices};
use crate::contract::guest_result::GuestError;
use crate::engine::Engine;
use crate::host_state::HostState;
use crate::inspect::{ContractVersion, Inspection};
use crate::instance::{
    Generation, HOST_PASS, Instance, InstancePool, Instances, InstantiateError, World,
};
use crate::limits::{CALL_WALL_MAX, DESCRIBE_TICKS_MAX};
use crate::policy::PluginPolicy;
use crate::proof::difference;
use crate::reads::{CallInput, Reads};
use crate::remembered_plans::{PlanKey, RememberedPlans};

/// Executors.
pub(crate) struct ExecutorWorld;

impl World for ExecutorWorld {
    type Indices = ExecutorIndices;
    type Bindings = ExecutorGuest;

    fn indices(
        version: ContractVersion,
        linked: &InstancePre<HostState>,
    ) -> wasmtime::Result<Self::Indices> {
        ExecutorIndices::new(version, linked)
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
    remembered: RememberedPlans,
}

/// A plan, what the guest read for it, and whether its instance has read anything of a client.
type FreshPlan = (Plan, Reads, bool);

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
        inspection: Inspection,
        policy: &PluginPolicy,
        linked: InstancePre<HostState>,
    ) -> Result<Self, InstantiateError> {
        let (instances, mut instance) = Instances::<ExecutorWorld>::start(
            engine.clone(),
            plugin.clone(),
            inspection.version,
            linked,
        )
        .await?;
        let may_remember = instance.bindings.may_remember();
        instance.begin_call(DESCRIBE_TICKS_MAX, instances.running(HOST_PASS));
        let shared = instances.clone();
        let call = instances.run(HOST_PASS, async move {
            let call = instance.bindings.describe(&mut instance.store);
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
        Ok(Self {
            plugin,
            descriptor: Descriptor {
                sees: inspection.sees,
                ..described
            },
            instances,
            remembered: RememberedPlans::new(may_remember && policy.remember),
        })
    }

    /// Plans an attempt, without a look at what is remembered.
    async fn plan(&self, context: &Context, call: CallInput) -> Result<FreshPlan, Rejection> {
        let pass = self.instances.admit(context.client)?;
        let instance = self.instances.acquire(pass).await?;
        plan_in(&self.instances, instance, pass, context, call).await
    }

    /// Plans again in a fresh instance, off the path of calls, and compares the result with a plan that is
    /// remembered. After a difference no plan of this generation is remembered.
    fn prove(&self, context: &Context, call: CallInput, remembered: Arc<Plan>) {
        let (instances, plans) = (self.instances.clone(), self.remembered.clone());
        let context = context.clone();
        #[expect(
            clippy::disallowed_methods,
            reason = "one at a time in a generation, and it ends within the limits of a call"
        )]
        tokio::spawn(async move {
            if let Some(instance) = instances.fresh().await {
                let differs = match plan_in(&instances, instance, HOST_PASS, &context, call).await {
                    Ok((plan, ..)) => difference(&remembered, &plan),
                    Err(Rejection::Refused(_)) => Some("the result"),
                    // It has nothing to do with what is remembered.
                    Err(Rejection::Fault(_)) => None,
                };
                if let Some(member) = differs {
                    plans.turn_off();
                    instances.report(format!(
                        "a plan that was remembered is not what a fresh instance plans for the same input: \
                         `{member}` differs; its plans are not remembered any more"
                    ));
                }
            }
            plans.proven();
        });
    }
}

/// Plans an attempt in an instance, which is released.
async fn plan_in(
    instances: &Instances<ExecutorWorld>,
    mut instance: Instance<ExecutorWorld>,
    pass: Pass,
    context: &Context,
    call: CallInput,
) -> Result<FreshPlan, Rejection> {
    begin(&mut instance, &context.settings, call);
    let (shared, context) = (instances.clone(), context.clone());
    let call = instances.run(pass, async move {
        let call = instance.bindings.prepare(&mut instance.store, &context);
        let planned = timeout(CALL_WALL_MAX, call).await;
        shared.check(instance, planned)
    });
    let (mut instance, planned) = call.await?;
    let state = instance.store.data_mut();
    let (reads, is_tainted) = (state.take_reads(), state.tainted);
    let plan = checked(instances, &mut instance, planned);
    if !is_fault(&plan) {
        instances.release(instance);
    }
    Ok((plan?, reads, is_tainted))
}

/// Gives an instance the input of a call.
fn begin(instance: &mut Instance<ExecutorWorld>, settings: &Arc<str>, call: CallInput) {
    let state = instance.store.data_mut();
    state.input = call;
    state.settings = Arc::clone(settings);
    state.begin_reads();
}

/// What the functions of the host give a guest in an attempt.
fn call_input(context: &Context, body: &Bytes) -> CallInput {
    CallInput {
        call: context.call.clone(),
        body: body.clone(),
        conversation: context.conversation.clone(),
        headers: Arc::clone(&context.headers),
        principal: context.principal.clone(),
        session: context.session,
        now_ms: context.now_ms,
        attempt: context.attempt,
        random: None,
    }
}

/// Returns a guest's result. A value that the contract does not allow is a fault of the plugin.
fn checked<T>(
    instances: &Instances<ExecutorWorld>,
    instance: &mut Instance<ExecutorWorld>,
    result: Result<T, GuestError>,
) -> Result<T, Rejection> {
    result.map_err(|error| match error {
        GuestError::Refused(refusal) => Rejection::Refused(refusal),
        GuestError::Invalid(error) => {
            Rejection::Fault(instances.invalid_output(instance, error.to_string()))
        }
    })
}

impl Generation for ComponentExecutor {
    fn version(&self) -> &str {
        &self.descriptor.version
    }

    fn pool(&self) -> &dyn InstancePool {
        &self.instances
    }

    fn plans(&self) -> usize {
        self.remembered.len()
    }

    fn begin_serving(&self) {
        self.instances.reactivate();
        self.remembered.prove_next();
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
    ) -> BoxFuture<'a, Result<Planned, Rejection>> {
        Box::pin(async move {
            let call = call_input(context, body);
            let key = self.remembered.is_on().then(|| PlanKey::of(context));
            let Some(key) = key.flatten() else {
                return Ok(self.plan(context, call).await?.0.into());
            };
            let owner = context.client;
            if let Some(found) = self.remembered.find(&key, owner, &call) {
                if found.prove {
                    self.prove(context, call, Arc::clone(&found.plan));
                }
                return Ok(Planned::remembered(found.plan));
            }
            let (plan, reads, is_tainted) = self.plan(context, call.clone()).await?;
            let plan = Arc::new(plan);
            let seen = (reads, is_tainted);
            self.remembered.remember(&key, owner, &plan, seen, &call);
            Ok(plan.into())
        })
    }

    fn prepare_again<'a>(
        &'a self,
        context: &'a Context,
        body: &'a Bytes,
    ) -> BoxFuture<'a, Result<Planned, Rejection>> {
        Box::pin(async move {
            let call = call_input(context, body);
            if let Some(key) = PlanKey::of(context) {
                let owner = context.client;
                self.remembered.forget(&key, owner, &call);
            }
            Ok(self.plan(context, call).await?.0.into())
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
            let mut instance = self.instances.acquire(pass).await?;
            begin(&mut instance, &context.settings, call_input(context, body));
            instance.store.data_mut().tainted = true;
            let instances = self.instances.clone();
            let (own_context, own_head) = (context.clone(), head.clone());
            let own_body = response_body.clone();
            let call = self.instances.run(pass, async move {
                let Instance {
                    bindings, store, ..
                } = &mut instance;
                let call = bindings.judge(store, &own_context, &own_head, &own_body);
                let judged = timeout(CALL_WALL_MAX, call).await;
                instances.check(instance, judged)
            });
            let (instance, judged) = call.await?;
            self.instances.release(instance);
            let refusal = judged.unwrap_or_else(|| left_to_the_host(head));
            let now = Timestamp::from_millis(context.now_ms);
            Ok(or_default_rules(refusal, head, response_body, now))
        })
    }

    fn reply<'a>(
        &'a self,
        context: &'a Context,
        body: &'a Bytes,
        state: Bytes,
    ) -> BoxFuture<'a, Result<Box<dyn PluginReply>, PluginFault>> {
        Box::pin(async move {
            let call = call_input(context, body);
            let reply = ComponentReply::begin(&self.instances, context.clone(), call, state);
            Ok(Box::new(reply.await?) as Box<dyn PluginReply>)
        })
    }

    fn should_refresh<'a>(
        &'a self,
        evaluation: &'a Evaluation,
    ) -> BoxFuture<'a, Result<Option<bool>, PluginFault>> {
        Box::pin(async move {
            let pass = self.instances.admit(ClientDigest::HOST)?;
            let mut instance = self.instances.acquire(pass).await?;
            begin(&mut instance, &evaluation.settings, CallInput::default());
            let (instances, evaluation) = (self.instances.clone(), evaluation.clone());
            let call = self.instances.run(pass, async move {
                let Instance {
                    bindings, store, ..
                } = &mut instance;
                let call = bindings.should_refresh(store, &evaluation);
                let decision = timeout(CALL_WALL_MAX, call).await;
                instances.check(instance, decision)
            });
            let (instance, decision) = call.await?;
            self.instances.release(instance);
            Ok(decision)
        })
    }
}

fn is_fault<T>(result: &Result<T, Rejection>) -> bool {
    matches!(result, Err(Rejection::Fault(_)))
}

/// The classification of a response by the host's own rules, for [`or_default_rules`].
fn left_to_the_host(head: &ResponseHead) -> Refusal {
    Refusal {
        failure: Failure {
            scope: Scope::Provider,
            kind: UNCLASSIFIED.into(),
            status: Some(head.status.as_u16()),
            message: String::new(),
            retry_after: None,
            refresh_suggested: false,
            sent: true,
        },
        response: None,
    }
}
