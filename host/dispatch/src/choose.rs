//! Which credential: the candidates are asked for, the selector chooses, and the credential is
//! leased.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jackfield_auth::{AuthManager, CandidateSet, Lease, QueueSlot};
use jackfield_credential::{CandidateQuery, Reasons, Slot, Unavailable};
use parking_lot::Mutex;
use tokio::time::{Instant, sleep};

use crate::call::Operation;
use crate::course::Course;
use crate::error::CallError;
use crate::journal::{PickStep, Step, Waited, millis};
use crate::limits::{LEASE_RACES_MAX, SELECTOR_WAITS_MAX};
use crate::port::{Choice, PickContext, PluginId};

/// Chooses credentials.
pub(crate) struct Chooser {
    auth: AuthManager,
    /// The picks so far of each route. Only names that some credential serves get here.
    sequences: Mutex<HashMap<Arc<str>, u64>>,
    random: RandomState,
    draws: AtomicU64,
    selector_faults: AtomicU64,
}

/// What a call asks for.
pub(crate) struct Asked<'a> {
    /// Who was tried in this round.
    pub(crate) tried: &'a [Slot],
    /// From 1.
    pub(crate) round: u32,
    /// 0 for a call's first attempt.
    pub(crate) attempt: u32,
}

/// Why no credential was chosen.
pub(crate) enum Unchosen {
    /// None is fit.
    Unfit(Unavailable),
    /// Nothing that another round could change.
    Fatal(CallError),
}

impl Chooser {
    pub(crate) fn new(auth: AuthManager) -> Self {
        Self {
            auth,
            sequences: Mutex::default(),
            random: RandomState::new(),
            draws: AtomicU64::new(0),
            selector_faults: AtomicU64::new(0),
        }
    }

    pub(crate) fn auth(&self) -> &AuthManager {
        &self.auth
    }

    /// How often a selector failed and the first candidate was taken.
    pub(crate) fn selector_faults(&self) -> u64 {
        self.selector_faults.load(Ordering::Relaxed)
    }

    /// Any number.
    pub(crate) fn random(&self) -> u64 {
        self.random
            .hash_one(self.draws.fetch_add(1, Ordering::Relaxed))
    }

    /// Leases a credential that is fit and not tried.
    pub(crate) async fn choose(
        &self,
        course: &Course,
        asked: &Asked<'_>,
    ) -> Result<Lease, Unchosen> {
        let (mut races, mut waits, mut turn) = (0, 0, None);
        loop {
            let candidates = self.candidates(course, asked, &mut turn).await?;
            let (index, fault) = match self.pick(course, &candidates, asked.attempt).await? {
                Picked::Candidate(index) => (index, None),
                Picked::First(fault) => (0, Some(fault)),
                Picked::Wait(plugin, time) => {
                    waits += 1;
                    wait(course, plugin, time, waits).await?;
                    continue;
                }
            };
            match self.auth.lease(&candidates, index, course.clock.now()) {
                Ok(lease) => {
                    course.trace.step(Step::Picked(PickStep {
                        credential: Arc::from(lease.credential().id.as_str()),
                        round: asked.round,
                        candidates: candidates.len(),
                        priority: lease.credential().priority,
                        selector_fault: fault,
                    }));
                    return Ok(lease);
                }
                // Another call has found it unfit meanwhile: the next candidates are without it.
                Err(_) if races < LEASE_RACES_MAX => races += 1,
                Err(unfit) => {
                    let reason = format!("candidates kept becoming unfit: {unfit}");
                    return Err(Unchosen::Fatal(CallError::Misconfigured(reason)));
                }
            }
        }
    }

    /// The candidates; where all that could serve are busy, when it is this call's turn.
    async fn candidates(
        &self,
        course: &Course,
        asked: &Asked<'_>,
        turn: &mut Option<QueueSlot>,
    ) -> Result<CandidateSet, Unchosen> {
        let routing = &course.snapshot.routing;
        // A count that has to wait is estimated instead.
        let room_wait = match course.call.operation {
            Operation::CountTokens => Duration::ZERO,
            Operation::Embed(_) | Operation::Generate => routing.room_wait,
        };
        let until = (Instant::now() + room_wait).min(course.call.deadline);
        loop {
            let ask = CandidateQuery {
                name: &course.model,
                tried: asked.tried,
                round: asked.round,
                rounds: course.snapshot.retry.rounds,
            };
            // Whoever waits already comes first.
            let behind = turn.is_none() && self.auth.has_queue(&course.model);
            let unfit = match self.auth.candidates(&ask, course.clock.now()) {
                Ok(candidates) if !behind => return Ok(candidates),
                Ok(_) => None,
                Err(unfit) if unfit.has_busy() => Some(unfit),
                Err(unfit) => return Err(Unchosen::Unfit(unfit)),
            };
            let began = Instant::now();
            let room = self.auth.wait_for_capacity(&course.model, turn.take(), until);
            let waited = room.await;
            course.trace.step(Step::Wait {
                what: Waited::Room,
                ms: millis(began.elapsed()),
            });
            if let Err(error) = &waited {
                let error = error.to_string();
                course.trace.step(Step::NoRoom { error });
            }
            *turn = match (waited, unfit) {
                (Ok(turn), _) => Some(turn),
                (Err(_), Some(unfit)) => return Err(Unchosen::Unfit(unfit)),
                (Err(_), None) => {
                    let busy = Reasons {
                        busy: 1,
                        ..Reasons::default()
                    };
                    return Err(Unchosen::Unfit(Unavailable::NoneAvailable(busy)));
                }
            };
        }
    }

    async fn pick(
        &self,
        course: &Course,
        candidates: &CandidateSet,
        attempt: u32,
    ) -> Result<Picked, Unchosen> {
        let routing = &course.snapshot.routing;
        let Some(selector) = course.snapshot.selectors.get(&routing.selector) else {
            return Ok(self.first(&format!("no selector `{}` is loaded", routing.selector)));
        };
        let sequence = self.next_sequence(candidates.name());
        let context = PickContext {
            model: Arc::clone(candidates.name()),
            dialect: course.call.dialect.name(),
            attempt,
            sequence,
            affinity: course.call.affinity,
            random: self.random.hash_one(sequence) >> (64 - RANDOM_BITS),
            now_ms: course.clock.now().as_millis(),
            settings: Arc::clone(&routing.settings),
        };
        match selector.pick(&context, Arc::new(candidates.clone())).await {
            Ok(Choice::Candidate(index)) => Ok(Picked::Candidate(index)),
            Ok(Choice::WaitMs(milliseconds)) => {
                let time = Duration::from_millis(milliseconds.into());
                Ok(Picked::Wait(selector.plugin().clone(), time))
            }
            Ok(Choice::None(reason)) => {
                let plugin = selector.plugin().clone();
                Err(Unchosen::Fatal(CallError::SelectorRefused {
                    plugin,
                    reason,
                }))
            }
            Err(fault) => Ok(self.first(&fault.to_string())),
        }
    }

    /// A selector that fails costs fairness, not availability.
    fn first(&self, problem: &str) -> Picked {
        self.selector_faults.fetch_add(1, Ordering::Relaxed);
        tracing::warn!(problem, "selector failed; the first candidate is taken");
        Picked::First(problem.to_owned())
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
    /// The first one, since the selector failed so.
    First(String),
    Wait(PluginId, Duration),
}

async fn wait(
    course: &Course,
    plugin: PluginId,
    time: Duration,
    waits: u32,
) -> Result<(), Unchosen> {
    let longest = course.snapshot.retry.max_wait;
    if waits > SELECTOR_WAITS_MAX || time > longest {
        let reason = format!(
            "it asked to wait {} ms, the {waits}th time; {SELECTOR_WAITS_MAX} waits of {} ms are allowed",
            time.as_millis(),
            longest.as_millis()
        );
        return Err(Unchosen::Fatal(CallError::SelectorRefused {
            plugin,
            reason,
        }));
    }
    course.trace.step(Step::Wait {
        what: Waited::Selector,
        ms: millis(time),
    });
    sleep(time).await;
    Ok(())
}

/// What JavaScript holds exactly in a number.
const RANDOM_BITS: u32 = 53;
