//! One attempt: a plan is made, carried out, and its answer judged, with one leased credential.

mod response;

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::CONTENT_ENCODING;
use http::{HeaderMap, HeaderName, StatusCode};
use jackfield_auth::Lease;
use jackfield_credential::{Failure, Outcome, Scope};
use jackfield_dialect::Dialect;
use tokio::time::Instant;

use crate::call::{Call, ClientResponse, Embed, Operation};
use crate::classify;
use crate::context::CallContext;
use crate::error::{CallError, ErrorResponse, UpstreamFailure};
use crate::exchange::StreamError;
use crate::limits::{ERROR_BODY_BYTES_MAX, ERROR_BODY_TIMEOUT, ROUND_TRIPS_MAX};
use crate::plan::{Context, Plan, ResponseMode, UpstreamRequest};
use crate::port::{Executor, FaultKind, PluginFault, Rejection, ResponseHead, UpstreamResponse};
use crate::request::{self, Bounds, CONNECTION_HEADERS, PlanError, Recipient};
use crate::scrub::{scrub, shows_secret};
use crate::snapshot::Provider;
use crate::source::Source;
use crate::translation::TranslatedCall;

/// How an attempt failed. Its lease is settled.
pub(crate) enum AttemptError {
    /// A provider, or the way to it: by its scope another credential may do.
    Upstream(Box<UpstreamFailure>),
    /// Nothing another credential could mend.
    Fatal(Box<CallError>),
    /// The executor cannot be told the call; one of another dialect may. Nobody is blamed.
    Incompatible(Box<CallError>),
    /// The provider refused the credential, and new tokens may mend that: the lease is not settled.
    NeedsRefresh(Box<StaleAttempt>),
}

/// An attempt that new tokens may mend.
pub(crate) struct StaleAttempt {
    pub(crate) lease: Lease,
    pub(crate) failure: UpstreamFailure,
}

/// One attempt.
pub(crate) struct Attempt<'a> {
    context: &'a Arc<CallContext>,
    provider: &'a Provider,
    executor: &'a Arc<dyn Executor>,
    translation: TranslatedCall,
    /// What the executor's provider is asked: the client's body, or its translation.
    body: Bytes,
    plan_context: Context,
    lease: Option<Lease>,
    round_trips: u32,
    /// Whether new tokens may still be asked for.
    may_refresh: bool,
}

impl<'a> Attempt<'a> {
    /// An attempt with a leased credential.
    ///
    /// # Errors
    /// When the configuration does not fit together, or the executor cannot be told the call.
    pub(crate) async fn new(
        context: &'a Arc<CallContext>,
        lease: Lease,
        number: u32,
        may_refresh: bool,
    ) -> Result<Self, AttemptError> {
        let (call, snapshot) = (&context.call, &context.snapshot);
        let serving = snapshot.serving(&lease.credential().provider);
        let (provider, executor) = serving.map_err(|error| AttemptError::Fatal(Box::new(error)))?;
        let now = context.clock.now();
        let created = now.as_millis() / 1_000;
        let target = (executor.descriptor(), lease.upstream_model());
        let negotiated = TranslatedCall::new(call, target, &context.translations, created).await;
        let translation = match negotiated {
            Ok(translation) => translation,
            Err(cause) => {
                context.settle(lease, Outcome::Inconclusive, None);
                let error = cause.into_error(call.operation, &provider.executor);
                return Err(AttemptError::Incompatible(Box::new(error)));
            }
        };
        // What an earlier attempt lost, this one may not.
        context.trace.warnings(translation.warnings());
        let plan_context = Context {
            operation: call.operation.name(),
            dialect: translation.upstream_dialect().name(),
            model: Arc::clone(translation.model()),
            // A translation has the provider's name in it already.
            client_model: match translation.translated() {
                Some(_) => Arc::clone(translation.model()),
                None => Arc::clone(&call.model),
            },
            stream: call.stream.is_some(),
            attempt: number,
            now_ms: now.as_millis(),
            headers: Arc::clone(&call.headers),
            credential: Arc::clone(lease.credential()),
            settings: Arc::clone(&provider.settings),
            options: options(call),
        };
        Ok(Self {
            context,
            body: translation.body().unwrap_or(&call.body).clone(),
            translation,
            provider,
            executor,
            plan_context,
            lease: Some(lease),
            round_trips: 0,
            may_refresh,
        })
    }

    /// Runs it up to its commit.
    pub(crate) async fn run(mut self) -> Result<ClientResponse, AttemptError> {
        match self.executor.prepare(&self.plan_context, &self.body).await {
            Ok(plan) => self.carry_out(plan).await,
            Err(rejection) => Err(self.settle_rejection(rejection)),
        }
    }

    async fn carry_out(&mut self, plan: Plan) -> Result<ClientResponse, AttemptError> {
        let mode = plan.response_mode;
        let state = plan.state.clone();
        let (head, source) = self.send(plan).await?;
        if mode == ResponseMode::Relay {
            return self.forward_response(head, source).await;
        }
        let reply = self
            .executor
            .reply(&self.plan_context, &self.body, state)
            .await;
        let reply = reply.map_err(|fault| self.settle_rejection(Rejection::Fault(fault)))?;
        self.run_reply(head, source, mode, reply).await
    }

    /// Sends what is planned; an error answer ends the attempt.
    async fn send(&mut self, plan: Plan) -> Result<(ResponseHead, Source), AttemptError> {
        self.round_trips += 1;
        if self.round_trips > ROUND_TRIPS_MAX {
            return Err(self.settle_invalid_output(format!(
                "it planned more than {ROUND_TRIPS_MAX} requests"
            )));
        }
        let Some(lease) = &self.lease else {
            let message = "an attempt was begun twice".to_owned();
            return Err(AttemptError::Fatal(Box::new(CallError::Misconfigured(
                message,
            ))));
        };
        let request = self
            .upstream_request(plan, lease)
            .map_err(|error| self.settle_invalid_output(error.to_string()))?;
        let timeouts = self.context.snapshot.timeouts;
        let sent = Instant::now();
        let response =
            tokio::time::timeout(timeouts.first_byte, self.context.upstream.send(request));
        let UpstreamResponse { head, body } = match response.await {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => {
                return Err(self.settle_failure(classify::transport(error.to_string()), None));
            }
            Err(_) => {
                let waited = timeouts.first_byte.as_secs_f32();
                let message = format!("the provider did not answer within {waited} s");
                return Err(self.settle_failure(classify::transport(message), None));
            }
        };
        if let Some(lease) = &self.lease
            && let Some(quota) = classify::quota(&head.headers, self.context.clock.now())
        {
            lease.note_quota(quota);
        }
        let source = Source::new(body, sent, self.context.call.deadline, timeouts);
        if head.status.is_success() {
            return Ok((head, source));
        }
        Err(self.error_response(head, source).await)
    }

    fn upstream_request(&self, plan: Plan, lease: &Lease) -> Result<UpstreamRequest, PlanError> {
        let bounds = Bounds {
            provider: self.provider,
            hosts: &self.executor.descriptor().hosts,
            body: &self.body,
            account: lease,
            recipient: Recipient::Api,
            connect: self.context.snapshot.timeouts.connect,
        };
        request::build_request(plan, &bounds)
    }

    /// Judges an error answer, by the executor if it does that, and keeps it for the client.
    async fn error_response(&mut self, head: ResponseHead, mut source: Source) -> AttemptError {
        source.end_within(ERROR_BODY_TIMEOUT);
        let body = read_up_to(&mut source, ERROR_BODY_BYTES_MAX).await;
        let now = self.context.clock.now();
        let mut response = ErrorResponse {
            dialect: self.translation.upstream_dialect(),
            status: head.status,
            headers: client_headers(head.headers.clone()),
            body: body.clone(),
        };
        if !self.executor.descriptor().judges_errors {
            let failure = classify::response(head.status, &head.headers, &body, now);
            return self.settle_failure(failure, Some(response));
        }
        match self
            .executor
            .judge(&self.plan_context, &self.body, &head, &body)
            .await
        {
            Ok(refusal) => {
                if let Some(body) = refusal.response {
                    response.headers.remove(CONTENT_ENCODING);
                    response.body = body;
                }
                self.settle_failure(refusal.failure, Some(response))
            }
            Err(fault) => self.settle_rejection(Rejection::Fault(fault)),
        }
    }

    fn settle_stream_error(&mut self, error: StreamError) -> AttemptError {
        match error {
            StreamError::Upstream(failure) | StreamError::AlreadySent(failure) => {
                self.settle_failure(failure, None)
            }
            StreamError::DeadlineExceeded => {
                self.settle(Outcome::Cancelled, None);
                let total = self.context.snapshot.timeouts.total;
                AttemptError::Fatal(Box::new(CallError::Deadline(total)))
            }
            StreamError::Plugin(fault) => self.settle_rejection(Rejection::Fault(fault)),
        }
    }

    /// Settles the lease with a failure of the provider.
    fn settle_failure(
        &mut self,
        mut failure: Failure,
        mut response: Option<ErrorResponse>,
    ) -> AttemptError {
        if let Some(lease) = &self.lease {
            scrub(lease, &mut failure);
            response = response.filter(|response| !shows_secret(lease, &response.body));
        }
        tracing::debug!(
            call = %self.context.call.id,
            credential = %self.plan_context.credential.id,
            kind = %failure.kind,
            scope = ?failure.scope,
            message = failure.message,
            "attempt failed"
        );
        let can_refresh = self.may_refresh && failure.refresh_suggested;
        let failure = UpstreamFailure { failure, response };
        if let Some(lease) = self
            .lease
            .take_if(|lease| can_refresh && lease.refreshable())
        {
            return AttemptError::NeedsRefresh(Box::new(StaleAttempt { lease, failure }));
        }
        self.settle(Outcome::Failed(failure.failure.clone()), None);
        AttemptError::Upstream(Box::new(failure))
    }

    /// Settles the lease where the executor gave no plan or no answer.
    fn settle_rejection(&mut self, rejection: Rejection) -> AttemptError {
        match rejection {
            Rejection::Refused(refusal) => {
                let status = refusal
                    .failure
                    .status
                    .and_then(|code| StatusCode::from_u16(code).ok());
                let dialect = self.translation.upstream_dialect();
                let response = refusal.response.map(|body| ErrorResponse {
                    dialect,
                    status: status.unwrap_or(fallback_status(refusal.failure.scope)),
                    headers: HeaderMap::new(),
                    body,
                });
                self.settle_failure(refusal.failure, response)
            }
            Rejection::Fault(fault) => {
                self.settle(Outcome::Inconclusive, None);
                AttemptError::Fatal(Box::new(CallError::Plugin(fault)))
            }
        }
    }

    fn settle_invalid_output(&mut self, detail: String) -> AttemptError {
        let plugin = self.executor.plugin().clone();
        tracing::warn!(%plugin, detail, "plugin answered nonsense");
        self.executor.note_fault();
        self.settle_rejection(Rejection::Fault(PluginFault {
            plugin,
            kind: FaultKind::InvalidOutput,
            detail,
        }))
    }

    fn settle(&mut self, outcome: Outcome, first_byte: Option<Duration>) {
        if let Some(lease) = self.lease.take() {
            self.context.settle(lease, outcome, first_byte);
        }
    }
}

/// What else the operation has.
fn options(call: &Call) -> Vec<(&'static str, String)> {
    let method = match call.operation {
        Operation::Embed(Embed::Batch) => "batchEmbedContents",
        Operation::Embed(Embed::Plain) if call.dialect == Dialect::Gemini => "embedContent",
        Operation::CountTokens | Operation::Embed(_) | Operation::Generate => return Vec::new(),
    };
    vec![("method", method.to_owned())]
}

fn fallback_status(scope: Scope) -> StatusCode {
    match scope {
        Scope::Request => StatusCode::BAD_REQUEST,
        Scope::Credential | Scope::Model | Scope::Provider | Scope::Transport => {
            StatusCode::BAD_GATEWAY
        }
    }
}

/// The first bytes of a body; what fails on the way is simply not there.
async fn read_up_to(source: &mut Source, bytes_max: usize) -> Bytes {
    let mut buffer = BytesMut::new();
    while let Ok(Some(chunk)) = source.next().await {
        let remaining = bytes_max - buffer.len();
        buffer.extend_from_slice(&chunk[..chunk.len().min(remaining)]);
        if buffer.len() == bytes_max {
            break;
        }
    }
    buffer.freeze()
}

/// The provider's headers without those of the connection, and without those that would make the
/// client believe that it talks to the provider's own host.
pub(crate) fn client_headers(mut headers: HeaderMap) -> HeaderMap {
    let is_withheld = |name: &&HeaderName| {
        CONNECTION_HEADERS.contains(&name.as_str())
            || UPSTREAM_ONLY_HEADERS.contains(&name.as_str())
    };
    // Few of them are there: looking for each one that might be would cost more.
    let withheld: Vec<HeaderName> = headers.keys().filter(is_withheld).cloned().collect();
    for name in withheld {
        headers.remove(name);
    }
    headers
}

const UPSTREAM_ONLY_HEADERS: [&str; 4] =
    ["alt-svc", "date", "set-cookie", "strict-transport-security"];
