//! Picks a credential: gets the candidates, calls the selector, and leases the chosen credential.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jackfield_auth::{AuthManager, CandidateSet, Lease, QueueSlot};
use jackfield_credential::{CandidateQuery, PriorFailure, Reasons, Slot, Unavailable};
use parking_lot::Mutex;
use tokio::time::{Instant, sleep};

use crate::call::Operation;
use crate::call_log::{PickStep, Step, WaitReason, millis};
use crate::context::CallContext;
use crate::error::CallError;
use crate::limits::{LEASE_RACES_MAX, SELECTOR_WAITS_MAX};
use crate::port::{Choice, PickContext, PluginId};
use crate::random::Random;

/// Picks credentials.
pub(crate) struct Picker {
    auth: AuthManager,
    /// The number of picks of each model name. Only names that some credential serves are stored, so
    /// clients cannot fill it.
    sequences: Mutex<HashMap<Arc<str>, u64>>,
    selector_faults: AtomicU64,
    random: Arc<Random>,
}

/// The constraints of one pick.
pub(crate) struct PickQuery<'a> {
    /// Credentials not to pick: tried in this round, or incompatible.
    pub(crate) tried: &'a [Slot],
    /// From 1.
    pub(crate) round: u32,
    /// 0 for a call's first attempt.
    pub(crate) attempt: u32,
    /// The unattributed failures of the call so far.
    pub(crate) failed: &'a [PriorFailure],
    /// The only credential to pick, even while it cools.
    pub(crate) only: Option<Slot>,
}

/// Why no credential was picked.
pub(crate) enum PickError {
    /// No credential is available. Another round may help.
    Unavailable(Unavailable),
    /// An error that another round cannot change.
    Fatal(CallError),
}

impl Picker {
    pub(crate) fn new(auth: AuthManager, random: Arc<Random>) -> Self {
        Self {
            auth,
            sequences: Mutex::default(),
            selector_faults: AtomicU64::new(0),
            random,
        }
    }

    pub(crate) fn auth(&self) -> &AuthManager {
        &self.auth
    }

    /// How often a selector failed, so that the first candidate was taken.
    pub(crate) fn selector_faults(&self) -> u64 {
        self.selector_faults.load(Ordering::Relaxed)
    }

    /// Leases an available credential that the query allows.
    pub(crate) async fn pick(
        &self,
        context: &CallContext,
        query: &PickQuery<'_>,
    ) -> Result<Lease, PickError> {
        // The queue slot outlives a lost race: a call that must wait again then has its old place.
        let (mut races, mut waits, mut queue_slot) = (0, 0, None);
        loop {
            let candidates = self.candidates(context, query, &mut queue_slot).await?;
            // There is nothing to choose for a trial. After many lost races the first one is taken, since other calls
            // lease while the selector runs: those that wait for a cooldown all wake when it ends.
            let picked = match candidates.is_trial() || races > LEASE_RACES_MAX / 2 {
                true => Picked::Candidate(0),
                false => {
                    self.run_selector(context, &candidates, query.attempt)
                        .await?
                }
            };
            let (index, fault) = match picked {
                Picked::Candidate(index) => (index, None),
                Picked::Fallback(fault) => (0, Some(fault)),
                Picked::Wait(plugin, time) => {
                    waits += 1;
                    wait(context, plugin, time, waits).await?;
                    continue;
                }
            };
            match self.auth.lease(&candidates, index, context.clock.now()) {
                Ok(lease) => {
                    context.trace.step(Step::Picked(PickStep {
                        credential: Arc::from(lease.credential().id.as_str()),
                        round: query.round,
                        candidates: candidates.len(),
                        priority: lease.credential().priority,
                        passed_over: candidates.passed_over(),
                        trial: lease.is_trial(),
                        selector_fault: fault,
                    }));
                    return Ok(lease);
                }
                // Another call was faster, or the credential failed meanwhile. The next candidates do
                // not contain it.
                Err(_) if races < LEASE_RACES_MAX => races += 1,
                Err(unavailable) => {
                    let reason = format!(
                        "each candidate became unavailable before it was leased; the last one: {unavailable}"
                    );
                    return Err(PickError::Fatal(CallError::Misconfigured(reason)));
                }
            }
        }
    }

    /// Whether a credential that is not excluded is available now.
    pub(crate) fn has_candidate(
        &self,
        context: &CallContext,
        excluded: &[Slot],
        round: u32,
    ) -> bool {
        let query = CandidateQuery {
            tried: excluded,
            round,
            ..context.query()
        };
        let candidates = self.auth.candidates(&query, context.clock.now());
        // A trial of a cooling credential is no reason to give up one that may still answer.
        candidates.is_ok_and(|candidates| !candidates.is_trial())
    }

    /// Returns the candidates. If all of them are busy, waits in the queue of the model first.
    async fn candidates(
        &self,
        context: &CallContext,
        query: &PickQuery<'_>,
        queue_slot: &mut Option<QueueSlot>,
    ) -> Result<CandidateSet, PickError> {
        let routing = &context.snapshot.routing;
        // A token count does not wait: the host estimates it instead.
        let queue_timeout = match context.call.operation {
            Operation::CountTokens => Duration::ZERO,
            Operation::Embed(_) | Operation::Generate => routing.queue_timeout,
        };
        let until = (Instant::now() + queue_timeout).min(context.call.deadline);
        loop {
            let candidate_query = CandidateQuery {
                tried: query.tried,
                round: query.round,
                failed: query.failed,
                only: query.only,
                ..context.query()
            };
            // Calls that wait already come first.
            let behind = queue_slot.is_none() && self.auth.has_queue(&context.model);
            let unavailable = match self.auth.candidates(&candidate_query, context.clock.now()) {
                Ok(candidates) if !behind => return Ok(candidates),
                Ok(_) => None,
                // Another call's end frees only busy credentials. Cooldowns are waited for between rounds.
                Err(unavailable) if unavailable.has_busy() => Some(unavailable),
                Err(unavailable) => return Err(PickError::Unavailable(unavailable)),
            };
            let began = Instant::now();
            let previous = queue_slot.take();
            let slot = self
                .auth
                .wait_for_capacity(&candidate_query, previous, until);
            let waited = slot.await;
            context.trace.step(Step::Wait {
                reason: WaitReason::Queue,
                ms: millis(began.elapsed()),
            });
            if let Err(error) = &waited {
                let error = error.to_string();
                context.trace.step(Step::QueueFailed { error });
            }
            *queue_slot = match (waited, unavailable) {
                (Ok(queue_slot), _) => Some(queue_slot),
                (Err(_), Some(unavailable)) => return Err(PickError::Unavailable(unavailable)),
                (Err(_), None) => {
                    // The candidates were free, but earlier calls wait for them: for this call they are busy.
                    let busy = Reasons {
                        busy: 1,
                        ..Reasons::default()
                    };
                    return Err(PickError::Unavailable(Unavailable::NoneAvailable(busy)));
                }
            };
        }
    }

    async fn run_selector(
        &self,
        context: &CallContext,
        candidates: &CandidateSet,
        attempt: u32,
    ) -> Result<Picked, PickError> {
        let routing = &context.snapshot.routing;
        let Some(selector) = context.snapshot.plugins.selectors.get(&routing.selector) else {
            return Ok(
                self.fall_back_to_first(&format!("no selector `{}` is loaded", routing.selector))
            );
        };
        let sequence = self.next_sequence(candidates.name());
        let pick_context = PickContext {
            model: Arc::clone(candidates.name()),
            dialect: context.call.dialect.name(),
            operation: context.call.operation.name(),
            stream: context.call.stream.is_some(),
            attempt,
            sequence,
            affinity: context.call.affinity,
            random: self.random.u64(..1 << RANDOM_BITS),
            now_ms: context.clock.now().as_millis(),
            settings: Arc::clone(&routing.settings),
            client: context.client,
            call: Arc::clone(&context.call.id),
        };
        let mut selector = selector;
        let mut choice = selector
            .pick(&pick_context, Arc::new(candidates.clone()))
            .await;
        if let Ok(Choice::Delegate(name)) = &choice {
            let Some(delegate) = context.snapshot.plugins.selectors.get(name.as_str()) else {
                let problem = format!(
                    "plugin {} delegated to the selector `{name}`, which is not loaded",
                    selector.plugin()
                );
                return Ok(self.fall_back_to_first(&problem));
            };
            selector = delegate;
            choice = selector
                .pick(&pick_context, Arc::new(candidates.clone()))
                .await;
        }
        match choice {
            Ok(Choice::Candidate(index)) => Ok(Picked::Candidate(index)),
            Ok(Choice::WaitMs(milliseconds)) => {
                let time = Duration::from_millis(milliseconds.into());
                Ok(Picked::Wait(selector.plugin().clone(), time))
            }
            Ok(Choice::None(reason)) => {
                let plugin = selector.plugin().clone();
                Err(PickError::Fatal(CallError::SelectorRefused {
                    plugin,
                    reason,
                }))
            }
            Ok(Choice::Delegate(_)) => {
                let problem = format!("plugin {} delegated again", selector.plugin());
                Ok(self.fall_back_to_first(&problem))
            }
            Err(fault) => Ok(self.fall_back_to_first(&fault.to_string())),
        }
    }

    /// Takes the first candidate: a failing selector must not fail calls.
    fn fall_back_to_first(&self, problem: &str) -> Picked {
        self.selector_faults.fetch_add(1, Ordering::Relaxed);
        tracing::warn!(problem, "selector failed; the first candidate is taken");
        Picked::Fallback(problem.to_owned())
    }

    fn next_sequence(&self, name: &Arc<str>) -> u64 {
        let mut sequences = self.sequences.lock();
        if let Some(sequence) = sequences.get_mut(name) {
            *sequence += 1;
            return *sequence;
        }
        sequences.insert(Arc::clone(name), 0);
        0
    }
}

enum Picked {
    Candidate(usize),
    /// The first candidate, because the selector failed for this reason.
    Fallback(String),
    Wait(PluginId, Duration),
}

async fn wait(
    context: &CallContext,
    plugin: PluginId,
    time: Duration,
    waits: u32,
) -> Result<(), PickError> {
    let longest = context.snapshot.retry.max_wait;
    if waits > SELECTOR_WAITS_MAX || time > longest {
        let reason = format!(
            "it requested wait number {waits}, of {} ms; the limits are {SELECTOR_WAITS_MAX} waits of {} ms",
            time.as_millis(),
            longest.as_millis()
        );
        return Err(PickError::Fatal(CallError::SelectorRefused {
            plugin,
            reason,
        }));
    }
    context.trace.step(Step::Wait {
        reason: WaitReason::Selector,
        ms: millis(time),
    });
    sleep(time).await;
    Ok(())
}

/// The bits of an integer that a JavaScript number holds exactly.
const RANDOM_BITS: u32 = 53;
