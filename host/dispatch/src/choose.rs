//! Which credential: the candidates are asked for, the selector chooses, and the credential is
//! leased.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jackfield_auth::{AuthManager, CandidateSet, Lease};
use jackfield_credential::{Ask, Slot, Unfit};
use parking_lot::Mutex;
use tokio::time::sleep;

use crate::attempt::Course;
use crate::error::CallError;
use crate::limits::{LEASE_RACES_MAX, SELECTOR_WAITS_MAX};
use crate::port::{Choice, PickContext, PluginId};

/// Chooses credentials.
pub(crate) struct Chooser {
    auth: AuthManager,
    /// The picks so far of each route. Only names that some credential serves get here.
    sequences: Mutex<HashMap<Arc<str>, u64>>,
    random: RandomState,
    selector_faults: AtomicU64,
}

/// Why no credential was chosen.
pub(crate) enum Unchosen {
    /// None is fit.
    Unfit(Unfit),
    /// Nothing that another round could change.
    Fatal(CallError),
}

impl Chooser {
    pub(crate) fn new(auth: AuthManager) -> Self {
        Self {
            auth,
            sequences: Mutex::default(),
            random: RandomState::new(),
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

    /// Leases a credential that is fit and not tried.
    pub(crate) async fn choose(
        &self,
        course: &Course,
        tried: &[Slot],
        attempt: u32,
    ) -> Result<Lease, Unchosen> {
        let (mut races, mut waits) = (0, 0);
        loop {
            let now = course.clock.now();
            let ask = Ask {
                tried,
                ..Ask::first(&course.call.model)
            };
            let candidates = self.auth.candidates(&ask, now);
            let candidates = candidates.map_err(Unchosen::Unfit)?;
            let index = match self.pick(course, &candidates, attempt).await? {
                Picked::Candidate(index) => index,
                Picked::Wait(plugin, time) => {
                    waits += 1;
                    wait(course, plugin, time, waits).await?;
                    continue;
                }
            };
            match self.auth.lease(&candidates, index, course.clock.now()) {
                Ok(lease) => return Ok(lease),
                // Another call has found it unfit meanwhile: the next candidates are without it.
                Err(_) if races < LEASE_RACES_MAX => races += 1,
                Err(unfit) => {
                    let reason = format!("candidates kept becoming unfit: {unfit}");
                    return Err(Unchosen::Fatal(CallError::Misconfigured(reason)));
                }
            }
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
            affinity: None,
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
        Picked::Candidate(0)
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
    sleep(time).await;
    Ok(())
}

/// What JavaScript holds exactly in a number.
const RANDOM_BITS: u32 = 53;
