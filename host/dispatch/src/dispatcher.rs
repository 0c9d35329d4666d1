//! The dispatcher: carries out a call in rounds over the pool, until there is a response, an error that
//! no other credential can avoid, or the deadline passes.

mod estimates;
mod exhausted;
mod plugins;
mod rounds;

use std::sync::Arc;

use arc_swap::ArcSwap;
use http::HeaderMap;
use jackfield_auth::{AuthManager, Lease};
use jackfield_credential::{CandidateQuery, Outcome, Scope, Slot, Unavailable, split_suffix};
use jackfield_dialect::Dialect;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};

use self::rounds::NextRound;
use crate::affinity;
use crate::attempt::{AttemptError, AttemptTerms, Prepared, StaleAttempt};
use crate::call::{Call, ClientResponse, ResponseBody};
use crate::call_log::{CallLog, CallOutcome, Step, UnavailableCounts};
use crate::clock::Clock;
use crate::context::CallContext;
use crate::error::CallError;
use crate::expired_token::{until_refresh, wait_for_token};
use crate::fallback::{Fallback, reason_label};
use crate::forwarded_headers::forwarded_headers;
use crate::head_times::HeadTimes;
use crate::limits::{ESTIMATES_MAX, INCOMPATIBLE_MAX, MEMORY_BYTES_MAX, SUSPENDED_RESPONSES_MAX};
use crate::memory::MemoryBudget;
use crate::model_name;
use crate::pick::{PickError, PickQuery, Picker};
use crate::port::Upstream;
use crate::progress::{Progress, is_outage};
use crate::provider_budgets::{BudgetedAttempt, Budgets};
use crate::random::Random;
use crate::requester::RequesterHash;
use crate::signatures::SignatureMemory;
use crate::snapshot::Snapshot;
use crate::unknown_model::UnknownModel;

/// Carries out calls.
pub struct Dispatcher {
    snapshot: Arc<ArcSwap<Snapshot>>,
    picker: Picker,
    pub(crate) upstream: Arc<dyn Upstream>,
    clock: Clock,
    random: Arc<Random>,
    budgets: Budgets,
    call_log: CallLog,
    requester_hash: RequesterHash,
    /// Permits for token estimates, which need a core each.
    estimates: Arc<Semaphore>,
    head_times: Arc<HeadTimes>,
    signatures: Arc<SignatureMemory>,
    memory: Arc<MemoryBudget>,
    /// Permits for delayed answers to calls whose plugin is suspended.
    suspended_responses: Semaphore,
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
    /// The seed of the jitter of waits, and of the random number that selectors get. The same seed and events
    /// give the same waits.
    pub seed: u64,
}

impl Dispatcher {
    /// Creates a dispatcher.
    pub fn new(parts: DispatcherParts) -> Self {
        let DispatcherParts {
            snapshot,
            auth,
            upstream,
            clock,
            seed,
        } = parts;
        let random = Arc::new(Random::new(seed));
        Self {
            snapshot,
            picker: Picker::new(auth, Arc::clone(&random)),
            random,
            upstream,
            budgets: Budgets::new(clock.clone()),
            clock,
            call_log: CallLog::default(),
            requester_hash: RequesterHash::default(),
            estimates: Arc::new(Semaphore::new(ESTIMATES_MAX)),
            head_times: Arc::default(),
            signatures: Arc::default(),
            memory: Arc::new(MemoryBudget::new(MEMORY_BYTES_MAX)),
            suspended_responses: Semaphore::new(SUSPENDED_RESPONSES_MAX),
        }
    }

    /// The auth manager.
    pub fn auth(&self) -> &AuthManager {
        self.picker.auth()
    }

    /// What all calls together may hold in memory. Request bodies count against it as well.
    pub fn memory(&self) -> &Arc<MemoryBudget> {
        &self.memory
    }

    /// Returns a model's name in the spelling of the configuration.
    ///
    /// # Errors
    /// When no credential serves it and it has no fallback.
    pub fn resolve_model(&self, requested: &Arc<str>) -> Result<Arc<str>, UnknownModel> {
        model_name::resolve(requested, self.auth(), &self.snapshot.load())
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

    /// Returns the headers of a client's request that a provider may get: those of the built-in list, and
    /// those that the configuration allows.
    pub fn forwarded_headers(&self, client: Dialect, headers: &HeaderMap) -> Arc<HeaderMap> {
        Arc::new(forwarded_headers(client, headers, &self.snapshot.load()))
    }

    /// Carries out a call up to its commit.
    ///
    /// # Errors
    /// The last error, if no attempt succeeded before the deadline.
    pub(crate) async fn call_to_commit(&self, call: Call) -> Result<ClientResponse, CallError> {
        let trace = Arc::new(self.call_log.begin(&call, &self.clock));
        let pinned = match self.pinned_slot(&call) {
            Ok(pinned) => pinned,
            Err(error) => {
                trace.end(CallOutcome::of(&error));
                return Err(error);
            }
        };
        let resolved = self.resolve_model(&call.model);
        let context = Arc::new(CallContext {
            model: Arc::clone(resolved.as_ref().unwrap_or(&call.model)),
            requester: self.requester_hash.requester(&call),
            client: self.requester_hash.client(&call),
            pinned,
            call: Arc::new(call),
            snapshot: self.snapshot.load_full(),
            clock: self.clock.clone(),
            upstream: Arc::clone(&self.upstream),
            trace,
            head_times: Arc::clone(&self.head_times),
            signatures: Arc::clone(&self.signatures),
            memory: Arc::clone(&self.memory),
        });
        let result = match resolved {
            Err(unknown) => Err(CallError::UnknownModel(unknown)),
            Ok(_) => self.respond(&context).await,
        };
        match &result {
            Ok(response) if matches!(response.body, ResponseBody::Whole(_)) => {
                context.trace.end(CallOutcome::Completed);
            }
            // A stream's reply records its end.
            Ok(_) => {}
            Err(error) => context.trace.end(CallOutcome::of(error)),
        }
        result
    }

    async fn respond(&self, context: &Arc<CallContext>) -> Result<ClientResponse, CallError> {
        match timeout_at(context.call.deadline, self.try_loaded(context)).await {
            Ok(Err(error)) => {
                self.delay_suspended(&error).await;
                self.estimate_tokens(error, context).await
            }
            Ok(finished) => finished,
            Err(_) => Err(CallError::Deadline(context.snapshot.timeouts.total)),
        }
    }

    /// Returns the slot of the only credential that the call may use, if there is one.
    fn pinned_slot(&self, call: &Call) -> Result<Option<Slot>, CallError> {
        let Some(id) = &call.pinned else {
            return Ok(None);
        };
        let slot = self.auth().slot(id);
        let not_found = || CallError::CredentialNotFound(id.to_string());
        Ok(Some(slot.ok_or_else(not_found)?))
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
            let changed = std::pin::pin!(self.auth().cooldown_changed());
            let wait = match self.next_round(context, progress, unavailable.as_ref()) {
                NextRound::After(wait) => wait,
                NextRound::Repeat(slot) => {
                    progress.repeat(slot);
                    continue;
                }
                NextRound::Never => {
                    return Err(self.exhausted_error(context, progress, unavailable));
                }
            };
            let round = progress.round;
            tracing::debug!(call = %context.call.id, round, wait_ms = wait.as_millis(), "round over");
            self.wait_for_cooldown(context, progress, unavailable.as_ref(), wait, changed)
                .await;
            self.go_on(context, progress);
        }
    }

    /// Tries one credential after another, until there is a response or no untried credential is left.
    async fn try_credentials(
        &self,
        context: &Arc<CallContext>,
        progress: &mut Progress,
    ) -> Result<Round, CallError> {
        loop {
            // An attempt may fail at the deadline itself; no other may begin then.
            if context.call.deadline <= Instant::now() {
                return Err(CallError::Deadline(context.snapshot.timeouts.total));
            }
            let (lease, budgeted) = match self.next_lease(context, progress).await? {
                NextLease::Leased(lease, budgeted) => (lease, budgeted),
                NextLease::None(unavailable) => return Ok(Round::Exhausted(unavailable)),
            };
            let credential = Arc::clone(lease.credential());
            let slot = lease.slot();
            progress.begin_attempt(&credential, slot);
            let tried = match self.attempt(context, lease, progress).await {
                Err(AttemptError::NeedsRefresh(stale)) => {
                    self.retry_after_refresh(context, *stale, progress).await
                }
                tried => tried,
            };
            let failure = match tried {
                Ok(response) => {
                    budgeted.served();
                    return Ok(Round::Completed(response));
                }
                Err(AttemptError::Fatal(error)) => return Err(*error),
                Err(AttemptError::Upstream(failure)) => failure,
                Err(AttemptError::Incompatible(error)) => {
                    progress.take_back(slot);
                    progress.add_incompatible(slot, error);
                    if self.no_other_executor(context, progress) {
                        return Ok(Round::Exhausted(None));
                    }
                    continue;
                }
                // Tokens are refreshed once for each credential, and signatures are removed once: this failure is
                // final.
                Err(AttemptError::NeedsRefresh(stale) | AttemptError::SignaturesRefused(stale)) => {
                    stale.fail(context)
                }
            };
            if failure.failure.scope == Scope::Request {
                return Err(CallError::Upstream(failure));
            }
            if is_outage(failure.failure.scope) {
                budgeted.failed();
            }
            if self.cools(context, slot, &failure.failure) {
                progress.record_cooldown(slot);
            }
            progress.record_failure(&credential.provider, slot, failure);
        }
    }

    /// Leases the next credential of the round that its provider's retry budget allows.
    async fn next_lease(
        &self,
        context: &Arc<CallContext>,
        progress: &mut Progress,
    ) -> Result<NextLease<'_>, CallError> {
        let limit = context.snapshot.retry.max_credentials;
        let rounds = self.rounds(context);
        loop {
            if progress.is_full(limit, rounds) {
                return Ok(NextLease::None(self.untried(context, progress).err()));
            }
            let excluded = progress.excluded();
            let query = PickQuery {
                tried: &excluded,
                round: progress.round,
                attempt: progress.attempts,
                failed: &progress.unattributed,
                only: progress.repeated.or(context.pinned),
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
                    return Ok(NextLease::None(Some(unavailable)));
                }
                Err(PickError::Fatal(error)) => return Err(error),
            };
            if let Some(budgeted) = self.budget_attempt(context, progress, &lease).await {
                return Ok(NextLease::Leased(lease, budgeted));
            }
            self.refuse_provider(context, progress, &lease);
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
        let query = CandidateQuery {
            failed: &progress.unattributed,
            ..context.query()
        };
        let lease = wait_for_token(self.auth(), context, &query, lease).await?;
        let context = &self.with_current_snapshot(context, &lease);
        let number = progress.attempts;
        let (excluded, round) = (progress.excluded().into_owned(), progress.round);
        let limit = context.snapshot.retry.max_credentials;
        let may_try_others = !progress.is_full(limit, self.rounds(context));
        let others = || may_try_others && self.picker.has_candidate(context, &excluded, round);
        let terms = AttemptTerms {
            number,
            may_refresh,
            others: &others,
        };
        let cache = &mut progress.translations;
        let prepared = Prepared::negotiate(context, cache, lease, terms).await?;
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
    /// about the account. If the refresh fails, the attempt's failure counts;
    /// if it is only too early for one, the credential is unavailable until then.
    async fn retry_after_refresh(
        &self,
        context: &Arc<CallContext>,
        mut stale: StaleAttempt,
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
            let now = self.clock.now();
            if !stale.lease.is_probe()
                && let Some(failure) = until_refresh(&stale.failure.failure, &error, now)
            {
                stale.failure = failure;
            }
            return Err(AttemptError::Upstream(stale.fail(context)));
        }
        progress.refreshed.push(slot);
        let now = self.clock.now();
        let StaleAttempt { lease, failure } = stale;
        // Before the next lease: the old one still occupies the credential's capacity.
        context.end_attempt(lease, Outcome::Inconclusive, None);
        let query = CandidateQuery {
            failed: &progress.unattributed,
            ..context.query()
        };
        match self.auth().lease_again(slot, &query, now) {
            Ok(lease) => self.attempt(context, lease, progress).await,
            Err(_) => Err(AttemptError::Upstream(Box::new(failure))),
        }
    }
}

/// The fallback models of the call, in order. The context has the model that the client requested.
fn fallbacks(context: &CallContext) -> &[Fallback] {
    // A pinned call is about one credential with one model.
    if context.pinned.is_some() {
        return &[];
    }
    let all = &context.snapshot.routing.fallbacks;
    let exact = all.get(&context.model);
    let chain = exact.or_else(|| all.get(split_suffix(&context.model).0));
    chain.map(Vec::as_slice).unwrap_or_default()
}

/// How a round ended.
enum Round {
    Completed(ClientResponse),
    /// `None` if credentials are left, but the call may not try them in this round.
    Exhausted(Option<Unavailable>),
}

/// The next attempt of a round.
enum NextLease<'a> {
    Leased(Lease, BudgetedAttempt<'a>),
    /// There is none; see [`Round::Exhausted`].
    None(Option<Unavailable>),
}
