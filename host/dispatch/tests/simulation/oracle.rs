//! The oracle: which credentials may not be called, and until when. Its bounds are the minimum
//! that the rules require, derived from outcomes and not from the pool.

use jackfield_auth::{Event, EventKind, Hook};
use jackfield_credential::{Failure, Outcome, Scope, kind};

use super::world::{Account, World};

/// A period in which an account or a model may not be called, except for a probe.
#[derive(Clone, Copy, Debug)]
pub(super) struct Block {
    pub(super) from: u64,
    pub(super) until: u64,
}

/// The earliest time of a probe: five minutes, minus a fifth.
const PROBE_FIRST_MS: u64 = 4 * 60 * 1000;

const MINUTE_MS: u64 = 60 * 1000;

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
                self.apply_result(id, model, &note.outcome, World::millis(event.at));
            }
            EventKind::Refresh(note) => self.log(&format!("refresh of {id}: {note:?}")),
            EventKind::Health(change) => {
                let to = change.to.availability(event.at);
                self.log(&format!("health of {id} {:?}: {to:?}", change.model));
            }
            EventKind::Registered | EventKind::Updated | EventKind::Removed => {
                self.log(&format!("{} {id}", event.kind.label()));
            }
        }
    }
}

impl World {
    fn apply_result(&self, id: &str, model: usize, outcome: &Outcome, at: u64) {
        let mut state = self.lock();
        let all_disabled = state.cooling_disabled;
        let Some(account) = state.accounts.get_mut(id) else {
            return;
        };
        match outcome {
            Outcome::Success => {
                account.blocks.remove(&None);
                account.blocks.remove(&Some(model));
            }
            Outcome::Failed(_) if at < account.stale_results_until => {}
            Outcome::Failed(failure) => {
                let disabled = account.cooling_disabled.unwrap_or(all_disabled);
                let Some(length) = min_block_ms(failure, disabled) else {
                    return;
                };
                let of = match failure.scope {
                    Scope::Credential => None,
                    _ => Some(model),
                };
                // A model that it does not serve has no state.
                if of.is_none_or(|model| account.models.contains(&model)) {
                    account.block(of, model, at, length);
                }
            }
            Outcome::Cancelled | Outcome::Inconclusive => {}
        }
    }
}

impl Account {
    /// A failure blocks, unless its attempt may be older than the last window.
    fn block(&mut self, of: Option<usize>, model: usize, at: u64, length: u64) {
        let known = self.blocks.get(&of).copied();
        let under_way = self.began.get(&model).into_iter().flatten().copied();
        let ended = self.ended.get(&model).into_iter().flatten();
        let ended = ended
            .filter(|(ended, _)| *ended == at)
            .map(|(_, began)| *began);
        let oldest = under_way.chain(ended).min();
        if let Some(known) = known {
            let in_window = at < known.until;
            let old = oldest.is_none_or(|oldest| oldest <= known.from);
            if old && in_window {
                return;
            }
            if old {
                // It may count or not, so nothing is known from here on.
                self.blocks.remove(&of);
                return;
            }
        }
        let until = at + length;
        self.blocks.insert(of, Block { from: at, until });
    }

    /// Returns why a call to a blocked credential is not a valid probe.
    pub(super) fn block_violation(&self, model: usize, now: u64) -> Option<String> {
        [None, Some(model)].iter().find_map(|of| {
            let block = self.blocks.get(of)?;
            if now <= block.from || block.until <= now {
                return None;
            }
            let models = self
                .began
                .iter()
                .filter(|(model, _)| of.is_none_or(|of| of == **model));
            let others = models
                .flat_map(|(_, began)| began)
                .filter(|began| **began > block.from);
            if now < block.from + PROBE_FIRST_MS {
                Some(format!("it is blocked: {block:?}"))
            } else if others.count() > 0 {
                Some(format!("it is blocked, and probed by another: {block:?}"))
            } else {
                None
            }
        })
    }
}

/// Returns how long a failure blocks at least, in milliseconds; `None` if it need not block.
fn min_block_ms(failure: &Failure, guesses_waived: bool) -> Option<u64> {
    if matches!(failure.scope, Scope::Request | Scope::Transport) {
        return None;
    }
    if let Some(hint) = failure.retry_after {
        return Some(u64::try_from(hint.as_millis()).unwrap());
    }
    match (failure.status, &*failure.kind) {
        (Some(401..=403), _) => Some(30 * MINUTE_MS),
        (Some(404), _) => Some(12 * 60 * MINUTE_MS),
        (_, kind::RATE_LIMIT | kind::QUOTA) if !guesses_waived => Some(1000),
        (_, kind::TRANSIENT | kind::OVERLOADED) if !guesses_waived => Some(MINUTE_MS),
        _ => None,
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
