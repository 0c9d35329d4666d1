//! One attempt: a plan is made, carried out, and its answer judged, with one leased credential.

mod answering;

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::CONTENT_ENCODING;
use http::{HeaderMap, HeaderName, StatusCode};
use jackfield_auth::Lease;
use jackfield_credential::{Failure, Outcome, Scope};
use jackfield_dialect::Dialect;
use secrecy::ExposeSecret;
use tokio::time::Instant;

use crate::call::{Answer, Call, Embed, Operation};
use crate::classify;
use crate::course::Course;
use crate::error::{CallError, ErrorAnswer, UpstreamFailure};
use crate::exchange::Broke;
use crate::limits::{ERROR_BODY_BYTES_MAX, ERROR_BODY_TIME, ROUND_TRIPS_MAX};
use crate::outbound::{self, Bounds, CONNECTION_HEADERS};
use crate::plan::{Context, Plan, Response};
use crate::port::{Executor, FaultKind, Head, PluginFault, Rejection, UpstreamAnswer};
use crate::scrub::{scrub, shows_secret};
use crate::snapshot::Provider;
use crate::source::Source;
use crate::told::Told;

/// How an attempt failed. Its lease is settled.
pub(crate) enum Missed {
    /// A provider, or the way to it: by its scope another credential may do.
    Failed(Box<UpstreamFailure>),
    /// Nothing another credential could mend.
    Fatal(Box<CallError>),
    /// The executor cannot be told the call; one of another dialect may. Nobody is blamed.
    Untold(Box<CallError>),
    /// The provider refused the credential, and new tokens may mend that: the lease is not settled.
    Stale(Box<Stale>),
}

/// An attempt that new tokens may mend.
pub(crate) struct Stale {
    pub(crate) lease: Lease,
    pub(crate) failure: UpstreamFailure,
}

/// One attempt.
pub(crate) struct Attempt<'a> {
    course: &'a Arc<Course>,
    provider: &'a Provider,
    executor: &'a Arc<dyn Executor>,
    told: Told,
    /// What the executor's provider is asked: the client's body, or its translation.
    body: Bytes,
    context: Context,
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
        course: &'a Arc<Course>,
        lease: Lease,
        number: u32,
        may_refresh: bool,
    ) -> Result<Self, Missed> {
        let (call, snapshot) = (&course.call, &course.snapshot);
        let serving = snapshot.serving(&lease.credential().provider);
        let (provider, executor) = serving.map_err(|error| Missed::Fatal(Box::new(error)))?;
        let now = course.clock.now();
        let created = now.as_millis() / 1_000;
        let told = (executor.descriptor(), lease.upstream_model());
        let told = Told::new(call, told, &course.translations, created).await;
        let told = match told {
            Ok(told) => told,
            Err(untold) => {
                course.settle(lease, Outcome::Inconclusive, None);
                let error = untold.into_error(call.operation, &provider.executor);
                return Err(Missed::Untold(Box::new(error)));
            }
        };
        // What an earlier attempt lost, this one may not.
        course.trace.warnings(told.warnings());
        let context = Context {
            operation: call.operation.name(),
            dialect: told.spoken().name(),
            model: Arc::clone(told.model()),
            // A translation has the provider's name in it already.
            client_model: match told.translated() {
                Some(_) => Arc::clone(told.model()),
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
            course,
            body: told.body().unwrap_or(&call.body).clone(),
            told,
            provider,
            executor,
            context,
            lease: Some(lease),
            round_trips: 0,
            may_refresh,
        })
    }

    /// Runs it up to its commit.
    pub(crate) async fn run(mut self) -> Result<Answer, Missed> {
        match self.executor.prepare(&self.context, &self.body).await {
            Ok(plan) => self.carry_out(plan).await,
            Err(rejection) => Err(self.rejected(rejection)),
        }
    }

    async fn carry_out(&mut self, plan: Plan) -> Result<Answer, Missed> {
        let response = plan.response;
        let state = plan.state.clone();
        let (head, source) = self.send(plan).await?;
        if response == Response::Relay {
            return self.relay(head, source).await;
        }
        let reply = self.executor.reply(&self.context, &self.body, state).await;
        let reply = reply.map_err(|fault| self.rejected(Rejection::Fault(fault)))?;
        self.guide(head, source, response, reply).await
    }

    /// Sends what is planned; an error answer ends the attempt.
    async fn send(&mut self, plan: Plan) -> Result<(Head, Source), Missed> {
        self.round_trips += 1;
        if self.round_trips > ROUND_TRIPS_MAX {
            return Err(self.nonsense(format!("it planned more than {ROUND_TRIPS_MAX} requests")));
        }
        if !plan.captures.is_empty() {
            let wrong = "it captures secrets, which only `refresh` and `authorize` may".to_owned();
            return Err(self.nonsense(wrong));
        }
        let request = self.outbound(plan).map_err(|wrong| self.nonsense(wrong))?;
        let timeouts = self.course.snapshot.timeouts;
        let sent = Instant::now();
        let answer = tokio::time::timeout(timeouts.first_byte, self.course.upstream.send(request));
        let UpstreamAnswer { head, body } = match answer.await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => return Err(self.failed(classify::transport(error.to_string()), None)),
            Err(_) => {
                let waited = timeouts.first_byte.as_secs_f32();
                let message = format!("the provider did not answer within {waited} s");
                return Err(self.failed(classify::transport(message), None));
            }
        };
        if let Some(lease) = &self.lease
            && let Some(quota) = classify::quota(&head.headers, self.course.clock.now())
        {
            lease.note_quota(quota);
        }
        let source = Source::new(body, sent, self.course.call.deadline, timeouts);
        if head.status.is_success() {
            return Ok((head, source));
        }
        Err(self.error_answer(head, source).await)
    }

    fn outbound(&self, plan: Plan) -> Result<crate::plan::UpstreamRequest, outbound::Wrong> {
        let proxy = self.lease.as_ref().and_then(Lease::proxy);
        let bounds = Bounds {
            base_url: &self.provider.base_url,
            body: &self.body,
            secret: &|name| self.lease.as_ref()?.secret(name),
            grants: &self.provider.grants,
            hosts: &self.executor.descriptor().hosts,
            proxy: proxy.map(|url| Arc::from(url.expose_secret())),
            connect: self.course.snapshot.timeouts.connect,
        };
        let mut request = outbound::request(plan.request, &bounds)?;
        outbound::add_headers_of(&mut request, &self.context.credential);
        Ok(request)
    }

    /// Judges an error answer, by the executor if it does that, and keeps it for the client.
    async fn error_answer(&mut self, head: Head, mut source: Source) -> Missed {
        source.end_within(ERROR_BODY_TIME);
        let body = beginning(&mut source, ERROR_BODY_BYTES_MAX).await;
        let now = self.course.clock.now();
        let mut answer = ErrorAnswer {
            dialect: self.told.spoken(),
            status: head.status,
            headers: for_client(head.headers.clone()),
            body: body.clone(),
        };
        if !self.executor.descriptor().judges_errors {
            let failure = classify::answer(head.status, &head.headers, &body, now);
            return self.failed(failure, Some(answer));
        }
        match self
            .executor
            .judge(&self.context, &self.body, &head, &body)
            .await
        {
            Ok(refusal) => {
                if let Some(body) = refusal.answer {
                    answer.headers.remove(CONTENT_ENCODING);
                    answer.body = body;
                }
                self.failed(refusal.failure, Some(answer))
            }
            Err(fault) => self.rejected(Rejection::Fault(fault)),
        }
    }

    fn broke(&mut self, broke: Broke) -> Missed {
        match broke {
            Broke::Failed(failure) | Broke::Told(failure) => self.failed(failure, None),
            Broke::Late => {
                self.settle(Outcome::Cancelled, None);
                let total = self.course.snapshot.timeouts.total;
                Missed::Fatal(Box::new(CallError::Deadline(total)))
            }
            Broke::Plugin(fault) => self.rejected(Rejection::Fault(fault)),
        }
    }

    /// Settles the lease with a failure of the provider.
    fn failed(&mut self, mut failure: Failure, mut answer: Option<ErrorAnswer>) -> Missed {
        if let Some(lease) = &self.lease {
            scrub(lease, &mut failure);
            answer = answer.filter(|answer| !shows_secret(lease, &answer.body));
        }
        tracing::debug!(
            call = %self.course.call.id,
            credential = %self.context.credential.id,
            kind = %failure.kind,
            scope = ?failure.scope,
            message = failure.message,
            "attempt failed"
        );
        let mendable = self.may_refresh && failure.refresh_suggested;
        let failure = UpstreamFailure { failure, answer };
        if let Some(lease) = self.lease.take_if(|lease| mendable && lease.refreshable()) {
            return Missed::Stale(Box::new(Stale { lease, failure }));
        }
        self.settle(Outcome::Failed(failure.failure.clone()), None);
        Missed::Failed(Box::new(failure))
    }

    /// Settles the lease where the executor gave no plan or no answer.
    fn rejected(&mut self, rejection: Rejection) -> Missed {
        match rejection {
            Rejection::Refused(refusal) => {
                let status = refusal
                    .failure
                    .status
                    .and_then(|code| StatusCode::from_u16(code).ok());
                let dialect = self.told.spoken();
                let answer = refusal.answer.map(|body| ErrorAnswer {
                    dialect,
                    status: status.unwrap_or(fallback_status(refusal.failure.scope)),
                    headers: HeaderMap::new(),
                    body,
                });
                self.failed(refusal.failure, answer)
            }
            Rejection::Fault(fault) => {
                self.settle(Outcome::Inconclusive, None);
                Missed::Fatal(Box::new(CallError::Plugin(fault)))
            }
        }
    }

    fn nonsense(&mut self, detail: String) -> Missed {
        let plugin = self.executor.plugin().clone();
        tracing::warn!(%plugin, detail, "plugin answered nonsense");
        self.executor.note_fault();
        self.rejected(Rejection::Fault(PluginFault {
            plugin,
            kind: FaultKind::Nonsense,
            detail,
        }))
    }

    fn settle(&mut self, outcome: Outcome, first_byte: Option<Duration>) {
        if let Some(lease) = self.lease.take() {
            self.course.settle(lease, outcome, first_byte);
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
async fn beginning(source: &mut Source, bytes_max: usize) -> Bytes {
    let mut held = BytesMut::new();
    while let Ok(Some(chunk)) = source.next().await {
        let room = bytes_max - held.len();
        held.extend_from_slice(&chunk[..chunk.len().min(room)]);
        if held.len() == bytes_max {
            break;
        }
    }
    held.freeze()
}

/// The provider's headers without those of the connection, and without those that would make the
/// client believe that it talks to the provider's own host.
pub(crate) fn for_client(mut headers: HeaderMap) -> HeaderMap {
    let kept_back = |name: &&HeaderName| {
        CONNECTION_HEADERS.contains(&name.as_str()) || PROVIDERS_OWN.contains(&name.as_str())
    };
    // Few of them are there: looking for each one that might be would cost more.
    let there: Vec<HeaderName> = headers.keys().filter(kept_back).cloned().collect();
    for name in there {
        headers.remove(name);
    }
    headers
}

const PROVIDERS_OWN: [&str; 4] = ["alt-svc", "date", "set-cookie", "strict-transport-security"];
