//! The decisions of the dispatcher's loops: whether another attempt or another round begins. It sends
//! nothing.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use jackfield_auth::{CandidateSet, Lease};
use jackfield_credential::{
    CandidateQuery, CoolingClass, Failure, Reasons, Slot, Timestamp, Unavailable,
};
use tokio::sync::futures::Notified;
use tokio::time::{Instant, sleep};

use super::Dispatcher;
use crate::call::Operation;
use crate::call_log::{Step, WaitReason, millis};
use crate::context::CallContext;
use crate::error::class_of;
use crate::limits::ROUND_JITTER_MAX;
use crate::progress::{AttemptKind, Progress};
use crate::provider_budgets::{BudgetedAttempt, Retried};

/// What follows after a round without a response.
pub(super) enum NextRound {
    /// A round after this wait.
    After(Duration),
    /// The call ends.
    Never,
    /// The only credential is tried once more in this round.
    Repeat(Slot),
}

impl Dispatcher {
    /// Returns what follows when no untried credential is left that is available: a wait for the cooldown that
    /// ends first, if that is soon enough.
    ///
    /// If that is the one of a credential that failed in this call, another round begins then: each is tried once
    /// in each of its rounds. If it is one of another credential, which may be tried then or has its trial, the
    /// round goes on: a credential that works is not missed because others used up the rounds. All waits of the
    /// call are no longer than `retry.max-wait`. Failures without
    /// a cooldown are not tried again, because nothing has changed. The exception is a transport error of the only
    /// attempt: without one more attempt, each reset connection would fail a call that has one credential.
    pub(super) fn next_round(
        &self,
        context: &CallContext,
        progress: &Progress,
        unavailable: Option<&Unavailable>,
    ) -> NextRound {
        // The host can estimate at once, which is better than a provider's count after a wait.
        if context.call.operation == Operation::CountTokens {
            return NextRound::Never;
        }
        let retry = &context.snapshot.retry;
        if let [only] = progress.tried[..]
            && progress.round == 1
            && !progress.has_repeated
            // Not while another one cools that may be tried soon.
            && unavailable.is_some_and(Unavailable::all_tried)
            && progress.only_transport
            && progress.last.is_some()
        {
            return NextRound::Repeat(only);
        }
        let rounds = self.rounds(context);
        if rounds <= 1 {
            return NextRound::Never;
        }
        let now = self.clock().now();
        let left = retry.max_wait.saturating_sub(progress.waited);
        let tried = match progress.is_spent(retry.max_credentials, rounds) {
            true => None,
            false => self.tried_available_at(context, progress, now),
        };
        let tried = tried.map(|at| self.with_jitter(at.saturating_since(now), left));
        let untried = match progress.is_full(retry.max_credentials, rounds) {
            true => None,
            false => self.untried_available_at(context, progress, unavailable, now),
        };
        let untried = untried.map(|wait| wait.max(WAIT_MIN));
        let wait = tried.into_iter().chain(untried).min();
        let in_time =
            wait.filter(|&wait| wait <= left && Instant::now() + wait < context.call.deadline);
        in_time.map_or(NextRound::Never, NextRound::After)
    }

    /// Returns the number of rounds of the call.
    pub(super) fn rounds(&self, context: &CallContext) -> u32 {
        match context.pinned {
            // The operator wants to see what this credential does now.
            Some(_) => 1,
            None => {
                let rounds = context.snapshot.retry.rounds;
                rounds.max(self.auth().rounds_max().unwrap_or(0))
            }
        }
    }

    /// Returns when the first of the credentials is available that cool since they failed in this call.
    fn tried_available_at(
        &self,
        context: &CallContext,
        progress: &Progress,
        now: Timestamp,
    ) -> Option<Timestamp> {
        let cooled = progress.cooled_for_next_round(context.snapshot.retry.rounds);
        let available_at = |slot| self.auth().available_at(slot, &context.query(), now);
        cooled.filter_map(available_at).min()
    }

    /// Returns the wait until the first of the credentials may be tried that the call has not tried. Only the
    /// end of a limit has jitter: at the end of a guess, requests that no provider accepts would otherwise come
    /// before the others, and prolong it.
    fn untried_available_at(
        &self,
        context: &CallContext,
        progress: &Progress,
        unavailable: Option<&Unavailable>,
        now: Timestamp,
    ) -> Option<Duration> {
        let excluded = progress.excluded();
        let query = CandidateQuery {
            tried: &excluded,
            round: (progress.round + 1).min(self.rounds(context)),
            failed: &progress.unattributed,
            ..context.query()
        };
        match self.auth().candidates(&query, now) {
            // It became possible meanwhile to try one that cools.
            Ok(candidates) if candidates.is_trial() => Some(Duration::ZERO),
            // One became available meanwhile, unless the call ended its round before it came to these.
            Ok(_) => unavailable.map(|_| Duration::ZERO),
            Err(unavailable) => {
                let reasons = unavailable.reasons()?;
                let longest = context.snapshot.retry.max_wait;
                let left = longest.saturating_sub(progress.waited);
                let available = first_worth_waiting(&reasons, now).map(|(at, class)| {
                    let wait = at.saturating_since(now);
                    match class {
                        CoolingClass::Limit => self.with_jitter(wait, left),
                        _ => wait,
                    }
                });
                // The trial of another call may be served, and then this one as well.
                let trial = reasons
                    .times
                    .trial_until
                    .map(|until| until.saturating_since(now));
                let trial = trial.filter(|_| available.is_none_or(|wait| wait > left));
                trial.map(|wait| wait.min(left)).or(available)
            }
        }
    }

    /// Waits before the next round. If a cooldown changes meanwhile, which `changed` reports, the wait is as long as
    /// it follows from the change: the trial that the call waits for may have ended early.
    pub(super) async fn wait_for_cooldown<'a>(
        &'a self,
        context: &CallContext,
        progress: &mut Progress,
        unavailable: Option<&Unavailable>,
        mut wait: Duration,
        mut changed: Pin<&mut Notified<'a>>,
    ) {
        let began = Instant::now();
        loop {
            let part = Instant::now();
            let is_over = tokio::select! {
                biased;
                () = sleep(wait) => true,
                () = changed.as_mut() => false,
            };
            progress.waited += part.elapsed();
            if is_over {
                break;
            }
            changed.set(self.auth().cooldown_changed());
            match self.next_round(context, progress, unavailable) {
                NextRound::After(left) if left > WAIT_MIN => wait = left,
                // The loop of the rounds finds out what is possible now, or that the call ends.
                NextRound::After(_) | NextRound::Never | NextRound::Repeat(_) => break,
            }
        }
        context.trace.step(Step::Wait {
            reason: WaitReason::Cooldown,
            ms: millis(began.elapsed()),
        });
    }

    /// Goes on after a wait, with a further round if a credential is available again that was tried.
    pub(super) fn go_on(&self, context: &CallContext, progress: &mut Progress) {
        let now = self.clock().now();
        let rounds = context.snapshot.retry.rounds;
        progress.go_on(rounds, self.rounds(context), |slot| {
            let available_at = self.auth().available_at(slot, &context.query(), now);
            available_at.is_some_and(|at| at <= now)
        });
    }

    /// Adds up to a quarter to a wait, so that calls that failed at the same time do not retry at the same
    /// time. The jitter does not extend the wait beyond `longest`.
    fn with_jitter(&self, wait: Duration, longest: Duration) -> Duration {
        let jitter_max = (wait / 4).min(ROUND_JITTER_MAX);
        let jitter = jitter_max * self.random.u32(0..=1000) / 1000;
        (wait + jitter).min(longest.max(wait))
    }

    /// Whether a credential cools since this failure, so that another round is of use. It is of none after
    /// an answer that the provider would only repeat: it refuses the credential or lacks the model.
    pub(super) fn cools(&self, context: &CallContext, slot: Slot, failure: &Failure) -> bool {
        match class_of(failure) {
            // Nothing was sent: the token had ended, and is refreshed again soon.
            CoolingClass::Refused if !failure.sent => {}
            CoolingClass::Billing | CoolingClass::Missing | CoolingClass::Refused => return false,
            CoolingClass::Limit | CoolingClass::Outage | CoolingClass::Overload => {}
        }
        let now = self.clock().now();
        let available_at = self.auth().available_at(slot, &context.query(), now);
        available_at.is_some_and(|at| at > now)
    }

    /// Returns the available credentials that the round has not tried.
    pub(super) fn untried(
        &self,
        context: &CallContext,
        progress: &Progress,
    ) -> Result<CandidateSet, Unavailable> {
        let excluded = progress.excluded();
        let query = CandidateQuery {
            tried: &excluded,
            round: progress.round,
            failed: &progress.unattributed,
            ..context.query()
        };
        self.auth().candidates(&query, self.clock().now())
    }

    /// Begins an attempt, if the retry budget of its provider allows it. Probes and trials are always
    /// allowed: the pool limits their number.
    pub(super) async fn budget_attempt(
        &self,
        context: &CallContext,
        progress: &Progress,
        lease: &Lease,
    ) -> Option<BudgetedAttempt<'_>> {
        let policy = &context.snapshot.retry.budget;
        let provider = &lease.credential().provider;
        let kind = progress.kind_of_attempt(provider, lease.slot());
        let retried = match kind {
            AttemptKind::First | AttemptKind::Harmless => None,
            AttemptKind::OtherCredential => Some(Retried::OtherCredential),
            AttemptKind::SameCredential => Some(Retried::SameCredential),
        };
        match retried.filter(|_| !lease.is_probe()) {
            Some(retried) => self.budgets.begin_further(provider, policy, retried).await,
            None => {
                let first = kind == AttemptKind::First;
                Some(self.budgets.begin_free(provider, policy, first))
            }
        }
    }

    /// Excludes the credentials of a provider from the round, because its retry budget is used up. Other
    /// providers may still be tried.
    pub(super) fn refuse_provider(
        &self,
        context: &CallContext,
        progress: &mut Progress,
        lease: &Lease,
    ) {
        let provider = &lease.credential().provider;
        tracing::warn!(call = %context.call.id, %provider, "retry budget used up");
        context.trace.step(Step::BudgetExhausted {
            provider: Arc::from(provider.as_str()),
        });
        progress.refused.push(lease.slot());
        // One pass for each priority that has credentials of the provider only.
        while let Ok(candidates) = self.untried(context, progress) {
            let is_refused = |index: &usize| {
                let credential = candidates.credential(*index);
                credential.is_some_and(|credential| credential.provider == *provider)
            };
            let refused = (0..candidates.len()).filter(is_refused);
            let refused: Vec<Slot> = refused.filter_map(|index| candidates.slot(index)).collect();
            let others = refused.len() < candidates.len();
            progress.refused.extend(refused);
            if others {
                return;
            }
        }
    }
}

/// Returns when the first credential that the round did not try may be tried, with the class of its window. `None` if
/// the call should wait for none: an account has no credit, or the first moment of a refusal is over.
fn first_worth_waiting(reasons: &Reasons, now: Timestamp) -> Option<(Timestamp, CoolingClass)> {
    let is_worth = |at: Timestamp, class| match class {
        CoolingClass::Billing => false,
        CoolingClass::Missing | CoolingClass::Refused => {
            at.saturating_since(now) <= REFUSAL_WAIT_MAX
        }
        CoolingClass::Limit | CoolingClass::Outage | CoolingClass::Overload => true,
    };
    let first = reasons
        .times
        .first_by_class
        .iter()
        .map(|(&class, &at)| (at, class));
    first.filter(|&(at, class)| is_worth(at, class)).min()
}

/// The shortest wait for a credential that cools: another call may take the trial that this one waits for, and would
/// otherwise be overtaken in a busy loop.
const WAIT_MIN: Duration = Duration::from_millis(50);

/// The longest wait for a credential that is refused or lacks the model: the first guess of their cooldowns, which
/// is also how long the turn of another client at a trial lasts, and the second between two trials with a margin. A
/// refusal that lasts longer is probably true, and waiting calls would only hide it.
const REFUSAL_WAIT_MAX: Duration = Duration::from_secs(7);
