//! The dispatcher: rounds over the pool, up to the first success, a failure that nothing can mend,
//! or the call's deadline.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use jackfield_auth::AuthManager;
use jackfield_credential::{Ask, Scope, Slot, Unfit};
use tokio::time::{Instant, sleep, timeout_at};

use crate::attempt::{Attempt, Course, Missed};
use crate::call::{Answer, Call};
use crate::choose::{Chooser, Unchosen};
use crate::clock::Clock;
use crate::error::{CallError, UpstreamFailure};
use crate::port::Upstream;
use crate::snapshot::Snapshot;

/// Carries out calls.
pub struct Dispatcher {
    snapshot: Arc<ArcSwap<Snapshot>>,
    chooser: Chooser,
    upstream: Arc<dyn Upstream>,
    clock: Clock,
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

/// How far a call has come.
#[derive(Default)]
struct Progress {
    attempts: u32,
    tried: Vec<Slot>,
    last: Option<Box<UpstreamFailure>>,
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

    /// How often a selector failed and the first candidate was taken instead.
    pub fn selector_faults(&self) -> u64 {
        self.chooser.selector_faults()
    }

    /// When a call that begins now must be over.
    pub fn deadline(&self) -> Instant {
        Instant::now() + self.snapshot.load().timeouts.total
    }

    /// Carries out a call up to its commit: from then on its answer is pulled. Dropping the future,
    /// or the answer, cancels it.
    ///
    /// # Errors
    /// Why there is no answer, by who must act.
    pub async fn call(&self, call: Call) -> Result<Answer, CallError> {
        let deadline = call.deadline;
        let course = Arc::new(Course {
            call,
            snapshot: self.snapshot.load_full(),
            clock: self.clock.clone(),
            upstream: Arc::clone(&self.upstream),
        });
        match timeout_at(deadline, self.rounds(&course)).await {
            Ok(result) => result,
            Err(_) => Err(CallError::Deadline(course.snapshot.timeouts.total)),
        }
    }

    async fn rounds(&self, course: &Arc<Course>) -> Result<Answer, CallError> {
        let mut progress = Progress::default();
        let mut round = 1;
        loop {
            let unfit = match self.round(course, &mut progress).await? {
                Round::Answered(answer) => return Ok(answer),
                Round::Exhausted(unfit) => unfit,
            };
            let again = (round < course.snapshot.retry.rounds).then(|| self.next_round(course));
            let Some(wait) = again.flatten() else {
                return Err(self.exhausted(course, progress.last, unfit));
            };
            tracing::debug!(call = %course.call.id, round, wait_ms = wait.as_millis(), "round over");
            sleep(wait).await;
            progress.tried.clear();
            round += 1;
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
            let chosen = self
                .chooser
                .choose(course, &progress.tried, progress.attempts)
                .await;
            let lease = match chosen {
                Ok(lease) => lease,
                Err(Unchosen::Unfit(unfit)) => return Ok(Round::Exhausted(Some(unfit))),
                Err(Unchosen::Fatal(error)) => return Err(error),
            };
            progress.tried.push(lease.slot());
            let attempt = Attempt::new(course, lease, progress.attempts)?;
            progress.attempts += 1;
            match Box::pin(attempt.run()).await {
                Ok(answer) => return Ok(Round::Answered(answer)),
                Err(Missed::Fatal(error)) => return Err(*error),
                Err(Missed::Failed(failure)) if failure.failure.scope == Scope::Request => {
                    return Err(CallError::Upstream(failure));
                }
                Err(Missed::Failed(failure)) => progress.last = Some(failure),
            }
        }
    }

    /// How long until another round is worth while: when a cooldown ends soon enough. Failures
    /// that cool nothing are not tried again, for nothing would have changed.
    fn next_round(&self, course: &Course) -> Option<Duration> {
        let now = self.clock.now();
        let retry_at = match self.auth().candidates(&Ask::first(&course.call.model), now) {
            Ok(_) => return None,
            Err(unfit) => unfit.retry_at()?,
        };
        let wait = retry_at.saturating_since(now);
        let in_time =
            wait <= course.snapshot.retry.max_wait && Instant::now() + wait < course.call.deadline;
        in_time.then_some(wait)
    }

    fn exhausted(
        &self,
        course: &Course,
        last: Option<Box<UpstreamFailure>>,
        unfit: Option<Unfit>,
    ) -> CallError {
        if let Some(failure) = last {
            return CallError::Upstream(failure);
        }
        let model = course.call.model.as_ref().to_owned();
        match unfit {
            None | Some(Unfit::UnknownModel) => CallError::UnknownModel(model),
            Some(unfit) => {
                let now = self.clock.now();
                let retry_after = unfit.retry_at().map(|at| at.saturating_since(now));
                CallError::Unfit {
                    model,
                    unfit,
                    retry_after,
                }
            }
        }
    }
}

enum Round {
    Answered(Answer),
    Exhausted(Option<Unfit>),
}
