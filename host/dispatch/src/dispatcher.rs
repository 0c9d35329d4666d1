//! The dispatcher: carries out a call in rounds over the pool, until there is a response, an error that
//! no other credential can avoid, or the deadline passes.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use http::HeaderMap;
use jackfield_auth::{AuthManager, Lease};
use jackfield_credential::{CandidateQuery, Outcome, Scope, Unavailable, split_suffix};
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, timeout_at};

use crate::affinity;
use crate::attempt::{AttemptError, Prepared, StaleAttempt};
use crate::call::{Call, ClientResponse, Operation, ResponseBody};
use crate::call_log::{CallLog, CallOutcome, Step, UnavailableCounts, WaitReason, millis};
use crate::clock::Clock;
use crate::context::CallContext;
use crate::error::CallError;
use crate::expired_token::wait_for_token;
use crate::fallback::{Fallback, reason_label};
use crate::limits::{ESTIMATES_MAX, INCOMPATIBLE_MAX, ROUND_JITTER_MAX};
use crate::pick::{PickError, PickQuery, Picker};
use crate::port::Upstream;
use crate::progress::Progress;
use crate::provider_budgets::Budgets;
use crate::snapshot::Snapshot;
use crate::token_estimate;

/// Carries out calls.
pub struct Dispatcher {
    snapshot: Arc<ArcSwap<Snapshot>>,
    picker: Picker,
    pub(crate) upstream: Arc<dyn Upstream>,
    clock: Clock,
    budgets: Budgets,
    call_log: CallLog,
    /// Permits for token estimates, which need a core each.
    estimates: Arc<Semaphore>,
}

/// The parts of a dispatcher.
pub struct DispatcherParts {
    /// The snapshot that new calls use. It may be replaced at any time.
    pub snapshot: Arc<ArcSwap<Snapshot>>,
    /// The credentials.
    pub auth: AuthManager,
    /// Sends requests.
    pub upstream: Arc<dyn Upstream>,
    /// The clock; the auth manager must have the same.
    pub clock: Clock,
}

impl Dispatcher {
    /// Creates a dispatcher.
    pub fn new(parts: DispatcherParts) -> Self {
        let DispatcherParts {
            snapshot,
            auth,
            upstream,
            clock,
        } = parts;
        Self {
            snapshot,
            picker: Picker::new(auth),
            upstream,
            clock,
            budgets: Budgets::default(),
            call_log: CallLog::default(),
            estimates: Arc::new(Semaphore::new(ESTIMATES_MAX)),
        }
    }

    /// The auth manager.
    pub fn auth(&self) -> &AuthManager {
        self.picker.auth()
    }

    /// The snapshot that a call would use now.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.snapshot.load_full()
    }

    /// The clock of the cooldowns.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// The records of the last calls.
    pub fn call_log(&self) -> &CallLog {
        &self.call_log
    }

    /// How often a selector failed, so that the first candidate was taken.
    pub fn selector_faults(&self) -> u64 {
        self.picker.selector_faults()
    }

    /// The deadline of a call that begins now.
    pub fn deadline(&self) -> Instant {
        Instant::now() + self.snapshot.load().timeouts.total
    }

    /// Returns a hash of the call's session, from the places that the routing configures: 53 bits, the
    /// same after every restart. `None` if the call names no session or affinity is off.
    pub fn affinity(&self, headers: &HeaderMap, body: &[u8], principal: &str) -> Option<u64> {
        let hints = affinity::SessionHints {
            headers,
            body,
            principal,
        };
        affinity::session_hash(&self.snapshot.load().routing.affinity, &hints)
    }

    /// Carries out a call up to its commit; the caller then pulls the response. Dropping the future or
    /// the response cancels the call.
    ///
    /// # Errors
    /// The last error, if no attempt succeeded before the deadline.
    pub async fn call(&self, call: Call) -> Result<ClientResponse, CallError> {
        let deadline = call.deadline;
        let trace = Arc::new(self.call_log.begin(&call, &self.clock));
        let context = Arc::new(CallContext {
            model: Arc::clone(&call.model),
            call: Arc::new(call),
            snapshot: self.snapshot.load_full(),
            clock: self.clock.clone(),
            upstream: Arc::clone(&self.upstream),
            trace,
        });
        let result = match timeout_at(deadline, self.try_models(&context)).await {
            Ok(Err(error)) => self.estimate_tokens(error, &context).await,
            Ok(finished) => finished,
            Err(_) => Err(CallError::Deadline(context.snapshot.timeouts.total)),
        };
        match &result {
            Ok(response) if matches!(response.body, ResponseBody::Whole(_)) => {
                context.trace.end(CallOutcome::Completed);
            }
            // A stream's reply records its end.
            Ok(_) => {}
            Err(error) => context.trace.end(CallOutcome::failed(
                error.code().unwrap_or(error.label()),
                &error.to_string(),
            )),
        }
        result
    }

    /// Estimates the tokens if no provider counted them. Returns the error if an estimate is not possible,
    /// or if no permit is free before the deadline.
    async fn estimate_tokens(
        &self,
        error: CallError,
        context: &Arc<CallContext>,
    ) -> Result<ClientResponse, CallError> {
        if !token_estimate::may_estimate(&error, context) {
            return Err(error);
        }
        let permit = Arc::clone(&self.estimates).acquire_owned();
        let permit = timeout_at(context.call.deadline, permit);
        match permit.await {
            Ok(Ok(permit)) => token_estimate::estimate(error, context, permit).await,
            Ok(Err(_)) | Err(_) => Err(error),
        }
    }

    /// Tries the requested model, and then its fallback models.
    async fn try_models(&self, call: &Arc<CallContext>) -> Result<ClientResponse, CallError> {
        let mut progress = Progress::new();
        let mut fallbacks = fallbacks(call).iter();
        let mut context = Arc::clone(call);
        loop {
            let error = match self.try_rounds(&context, &mut progress).await {
                Ok(response) => return Ok(response),
                Err(error) => error,
            };
            // The iterator never goes back, so each fallback is used at most once and the loop ends.
            let Some(fallback) = fallbacks.find(|fallback| fallback.applies_to(&error)) else {
                return Err(error);
            };
            call.trace.step(Step::Fallback {
                to: Arc::clone(&fallback.model),
                reason: reason_label(&error),
            });
            progress.next_model();
            context = Arc::new(call.with_model(&fallback.model));
        }
    }

    /// Tries one model: round after round, until there is a response or no cooldown is worth waiting
    /// for.
    async fn try_rounds(
        &self,
        context: &Arc<CallContext>,
        progress: &mut Progress,
    ) -> Result<ClientResponse, CallError> {
        loop {
            let unavailable = match self.try_credentials(context, progress).await? {
                Round::Completed(response) => return Ok(response),
                Round::Exhausted(unavailable) => unavailable,
            };
            let Some(wait) = self.next_round(context, progress) else {
                return Err(self.exhausted_error(context, progress, unavailable));
            };
            let round = progress.round;
            tracing::debug!(call = %context.call.id, round, wait_ms = wait.as_millis(), "round over");
            context.trace.step(Step::Wait {
                reason: WaitReason::Cooldown,
                ms: millis(wait),
            });
            sleep(wait).await;
            progress.next_round();
        }
    }

    /// Tries one credential after another, until there is a response or no untried credential is left.
    async fn try_credentials(
        &self,
        context: &Arc<CallContext>,
        progress: &mut Progress,
    ) -> Result<Round, CallError> {
        let limit = context.snapshot.retry.max_credentials as usize;
        loop {
            // An attempt may fail at the deadline itself; no other may begin then.
            if context.call.deadline <= Instant::now() {
                return Err(CallError::Deadline(context.snapshot.timeouts.total));
            }
            if limit != 0 && progress.tried.len() >= limit {
                return Ok(Round::Exhausted(None));
            }
            let excluded = progress.excluded();
            let query = PickQuery {
                tried: &excluded,
                round: progress.round,
                attempt: progress.attempts,
            };
            let lease = match self.picker.pick(context, &query).await {
                Ok(lease) => lease,
                Err(PickError::Unavailable(unavailable)) => {
                    context.trace.step(Step::Unavailable {
                        round: progress.round,
                        reasons: unavailable
                            .reasons()
                            .map(|reasons| UnavailableCounts::of(&reasons, self.clock.now())),
                    });
                    return Ok(Round::Exhausted(Some(unavailable)));
                }
                Err(PickError::Fatal(error)) => return Err(error),
            };
            if !self.retry_allowed(context, progress, &lease) {
                return Ok(Round::Exhausted(None));
            }
            let slot = lease.slot();
            progress.tried.push(slot);
            let tried = match self.attempt(context, lease, progress).await {
                Err(AttemptError::NeedsRefresh(stale)) => {
                    self.retry_after_refresh(context, *stale, progress).await
                }
                tried => tried,
            };
            let failure = match tried {
                Ok(response) => return Ok(Round::Completed(response)),
                Err(AttemptError::Fatal(error)) => return Err(*error),
                Err(AttemptError::Upstream(failure)) => failure,
                Err(AttemptError::Incompatible(error)) => {
                    progress.tried.pop();
                    progress.add_incompatible(slot, error);
                    if self.no_other_executor(context, progress) {
                        return Ok(Round::Exhausted(None));
                    }
                    continue;
                }
                // Tokens are refreshed once for each credential: this failure is final.
                Err(AttemptError::NeedsRefresh(stale)) => stale.fail(context),
            };
            if failure.failure.scope == Scope::Request {
                return Err(CallError::Upstream(failure));
            }
            progress.record_failure(failure);
        }
    }

    /// True if every remaining credential uses the same, incompatible executor, or too many were
    /// incompatible.
    fn no_other_executor(&self, context: &CallContext, progress: &Progress) -> bool {
        progress.incompatible.len() >= INCOMPATIBLE_MAX
            || self.auth().only_provider(&context.model).is_some()
    }

    async fn attempt(
        &self,
        context: &Arc<CallContext>,
        lease: Lease,
        progress: &mut Progress,
    ) -> Result<ClientResponse, AttemptError> {
        let may_refresh = !progress.refreshed.contains(&lease.slot());
        let query = CandidateQuery::first_round(&context.model);
        let lease = wait_for_token(self.auth(), context, &query, lease).await?;
        let context = &self.with_current_snapshot(context, &lease);
        let number = progress.attempts;
        let cache = &mut progress.translations;
        let prepared = Prepared::negotiate(context, cache, lease, number, may_refresh).await?;
        // Only now: an incompatible executor sends no request, so it is no attempt.
        progress.attempts += 1;
        // Boxed, because a refresh runs a second attempt: the large future would be in the caller twice.
        Box::pin(prepared.run()).await
    }

    /// The context, with the current snapshot if the lease is of a newer configuration. A reload stores
    /// the snapshot before leases of its configuration exist, so the two always match.
    fn with_current_snapshot(&self, context: &Arc<CallContext>, lease: &Lease) -> Arc<CallContext> {
        if lease.configuration() == context.snapshot.configuration {
            return Arc::clone(context);
        }
        Arc::new(context.with_snapshot(self.snapshot.load_full()))
    }

    /// Refreshes a credential's tokens and tries it once more, because an expired token says nothing
    /// about the account. If the refresh fails, the attempt's failure counts.
    async fn retry_after_refresh(
        &self,
        context: &Arc<CallContext>,
        stale: StaleAttempt,
        progress: &mut Progress,
    ) -> Result<ClientResponse, AttemptError> {
        let slot = stale.lease.slot();
        let id = stale.lease.credential().id.clone();
        let version = stale.lease.token_version();
        let refreshed = self.auth().refresh_rejected(&id, version).await;
        context.trace.step(Step::Refresh {
            credential: Arc::from(id.as_str()),
            error: refreshed.as_ref().err().map(ToString::to_string),
        });
        if let Err(error) = refreshed {
            tracing::debug!(call = %context.call.id, credential = %id, %error, "refresh failed");
            return Err(AttemptError::Upstream(stale.fail(context)));
        }
        progress.refreshed.push(slot);
        let now = self.clock.now();
        let StaleAttempt { lease, failure } = stale;
        // Before the next lease: the old one still occupies the credential's capacity.
        context.end_attempt(lease, Outcome::Inconclusive, None);
        let query = CandidateQuery {
            endpoint: context.call.endpoint(),
            ..CandidateQuery::first_round(&context.model)
        };
        match self.auth().lease_again(slot, &query, now) {
            Ok(lease) => self.attempt(context, lease, progress).await,
            Err(_) => Err(AttemptError::Upstream(Box::new(failure))),
        }
    }

    /// Whether the provider's retry budget allows this attempt. First attempts are always allowed.
    /// Attempts after a failure of a credential or a model do not count: that credential cools, so they
    /// cannot add to an outage.
    fn retry_allowed(&self, context: &CallContext, progress: &Progress, lease: &Lease) -> bool {
        let policy = &context.snapshot.retry.budget;
        let now = self.clock.now();
        let provider = &lease.credential().provider;
        if progress.attempts == 0 {
            self.budgets.record_first_attempt(provider, policy, now);
            return true;
        }
        if !progress.counts_against_budget() || self.budgets.allow_retry(provider, policy, now) {
            return true;
        }
        tracing::warn!(call = %context.call.id, %provider, "retry budget used up");
        context.trace.step(Step::BudgetExhausted {
            provider: Arc::from(provider.as_str()),
        });
        false
    }

    /// The wait before the next round, if a cooldown ends soon enough. `None` ends the call.
    ///
    /// Failures without a cooldown are not tried again, because nothing has changed. The exception is a
    /// transport error of the only attempt: without one more attempt, each reset connection would fail a
    /// call that has one credential.
    fn next_round(&self, context: &CallContext, progress: &Progress) -> Option<Duration> {
        let retry = &context.snapshot.retry;
        // The host can estimate at once, which is better than a provider's count after a wait.
        if context.call.operation == Operation::CountTokens {
            return None;
        }
        let rounds = self.auth().rounds_max().unwrap_or(0).max(retry.rounds);
        if progress.round == 1
            && progress.tried.len() == 1
            && progress.only_transport
            && progress.last.is_some()
        {
            return Some(Duration::ZERO);
        }
        if progress.round >= rounds {
            return None;
        }
        let now = self.clock.now();
        let query = CandidateQuery {
            tried: &progress.incompatible,
            round: progress.round + 1,
            rounds: retry.rounds,
            endpoint: context.call.endpoint(),
            ..CandidateQuery::first_round(&context.model)
        };
        let retry_at = match self.auth().candidates(&query, now) {
            Ok(_) => return None,
            Err(unavailable) => unavailable.retry_at()?,
        };
        let wait = with_jitter(retry_at.saturating_since(now), retry.max_wait);
        let in_time = wait <= retry.max_wait && Instant::now() + wait < context.call.deadline;
        in_time.then_some(wait)
    }

    fn exhausted_error(
        &self,
        context: &CallContext,
        progress: &mut Progress,
        unavailable: Option<Unavailable>,
    ) -> CallError {
        if let Some(failure) = progress.last.take() {
            return CallError::Upstream(failure);
        }
        // If another credential only cools or is busy, the same call may succeed later: that counts then.
        if let Some(error) = progress.incompatible_error.take()
            && unavailable.as_ref().is_none_or(Unavailable::all_tried)
        {
            return *error;
        }
        let model = context.model.as_ref().to_owned();
        match unavailable {
            None | Some(Unavailable::UnknownModel) => CallError::UnknownModel(model),
            Some(unavailable) => {
                let now = self.clock.now();
                let retry_after = unavailable.retry_at().map(|at| at.saturating_since(now));
                CallError::NoCredentialAvailable {
                    provider: self
                        .auth()
                        .only_provider(&model)
                        .map(|name| name.to_string()),
                    model,
                    unavailable,
                    retry_after,
                }
            }
        }
    }
}

/// Adds up to a quarter to a wait, so that calls that failed at the same time do not retry at the same
/// time. The jitter does not extend the wait beyond `longest`.
fn with_jitter(wait: Duration, longest: Duration) -> Duration {
    let jitter_max = (wait / 4).min(ROUND_JITTER_MAX);
    let jitter = jitter_max * fastrand::u32(..=1000) / 1000;
    (wait + jitter).min(longest.max(wait))
}

/// The fallback models of the call, in order.
fn fallbacks(context: &CallContext) -> &[Fallback] {
    let all = &context.snapshot.routing.fallbacks;
    let exact = all.get(&context.call.model);
    let chain = exact.or_else(|| all.get(split_suffix(&context.call.model).0));
    chain.map(Vec::as_slice).unwrap_or_default()
}

enum Round {
    Completed(ClientResponse),
    Exhausted(Option<Unavailable>),
}
