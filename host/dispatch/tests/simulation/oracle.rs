//! The oracle: which credentials may not be called, and until when, derived from the outcomes of
//! attempts and not from the pool.

use jackfield_auth::{AttemptEvent, Event, EventKind, Hook, RefreshEvent};
use jackfield_credential::{Failure, Outcome, Scope};

use super::windows::{Cooldown, Windows};
use super::world::{Account, World};

impl Hook for World {
    fn on_event(&self, event: &Event) {
        let id = event.credential.as_str();
        match &event.kind {
            EventKind::Attempt(note) => {
                let model = note.model.as_str();
                let model = model.strip_prefix("up-").unwrap().parse().unwrap();
                self.log(&format!(
                    "result of {id} for {model}: {}",
                    describe(&note.outcome)
                ));
                self.lock().results += 1;
                self.apply_result(id, model, note, World::millis(event.at));
            }
            EventKind::Refresh(note) => {
                self.log(&format!("refresh of {id}: {note:?}"));
                if let RefreshEvent::Refreshed(_) = note
                    && let Some(account) = self.lock().accounts.get_mut(id)
                {
                    account.windows.entry(None).or_default().renew();
                }
            }
            EventKind::Health(change) => {
                let to = change.to.availability(event.at);
                self.log(&format!(
                    "health of {id} {:?} {:?}: {to:?}",
                    change.place, change.model
                ));
            }
            EventKind::Registered | EventKind::Updated | EventKind::Removed => {
                self.log(&format!("{} {id}", event.kind.label()));
            }
        }
    }
}

impl World {
    /// Records that a request is served: its first content has been sent, long before its result
    /// is known. That may refute a guess, even one that came after the request began.
    pub(super) fn note_content(&self, id: &str, incarnation: u64, model: usize) {
        let mut state = self.lock();
        let account = state.accounts.get_mut(id);
        let Some(account) = account.filter(|account| account.incarnation == incarnation) else {
            return;
        };
        for of in [None, Some(model)] {
            account.windows.entry(of).or_default().serve();
        }
    }

    fn apply_result(&self, id: &str, model: usize, result: &AttemptEvent, at: u64) {
        let mut state = self.lock();
        let all_waived = state.cooling_disabled;
        let Some(account) = state.accounts.get_mut(id) else {
            return;
        };
        let began = Self::millis(result.began);
        if began < account.added_at {
            return;
        }
        match &result.outcome {
            Outcome::Success => {
                for of in [None, Some(model)] {
                    account.windows.entry(of).or_default().succeed(began);
                }
            }
            Outcome::Failed(failure) => {
                let waived = account.cooling_disabled.unwrap_or(all_waived);
                let of = (failure.scope != Scope::Credential).then_some(model);
                // A model that it does not serve has no state.
                if of.is_none_or(|model| account.models.contains(&model))
                    && let Some(cooldown) = Cooldown::of(failure, waived)
                {
                    account
                        .windows
                        .entry(of)
                        .or_default()
                        .fail(began, at, cooldown);
                }
            }
            Outcome::Cancelled | Outcome::Inconclusive => {}
        }
    }
}

impl Account {
    /// Records that the operator did something after which one attempt may be made at once.
    pub(super) fn allow_attempts(&mut self) {
        self.windows.values_mut().for_each(Windows::allow);
    }

    /// Records that it was added with stored health, of which some may be old or lost.
    pub(super) fn forget_windows(&mut self, now: u64) {
        for of in self.models.iter().copied().map(Some).chain([None]) {
            self.windows.entry(of).or_default().forget(now);
        }
    }

    /// Returns why a call comes within a cooldown, and too early for a probe. `trials` is true if nothing may
    /// be available, so that it may be a trial.
    pub(super) fn window_violation(&self, model: usize, now: u64, trials: bool) -> Option<String> {
        let mut windows = [None, Some(model)].into_iter();
        windows.find_map(|of| self.windows.get(&of)?.violation(now, trials))
    }
}

fn describe(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Failed(failure) => {
            let Failure {
                scope,
                kind,
                status,
                retry_after,
                ..
            } = failure;
            format!("{} {kind} {status:?} {retry_after:?}", scope.label())
        }
        other => format!("{other:?}"),
    }
}
