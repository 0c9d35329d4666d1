//! The journal: of each of the last calls, what was decided and why. Nothing in it is secret.
//!
//! It is written on the way of every call, so a step costs one short lock that nobody else wants,
//! and a few words. Whoever reads it gets a copy.

mod record;

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::Arc;

use jackfield_dialect::Usage;
use jackfield_dialect::interlingua::Warning;
use parking_lot::Mutex;

use crate::call::Call;
use crate::clock::Clock;
use crate::limits::{REQUESTS_KEPT, STEPS_KEPT};
pub(crate) use record::millis;
pub use record::{
    AttemptStep, Came, Counts, Ended, PickStep, RequestRecord, Step, Stepped, UsageShown, Waited,
    WarningShown,
};
use record::{NAME_BYTES_MAX, short};

/// The records of the last calls. A handle: clones are the same journal.
#[derive(Clone, Default)]
pub struct Journal {
    kept: Arc<Mutex<Kept>>,
}

#[derive(Default)]
struct Kept {
    by_id: HashMap<Arc<str>, Arc<Mutex<RequestRecord>>>,
    /// From the oldest to the newest.
    order: VecDeque<Arc<str>>,
}

impl Journal {
    /// The record of a call, as far as it has come; none if it never was, or was long ago.
    pub fn get(&self, id: &str) -> Option<RequestRecord> {
        let record = self.kept.lock().by_id.get(id).map(Arc::clone)?;
        let copy = record.lock().clone();
        Some(copy)
    }

    /// The last so many records, the newest first.
    pub fn recent(&self, limit: usize) -> Vec<RequestRecord> {
        let records: Vec<Arc<Mutex<RequestRecord>>> = {
            let kept = self.kept.lock();
            let newest = kept.order.iter().rev().take(limit);
            newest
                .filter_map(|id| kept.by_id.get(id).map(Arc::clone))
                .collect()
        };
        records.iter().map(|record| record.lock().clone()).collect()
    }

    /// Begins the record of a call.
    pub(crate) fn begin(&self, call: &Call, clock: &Clock) -> Trace {
        let record = Arc::new(Mutex::new(RequestRecord {
            id: Arc::clone(&call.id),
            started_ms: clock.now().as_millis(),
            dialect: call.dialect.name(),
            operation: call.operation.name(),
            model: short(&call.model, NAME_BYTES_MAX),
            principal: Arc::clone(&call.principal),
            stream: call.stream.is_some(),
            warnings: Vec::new(),
            usage: None,
            steps: Vec::new(),
            steps_dropped: 0,
            outcome: None,
            ended_ms: None,
        }));
        self.keep(&call.id, Arc::clone(&record));
        Trace {
            record,
            clock: clock.clone(),
        }
    }

    fn keep(&self, id: &Arc<str>, record: Arc<Mutex<RequestRecord>>) {
        let mut kept = self.kept.lock();
        if kept.by_id.insert(Arc::clone(id), record).is_some() {
            return;
        }
        kept.order.push_back(Arc::clone(id));
        if kept.order.len() > REQUESTS_KEPT
            && let Some(oldest) = kept.order.pop_front()
        {
            kept.by_id.remove(&oldest);
        }
    }
}

impl fmt::Debug for Journal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kept = self.kept.lock().order.len();
        let mut journal = formatter.debug_struct("Journal");
        journal.field("kept", &kept).finish()
    }
}

/// One call's hand in the journal. Dropped before the call has ended, the call was cancelled.
pub(crate) struct Trace {
    record: Arc<Mutex<RequestRecord>>,
    clock: Clock,
}

impl Trace {
    /// Writes a step down. Beyond [`STEPS_KEPT`] steps are only counted.
    pub(crate) fn step(&self, step: Step) {
        let now = self.clock.now().as_millis();
        let mut record = self.record.lock();
        if record.steps.len() >= STEPS_KEPT {
            record.steps_dropped = record.steps_dropped.saturating_add(1);
            return;
        }
        let after_ms = now.saturating_sub(record.started_ms);
        record.steps.push(Stepped { after_ms, step });
    }

    /// Writes down what of the request did not come through a translation: of the last one made.
    pub(crate) fn warnings(&self, warnings: &[Warning]) {
        let told = warnings.iter().map(WarningShown::from);
        self.record.lock().warnings = told.collect();
    }

    /// Writes down what the answer cost.
    pub(crate) fn usage(&self, usage: Usage) {
        self.record.lock().usage = Some(UsageShown::from(usage));
    }

    /// Writes down how the call ended; only the first end counts.
    pub(crate) fn end(&self, outcome: Ended) {
        let now = self.clock.now().as_millis();
        let mut record = self.record.lock();
        if record.outcome.is_none() {
            record.outcome = Some(outcome);
            record.ended_ms = Some(now);
        }
    }
}

impl Drop for Trace {
    fn drop(&mut self) {
        self.end(Ended::Cancelled);
    }
}

#[cfg(test)]
mod tests;
