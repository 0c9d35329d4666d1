//! The dispatcher: rounds over the pool, up to the first success, a failure that nothing can mend,
//! or the call's deadline.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use http::HeaderMap;
use jackfield_auth::{AuthManager, Lease};
use jackfield_credential::{CandidateQuery, Outcome, Scope, Unavailable, split_suffix};
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, timeout_at};

use crate::affinity;
use crate::attempt::{Attempt, Missed, Stale};
use crate::budgets::Budgets;
use crate::call::{Answer, AnswerBody, Call, Operation};
use crate::choose::{Asked, Chooser, Unchosen};
use crate::clock::Clock;
use crate::count;
use crate::course::Course;
use crate::error::{CallError, UpstreamFailure};
use crate::fallback::{Fallback, because};
use crate::journal::{Counts, Ended, Journal, Step, Waited, millis};
use crate::limits::{ESTIMATES_MAX, ROUND_JITTER_MAX, UNTOLD_MAX};
use crate::port::Upstream;
use crate::progress::Progress;
use crate::snapshot::Snapshot;

/// Carries out calls.
pub struct Dispatcher {
    snapshot: Arc<ArcSwap<Snapshot>>,
    chooser: Chooser,
    pub(crate) upstream: Arc<dyn Upstream>,
    clock: Clock,
    budgets: Budgets,
    journal: Journal,
    /// The turns of those who count tokens.
    estimates: Arc<Semaphore>,
}

/// What a dispatcher is made of.
pub struct DispatcherParts {
    /// What calls begin with; whoever holds it may store a new one at any time.
    pub snapshot: Arc<ArcSwap<Snapshot>>,
    /// The credentials.
    pub auth: AuthManager,
    /// Sends requests.
    pub upstream: Arc<dyn Upstream>,
    /// Tells the time; the same that the auth manager has.
    pub clock: Clock,
}

impl Dispatcher {
    /// A dispatcher of these parts.
    pub fn new(parts: DispatcherParts) -> Self {
        let DispatcherParts {
            snapshot,
            auth,
            upstream,
            clock,
        } = parts;
        Self {
            snapshot,
            chooser: Chooser::new(auth),
            upstream,
            clock,
            budgets: Budgets::default(),
            journal: Journal::default(),
            estimates: Arc::new(Semaphore::new(ESTIMATES_MAX)),
        }
    }

    /// The credentials.
    pub fn auth(&self) -> &AuthManager {
        self.chooser.auth()
    }

    /// What a call would begin with now.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.snapshot.load_full()
    }

    /// The clock that cooldowns are counted by.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// What was decided of the last calls.
    pub fn journal(&self) -> &Journal {
        &self.journal
    }

    /// How often a selector failed and the first candidate was taken instead.
    pub fn selector_faults(&self) -> u64 {
        self.chooser.selector_faults()
    }

    /// When a call that begins now must be over.
    pub fn deadline(&self) -> Instant {
        Instant::now() + self.snapshot.load().timeouts.total
    }

    /// What calls of one session have in common, by the routing's places for it: 53 bits, the same
    /// after every restart. None where the call names no session.
    pub fn affinity(&self, headers: &HeaderMap, body: &[u8], principal: &str) -> Option<u64> {
        let told = affinity::Told {
            headers,
            body,
            principal,
        };
        affinity::of(&self.snapshot.load().routing.affinity, &told)
    }

    /// Carries out a call up to its commit: from then on its answer is pulled. Dropping the future,
    /// or the answer, cancels it.
    ///
    /// # Errors
    /// Why there is no answer, by who must act.
    pub async fn call(&self, call: Call) -> Result<Answer, CallError> {
        let deadline = call.deadline;
        let trace = Arc::new(self.journal.begin(&call, &self.clock));
        let course = Arc::new(Course {
            model: Arc::clone(&call.model),
            call,
            snapshot: self.snapshot.load_full(),
            clock: self.clock.clone(),
            upstream: Arc::clone(&self.upstream),
            trace,
            translations: Arc::default(),
        });
        let result = match timeout_at(deadline, self.models(&course)).await {
            Ok(Err(error)) => self.counted_here(error, &course).await,
            Ok(answered) => answered,
            Err(_) => Err(CallError::Deadline(course.snapshot.timeouts.total)),
        };
        match &result {
            Ok(answer) if matches!(answer.body, AnswerBody::Whole(_)) => {
                course.trace.end(Ended::Answered);
            }
            // A stream ends by its exchange.
            Ok(_) => {}
            Err(error) => course.trace.end(Ended::failed(
                error.code().unwrap_or(error.label()),
                &error.to_string(),
            )),
        }
        result
    }

    /// Where no provider counted the tokens, the host does. One that has to wait for its turn for longer
    /// than the call may take gets the error.
    async fn counted_here(
        &self,
        error: CallError,
        course: &Arc<Course>,
    ) -> Result<Answer, CallError> {
        if !count::is_replaced(&error, course) {
            return Err(error);
        }
        let turn = Arc::clone(&self.estimates).acquire_owned();
        let turn = timeout_at(course.call.deadline, turn);
        match turn.await {
            Ok(Ok(turn)) => count::in_place_of(error, course, turn).await,
            Ok(Err(_)) | Err(_) => Err(error),
        }
    }

    /// Tries the model that was asked for, and after it those that take its place.
    async fn models(&self, course: &Arc<Course>) -> Result<Answer, CallError> {
        let mut progress = Progress::new();
        let mut result = self.rounds(course, &mut progress).await;
        for fallback in fallbacks(course) {
            let error = match &result {
                Err(error) if fallback.serves(error) => error,
                Err(_) => continue,
                Ok(_) => break,
            };
            course.trace.step(Step::Fallback {
                to: Arc::clone(&fallback.model),
                because: because(error),
            });
            progress.next_model();
            let course = Arc::new(course.with_model(&fallback.model));
            result = self.rounds(&course, &mut progress).await;
        }
        result
    }

    async fn rounds(
        &self,
        course: &Arc<Course>,
        progress: &mut Progress,
    ) -> Result<Answer, CallError> {
        loop {
            let unfit = match self.round(course, progress).await? {
                Round::Answered(answer) => return Ok(answer),
                Round::Exhausted(unfit) => unfit,
            };
            let Some(wait) = self.next_round(course, progress) else {
                return Err(self.exhausted(course, progress, unfit));
            };
            let round = progress.round;
            tracing::debug!(call = %course.call.id, round, wait_ms = wait.as_millis(), "round over");
            course.trace.step(Step::Wait {
                what: Waited::Cooldown,
                ms: millis(wait),
            });
            sleep(wait).await;
            progress.next_round();
        }
    }

    /// Tries untried credentials until one answers or none is left.
    async fn round(
        &self,
        course: &Arc<Course>,
        progress: &mut Progress,
    ) -> Result<Round, CallError> {
        let most = course.snapshot.retry.max_credentials as usize;
        loop {
            // An attempt may fail at the very deadline; no other begins after it.
            if course.call.deadline <= Instant::now() {
                return Err(CallError::Deadline(course.snapshot.timeouts.total));
            }
            if most != 0 && progress.tried.len() >= most {
                return Ok(Round::Exhausted(None));
            }
            let passed_over = progress.passed_over();
            let asked = Asked {
                tried: &passed_over,
                round: progress.round,
                attempt: progress.attempts,
            };
            let lease = match self.chooser.choose(course, &asked).await {
                Ok(lease) => lease,
                Err(Unchosen::Unfit(unfit)) => {
                    course.trace.step(Step::Unfit {
                        round: progress.round,
                        reasons: unfit
                            .reasons()
                            .map(|reasons| Counts::of(&reasons, self.clock.now())),
                    });
                    return Ok(Round::Exhausted(Some(unfit)));
                }
                Err(Unchosen::Fatal(error)) => return Err(error),
            };
            if !self.affords(course, progress, &lease) {
                return Ok(Round::Exhausted(None));
            }
            let slot = lease.slot();
            progress.tried.push(slot);
            let tried = match self.attempt(course, lease, progress).await {
                Err(Missed::Stale(stale)) => self.renewed(course, *stale, progress).await,
                tried => tried,
            };
            let failure = match tried {
                Ok(answer) => return Ok(Round::Answered(answer)),
                Err(Missed::Fatal(error)) => return Err(*error),
                Err(Missed::Failed(failure)) => failure,
                Err(Missed::Untold(error)) => {
                    progress.tried.pop();
                    progress.untold_by(slot, error);
                    if self.nobody_else(course, progress) {
                        return Ok(Round::Exhausted(None));
                    }
                    continue;
                }
                // Tokens are renewed once a credential.
                Err(Missed::Stale(stale)) => settled(course, *stale),
            };
            if failure.failure.scope == Scope::Request {
                return Err(CallError::Upstream(failure));
            }
            progress.failed(failure);
        }
    }

    /// Whether it is no use to look for a credential whose executor can be told the call: those of one
    /// provider are alike.
    fn nobody_else(&self, course: &Course, progress: &Progress) -> bool {
        progress.untold.len() >= UNTOLD_MAX || self.auth().only_provider(&course.model).is_some()
    }

    async fn attempt(
        &self,
        course: &Arc<Course>,
        lease: Lease,
        progress: &mut Progress,
    ) -> Result<Answer, Missed> {
        let may_refresh = !progress.renewed.contains(&lease.slot());
        let course = &self.suited(course, &lease);
        let attempt = Attempt::new(course, lease, progress.attempts, may_refresh).await?;
        progress.attempts += 1;
        Box::pin(attempt.run()).await
    }

    /// The course, on which this credential's provider is as the credential has it: an attempt that
    /// begins after the configuration was replaced goes by the new one. The snapshot of a configuration
    /// is there before any lease of it can be had.
    fn suited(&self, course: &Arc<Course>, lease: &Lease) -> Arc<Course> {
        if lease.configuration() == course.snapshot.configuration {
            return Arc::clone(course);
        }
        Arc::new(course.with_snapshot(self.snapshot.load_full()))
    }

    /// Renews a credential's tokens and tries it once more: a token that ended early is not the
    /// account's fault. Where there are no new ones, the failure counts.
    async fn renewed(
        &self,
        course: &Arc<Course>,
        stale: Stale,
        progress: &mut Progress,
    ) -> Result<Answer, Missed> {
        let Stale { lease, failure } = stale;
        let (slot, id) = (lease.slot(), lease.credential().id.clone());
        progress.renewed.push(slot);
        let renewed = self.auth().refresh(&id, lease.token_version()).await;
        course.trace.step(Step::Refresh {
            credential: Arc::from(id.as_str()),
            error: renewed.as_ref().err().map(ToString::to_string),
        });
        if let Err(error) = renewed {
            tracing::debug!(call = %course.call.id, credential = %id, %error, "no new tokens");
            return Err(Missed::Failed(settled(course, Stale { lease, failure })));
        }
        let now = self.clock.now();
        course.settle(lease, Outcome::Inconclusive, None);
        match self.auth().lease_again(slot, &course.model, now) {
            Ok(lease) => self.attempt(course, lease, progress).await,
            Err(_) => Err(Missed::Failed(Box::new(failure))),
        }
    }

    /// Whether the provider's budget allows this attempt. First ones always go; further ones count
    /// only where the failure before was not the credential's own, for those cool.
    fn affords(&self, course: &Course, progress: &Progress, lease: &Lease) -> bool {
        let policy = &course.snapshot.retry.budget;
        let now = self.clock.now();
        let provider = &lease.credential().provider;
        if progress.attempts == 0 {
            self.budgets.first(provider, policy, now);
            return true;
        }
        if !progress.amplifies() || self.budgets.further(provider, policy, now) {
            return true;
        }
        tracing::warn!(call = %course.call.id, %provider, "the retry budget is used up");
        course.trace.step(Step::BudgetSpent {
            provider: Arc::from(provider.as_str()),
        });
        false
    }

    /// How long until another round is worth while: when a cooldown ends soon enough. Failures
    /// that cool nothing are not tried again, for nothing would have changed; but where there was one
    /// attempt and the way failed, there is one more, or a reset connection would fail every call
    /// that has one credential.
    fn next_round(&self, course: &Course, progress: &Progress) -> Option<Duration> {
        let retry = &course.snapshot.retry;
        // The host's own count is better now than a provider's later.
        if course.call.operation == Operation::CountTokens {
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
        let ask = CandidateQuery {
            tried: &progress.untold,
            round: progress.round + 1,
            rounds: retry.rounds,
            ..CandidateQuery::first_round(&course.model)
        };
        let retry_at = match self.auth().candidates(&ask, now) {
            Ok(_) => return None,
            Err(unfit) => unfit.retry_at()?,
        };
        let wait = self.drawn_out(retry_at.saturating_since(now), retry.max_wait);
        let in_time = wait <= retry.max_wait && Instant::now() + wait < course.call.deadline;
        in_time.then_some(wait)
    }

    /// A wait, longer by up to a quarter of it, so that calls that failed together part; but not
    /// longer than the longest, if it was not before.
    fn drawn_out(&self, wait: Duration, longest: Duration) -> Duration {
        let most = (wait / 4).min(ROUND_JITTER_MAX);
        let permille = u32::try_from(self.chooser.random() % 1001).unwrap_or(0);
        (wait + most * permille / 1000).min(longest.max(wait))
    }

    fn exhausted(
        &self,
        course: &Course,
        progress: &mut Progress,
        unfit: Option<Unavailable>,
    ) -> CallError {
        if let Some(failure) = progress.last.take() {
            return CallError::Upstream(failure);
        }
        if let Some(error) = progress.untold_because.take()
            && unfit.as_ref().is_none_or(Unavailable::all_tried)
        {
            return *error;
        }
        let model = course.model.as_ref().to_owned();
        match unfit {
            None | Some(Unavailable::UnknownModel) => CallError::UnknownModel(model),
            Some(unfit) => {
                let now = self.clock.now();
                let retry_after = unfit.retry_at().map(|at| at.saturating_since(now));
                CallError::Unfit {
                    provider: self
                        .auth()
                        .only_provider(&model)
                        .map(|name| name.to_string()),
                    model,
                    unfit,
                    retry_after,
                }
            }
        }
    }
}

/// What takes the place of the call's model, in order.
fn fallbacks(course: &Course) -> &[Fallback] {
    let all = &course.snapshot.routing.fallbacks;
    let exact = all.get(&course.call.model);
    let chain = exact.or_else(|| all.get(split_suffix(&course.call.model).0));
    chain.map(Vec::as_slice).unwrap_or_default()
}

/// Settles a lease whose tokens were not renewed.
fn settled(course: &Course, stale: Stale) -> Box<UpstreamFailure> {
    let Stale { lease, failure } = stale;
    course.settle(lease, Outcome::Failed(failure.failure.clone()), None);
    Box::new(failure)
}

enum Round {
    Answered(Answer),
    Exhausted(Option<Unavailable>),
}
