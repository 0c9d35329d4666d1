//! One attempt with one leased credential, in steps that consume each other: negotiate the dialect,
//! send the planned request, open the reply, commit it.

mod failure;
mod head;
mod response;
mod unsigned;

use std::sync::Arc;

use bytes::Bytes;
use http::HeaderMap;
use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING};
use jackfield_auth::Lease;
use jackfield_credential::Outcome;
use jackfield_dialect::Dialect;
use tokio::time::Instant;

use self::head::HeadError;
use self::response::Responded;
use crate::call::{Call, ClientResponse, Embed, Operation};
use crate::call_log::{PlanStep, Step};
use crate::classify;
use crate::context::CallContext;
use crate::error::{CallError, UpstreamFailure};
use crate::forwarded_headers::headers_for;
use crate::limits::ROUND_TRIPS_MAX;
use crate::negotiation::{NegotiatedCall, TranslationCache};
use crate::plan::{Context, Plan, Planned, PlannedBody, ResponseMode};
use crate::port::{Executor, Rejection, UpstreamResponse};
use crate::reply::source::Source;
use crate::request::{Bounds, BuiltRequest, Forwardable, PlanError, Recipient, build_request};
use crate::signatures::SignatureRecorder;
use crate::snapshot::Provider;

/// How an attempt failed. Its lease is settled, except in `NeedsRefresh`.
pub(crate) enum AttemptError {
    /// The provider or the connection to it failed. By the failure's scope another credential may serve.
    Upstream(Box<UpstreamFailure>),
    /// No other credential can help.
    Fatal(Box<CallError>),
    /// No dialect of this executor can express the call, or the executor is being compiled. Another executor
    /// may serve. No credential is penalized.
    Incompatible(Box<CallError>),
    /// The provider rejected the credential. New tokens may help.
    NeedsRefresh(Box<StaleAttempt>),
    /// The provider refused the request for its signatures. It may accept it without them.
    SignaturesRefused(Box<StaleAttempt>),
}

/// An attempt that failed for something that can be changed, such as a stale token. Its lease is not settled.
pub(crate) struct StaleAttempt {
    pub(crate) lease: Lease,
    pub(crate) failure: UpstreamFailure,
}

impl StaleAttempt {
    /// Settles the lease as failed: there are no new tokens.
    pub(crate) fn fail(self, context: &CallContext) -> Box<UpstreamFailure> {
        let Self { lease, failure } = self;
        context.end_attempt(lease, Outcome::Failed(failure.failure.clone()), None);
        Box::new(failure)
    }
}

/// What stays the same through all steps of an attempt.
#[derive(Clone)]
struct Attempt<'a> {
    context: &'a Arc<CallContext>,
    provider: &'a Provider,
    executor: &'a Arc<dyn Executor>,
    negotiated: NegotiatedCall,
    plan_context: Context,
    /// Whether the credential's tokens may still be refreshed in this call.
    may_refresh: bool,
    /// Whether another credential could serve the call now.
    others: &'a (dyn Fn() -> bool + Send + Sync),
    /// Whether the signatures of the request were removed already.
    is_unsigned: bool,
}

/// What the dispatcher allows an attempt.
#[derive(Clone, Copy)]
pub(crate) struct AttemptTerms<'a> {
    /// 0 for the call's first attempt.
    pub(crate) number: u32,
    /// Whether the credential's tokens may still be refreshed in this call.
    pub(crate) may_refresh: bool,
    /// Whether another credential could serve the call now.
    pub(crate) others: &'a (dyn Fn() -> bool + Send + Sync),
}

/// The first step: an executor and a body that it accepts.
pub(crate) struct Prepared<'a> {
    attempt: Attempt<'a>,
    lease: Lease,
}

impl<'a> Prepared<'a> {
    /// Negotiates with the executor of the lease's provider.
    ///
    /// # Errors
    /// When the provider or its executor is not configured, or the executor does not accept the call.
    pub(crate) async fn negotiate(
        context: &'a Arc<CallContext>,
        cache: &mut TranslationCache,
        lease: Lease,
        terms: AttemptTerms<'a>,
    ) -> Result<Self, AttemptError> {
        let call = &context.call;
        let serving = context.snapshot.serving(&lease.credential().provider);
        let (provider, executor) = match serving {
            Ok(serving) => serving,
            // Another provider's executor may serve already.
            Err(error @ CallError::PluginCompiling(_)) => {
                context.end_attempt(lease, Outcome::Inconclusive, None);
                return Err(AttemptError::Incompatible(Box::new(error)));
            }
            Err(error) => return Err(AttemptError::Fatal(Box::new(error))),
        };
        let now = context.clock.now();
        let negotiated = NegotiatedCall::new(
            call,
            executor.descriptor(),
            &provider.traits,
            lease.upstream_model(),
            cache,
            |dialect| SignatureRecorder::new(&context.signatures, &provider.base_url, dialect),
            now.as_millis() / 1_000,
        );
        let negotiated = match negotiated.await {
            Ok(negotiated) => {
                let cleaned = negotiated.without_foreign_signatures().await;
                cleaned.with_conversation().await
            }
            Err(error) => Err(error),
        };
        let negotiated = match negotiated {
            Ok(negotiated) => negotiated,
            Err(error) => {
                context.end_attempt(lease, Outcome::Inconclusive, None);
                let error = error.into_error(call.operation, &provider.executor);
                return Err(AttemptError::Incompatible(Box::new(error)));
            }
        };
        // These replace the warnings of an earlier attempt, which may have lost more.
        context
            .trace
            .translation(negotiated.warnings(), negotiated.trait_rows());
        let plan_context = plan_context(context, &negotiated, &lease, provider, terms.number);
        let attempt = Attempt {
            context,
            provider,
            executor,
            negotiated,
            plan_context,
            may_refresh: terms.may_refresh,
            others: terms.others,
            is_unsigned: false,
        };
        Ok(Self { attempt, lease })
    }

    /// Runs the remaining steps, up to the commit: a second time without signatures, if the provider refuses
    /// them.
    ///
    /// # Errors
    /// When any of them fails.
    pub(crate) async fn run(self) -> Result<ClientResponse, AttemptError> {
        let attempt = self.attempt.clone();
        match self.run_once().await {
            Err(AttemptError::SignaturesRefused(refused)) => {
                // Boxed, because it runs an attempt again, and is rare.
                Box::pin(attempt.retry_without_signatures(*refused)).await
            }
            finished => finished,
        }
    }

    async fn run_once(self) -> Result<ClientResponse, AttemptError> {
        let responded = self.send().await?;
        let reply = responded.into_reply().await?;
        reply.commit().await
    }

    async fn send(self) -> Result<Responded<'a>, AttemptError> {
        let Self { attempt, lease } = self;
        let plan = attempt
            .executor
            .prepare(&attempt.plan_context, attempt.body());
        match plan.await {
            Ok(planned) if planned.delay.is_some() => {
                let detail = "only a further request may have `after-ms`".to_owned();
                Err(attempt.end_with_invalid_output(lease, detail))
            }
            Ok(planned) => {
                attempt.context.trace.step(Step::Planned(PlanStep {
                    executor: attempt.executor.plugin().to_string(),
                    remembered: planned.is_remembered(),
                    sees: attempt.executor.descriptor().sees,
                }));
                attempt.send(lease, planned, 1).await
            }
            Err(rejection) => Err(attempt.end_with_rejection(lease, rejection)),
        }
    }
}

impl<'a> Attempt<'a> {
    /// Returns the body that the executor gets.
    fn body(&self) -> &Bytes {
        self.negotiated.body()
    }

    /// Builds the request of a plan, with all its checks: also for a remembered plan.
    fn build(&self, plan: &Plan, lease: &Lease) -> Result<BuiltRequest, PlanError> {
        let bounds = Bounds {
            provider: self.provider,
            hosts: &self.executor.descriptor().hosts,
            body: self.body(),
            account: &**lease,
            client: Forwardable::of(&self.plan_context),
            recipient: Recipient::Api,
            connect: self.context.snapshot.timeouts.connect,
            now: self.context.clock.now(),
        };
        build_request(plan, &bounds)
    }

    /// Builds the request. A remembered plan whose patch does not fit is planned again: it fitted the body of the
    /// call that it was made for, and only if the new one does not fit either is it the plugin's fault.
    ///
    /// # Errors
    /// When the executor does not plan again.
    async fn build_or_replan(
        &self,
        planned: &mut Planned,
        lease: &Lease,
    ) -> Result<Result<BuiltRequest, PlanError>, Rejection> {
        let built = self.build(planned, lease);
        if !planned.is_remembered() || !matches!(built, Err(PlanError::Patch(_))) {
            return Ok(built);
        }
        let again = self.executor.prepare_again(&self.plan_context, self.body());
        *planned = again.await?;
        Ok(self.build(planned, lease))
    }

    /// Returns why a plan cannot be carried out in this attempt.
    fn plan_problem(&self, plan: &Plan, round_trip: u32) -> Option<String> {
        if round_trip > ROUND_TRIPS_MAX {
            return Some(format!("it planned more than {ROUND_TRIPS_MAX} requests"));
        }
        let problem = self
            .negotiated
            .is_common()
            .then(|| common_plan_problem(plan));
        problem.flatten().map(str::to_owned)
    }

    /// Sends a planned request and waits for the head of its response. `round_trip` counts from 1.
    ///
    /// # Errors
    /// When the plan is not allowed, the connection fails, or the status is not a success.
    async fn send(
        self,
        mut lease: Lease,
        mut planned: Planned,
        round_trip: u32,
    ) -> Result<Responded<'a>, AttemptError> {
        if let Some(detail) = self.plan_problem(&planned, round_trip) {
            return Err(self.end_with_invalid_output(lease, detail));
        }
        let timeouts = self.context.snapshot.timeouts;
        let built = match self.build_or_replan(&mut planned, &lease).await {
            Ok(built) => built,
            Err(rejection) => return Err(self.end_with_rejection(lease, rejection)),
        };
        let BuiltRequest { request, derived } = match built {
            Ok(built) => built,
            Err(error) => return Err(self.end_with_invalid_output(lease, error.to_string())),
        };
        lease.note_derived_secrets(derived);
        let (mode, state) = (planned.response_mode, planned.state.clone());
        drop(planned);
        let accepts_encodings = request.headers.contains_key(ACCEPT_ENCODING);
        let sent = Instant::now();
        // `Source` counts from `sent` too: the head and the first byte of the body share one limit.
        let transport_error = match self.receive_head(&lease, request, sent).await {
            Ok(UpstreamResponse { head, body }) => {
                let mut source = Source::new(body, sent, self.context.call.deadline, timeouts);
                if self.is_whole() {
                    source.wait_for_whole();
                }
                // Before the status is checked: an error response may also report the quota.
                self.note_quotas(&lease, &head.headers);
                if !head.status.is_success() {
                    return Err(self.end_with_error_response(lease, head, source).await);
                }
                // The upstream has decoded those that are common.
                if let Some(encoding) = head.headers.get(CONTENT_ENCODING)
                    && !accepts_encodings
                {
                    let reason = format!(
                        "the provider's response has the content-encoding {encoding:?}, which was not requested"
                    );
                    let failure = classify::invalid_response(&reason);
                    return Err(self.end_with_failure(lease, failure, None));
                }
                return Ok(Responded {
                    attempt: self,
                    lease,
                    head,
                    source,
                    mode,
                    state,
                    round_trip,
                });
            }
            Err(HeadError::Deadline) => return Err(self.end_with_deadline(lease)),
            Err(HeadError::Timeout(error) | HeadError::Transport(error)) => error,
        };
        let mut failure = classify::transport(transport_error.to_string());
        failure.sent = transport_error.sent;
        Err(self.end_with_failure(lease, failure, None))
    }
}

impl Attempt<'_> {
    /// Records what the headers say of the allowances of the credential.
    fn note_quotas(&self, lease: &Lease, headers: &HeaderMap) {
        let now = self.context.clock.now();
        if let Some(quota) = classify::quota(headers, now) {
            lease.note_quota(quota, false);
        }
        let declared = &self.executor.descriptor().quota_headers;
        for of_credential in [false, true] {
            let of_scope = declared
                .iter()
                .filter(|one| one.of_credential == of_credential);
            let read = of_scope.filter_map(|one| one.read(headers, now));
            let tightest = read.min_by_key(|quota| quota.left_permille.unwrap_or(1_000));
            if let Some(quota) = tightest {
                lease.note_quota(quota, of_credential);
            }
        }
    }
}

/// Returns why a plan is not one of the common form, in which the host can neither send the client's body nor pass
/// the response on.
fn common_plan_problem(plan: &Plan) -> Option<&'static str> {
    match (&plan.request.body, plan.response_mode) {
        (PlannedBody::Original | PlannedBody::Patched(_), _) => {
            Some("in the dialect `common` the body of a plan must be `written` or `empty`")
        }
        (_, ResponseMode::Relay) => {
            Some("in the dialect `common` the response of a plan must be `whole` or `frames`")
        }
        (PlannedBody::Bytes(_) | PlannedBody::Empty, _) => None,
    }
}

/// What the executor gets of an attempt.
fn plan_context(
    context: &CallContext,
    negotiated: &NegotiatedCall,
    lease: &Lease,
    provider: &Provider,
    number: u32,
) -> Context {
    let call = &context.call;
    Context {
        operation: call.operation.name(),
        dialect: negotiated.dialect_name(),
        model: Arc::clone(negotiated.model()),
        // A translated body names the provider's model already.
        client_model: if negotiated.is_common() || negotiated.translation().is_some() {
            Arc::clone(negotiated.model())
        } else {
            Arc::clone(&call.model)
        },
        stream: call.stream.is_some(),
        credential: Arc::clone(lease.credential()),
        settings: Arc::clone(&provider.settings),
        options: options(call),
        attempt: number,
        now_ms: context.clock.now().as_millis(),
        headers: headers_for(
            call.dialect,
            negotiated.upstream_dialect(),
            &call.headers,
            &provider.client_headers,
        ),
        query: query(call, negotiated.upstream_dialect()),
        principal: Some(Arc::clone(&call.principal)),
        session: call.affinity,
        conversation: negotiated.conversation().cloned(),
        client: context.client,
        call: Some(Arc::clone(&call.id)),
    }
}

/// Returns the parameters of the client's URL that the provider may get: the one by which Anthropic's API
/// turns on beta features.
fn query(call: &Call, upstream: Dialect) -> Vec<(&'static str, &'static str)> {
    if call.beta && upstream == Dialect::AnthropicMessages {
        return vec![("beta", "true")];
    }
    Vec::new()
}

/// Returns the contract's options of an operation: the method, where a dialect has several.
fn options(call: &Call) -> Vec<(&'static str, String)> {
    let method = match call.operation {
        Operation::Embed(Embed::Batch) => "batchEmbedContents",
        Operation::Embed(Embed::Plain) if call.dialect == Dialect::Gemini => "embedContent",
        Operation::CountTokens | Operation::Embed(_) | Operation::Generate => return Vec::new(),
    };
    vec![("method", method.to_owned())]
}
