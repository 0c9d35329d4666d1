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

/// The earliest time of a probe: five minutes, minus a fifth. After a hint it is later.
const PROBE_FIRST_MS: u64 = 4 * 60 * 1000;

/// The first guess after a refusal, and after a rate limit without a hint.
const REFUSED_MS: u64 = 5_000;
const LIMITED_MS: u64 = 1_000;

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
            EventKind::Refresh(note) => {
                self.log(&format!("refresh of {id}: {note:?}"));
                // A new secret drops what speaks of the old one.
                if let Some(account) = self.lock().accounts.get_mut(id) {
                    account.blocks.remove(&None);
                }
            }
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
    /// Records that a request is served: its first content has been sent, long before its result
    /// is known. That may refute a guess, even one that came after the request began.
    pub(super) fn end_blocks(&self, id: &str, incarnation: u64, model: usize) {
        let mut state = self.lock();
        let account = state.accounts.get_mut(id);
        if let Some(account) = account.filter(|account| account.incarnation == incarnation) {
            account.end_blocks(model);
        }
    }

    fn apply_result(&self, id: &str, model: usize, outcome: &Outcome, at: u64) {
        let mut state = self.lock();
        let all_disabled = state.cooling_disabled;
        let Some(account) = state.accounts.get_mut(id) else {
            return;
        };
        match outcome {
            Outcome::Success => account.end_blocks(model),
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
    /// A request was served: the blocks end. Attempts from before them may still fail, and then
    /// begin none.
    fn end_blocks(&mut self, model: usize) {
        for of in [None, Some(model)] {
            if let Some(block) = self.blocks.get_mut(&of) {
                block.until = block.from;
            }
        }
    }

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

    /// Returns why a call to a blocked credential comes too early for a probe.
    pub(super) fn block_violation(&self, model: usize, now: u64) -> Option<String> {
        [None, Some(model)].iter().find_map(|of| {
            let block = self.blocks.get(of)?;
            if now <= block.from || block.until <= now {
                return None;
            }
            let blocked = now < block.from + PROBE_FIRST_MS;
            blocked.then(|| format!("it is blocked: {block:?}"))
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
        // The provider may have more than one reason for others, and need not block the model.
        (Some(401 | 402), _) => Some(REFUSED_MS),
        (_, kind::RATE_LIMIT | kind::QUOTA) if !guesses_waived => Some(LIMITED_MS),
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
