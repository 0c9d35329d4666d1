//! The call log: what was decided for each of the last calls, and why. It contains no secrets.
//!
//! Every call writes to it, so a step must be cheap: each record has a lock of its own. Readers get
//! copies.

mod record;

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::Arc;

use jackfield_dialect::Usage;
use jackfield_dialect::ir::Warning;
use parking_lot::Mutex;

use crate::call::Call;
use crate::clock::Clock;
use crate::limits::{CALL_RECORDS_MAX, CALL_STEPS_MAX};
pub(crate) use record::millis;
pub use record::{
    AttemptOutcome, AttemptStep, CallOutcome, PickStep, PlanStep, RequestRecord, Step, TimedStep,
    UnavailableCounts, UsageRecord, WaitReason, WarningRecord,
};
use record::{NAME_BYTES_MAX, short};

/// The records of the last calls. A handle: clones share one log.
#[derive(Clone, Default)]
pub struct CallLog {
    stored: Arc<Mutex<StoredRecords>>,
}

#[derive(Default)]
struct StoredRecords {
    by_id: HashMap<Arc<str>, Arc<Mutex<RequestRecord>>>,
    /// The ids, from the oldest to the newest.
    order: VecDeque<Arc<str>>,
}

impl CallLog {
    /// The record of a call so far; `None` if the log does not contain it (any more).
    pub fn get(&self, id: &str) -> Option<RequestRecord> {
        // Unlocked before the record is copied: every new call needs this lock.
        let record = self.stored.lock().by_id.get(id).map(Arc::clone)?;
        let copy = record.lock().clone();
        Some(copy)
    }

    /// The last records, at most `limit`, the newest first.
    pub fn recent(&self, limit: usize) -> Vec<RequestRecord> {
        let records: Vec<Arc<Mutex<RequestRecord>>> = {
            let stored = self.stored.lock();
            let newest = stored.order.iter().rev().take(limit);
            newest
                .filter_map(|id| stored.by_id.get(id).map(Arc::clone))
                .collect()
        };
        records.iter().map(|record| record.lock().clone()).collect()
    }

    /// Starts the record of a call.
    pub(crate) fn begin(&self, call: &Call, clock: &Clock) -> Trace {
        let record = Arc::new(Mutex::new(RequestRecord {
            id: Arc::clone(&call.id),
            started_ms: clock.now().as_millis(),
            dialect: call.dialect.name(),
            operation: call.operation.name(),
            model: short(&call.model, NAME_BYTES_MAX),
            principal: Arc::clone(&call.principal),
            stream: call.stream.is_some(),
            traits: Vec::new(),
            warnings: Vec::new(),
            usage: None,
            steps: Vec::new(),
            steps_dropped: 0,
            outcome: None,
            ended_ms: None,
        }));
        self.insert(&call.id, Arc::clone(&record));
        Trace {
            record,
            clock: clock.clone(),
        }
    }

    fn insert(&self, id: &Arc<str>, record: Arc<Mutex<RequestRecord>>) {
        let mut stored = self.stored.lock();
        if stored.by_id.insert(Arc::clone(id), record).is_some() {
            return;
        }
        stored.order.push_back(Arc::clone(id));
        if stored.order.len() > CALL_RECORDS_MAX
            && let Some(oldest) = stored.order.pop_front()
        {
            stored.by_id.remove(&oldest);
        }
    }
}

impl fmt::Debug for CallLog {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stored = self.stored.lock().order.len();
        let mut debug = formatter.debug_struct("CallLog");
        debug.field("stored", &stored).finish()
    }
}

/// Writes the record of one call. If it is dropped before [`Self::end`], the call was cancelled.
pub(crate) struct Trace {
    record: Arc<Mutex<RequestRecord>>,
    clock: Clock,
}

impl Trace {
    /// Adds a step. Steps beyond [`CALL_STEPS_MAX`] are only counted.
    pub(crate) fn step(&self, step: Step) {
        let now = self.clock.now().as_millis();
        let mut record = self.record.lock();
        if record.steps.len() >= CALL_STEPS_MAX {
            record.steps_dropped = record.steps_dropped.saturating_add(1);
            return;
        }
        let after_ms = now.saturating_sub(record.started_ms);
        record.steps.push(TimedStep { after_ms, step });
    }

    /// Sets the warnings of the latest translation of the request, and the rows of traits that it obeyed.
    pub(crate) fn translation(&self, warnings: &[Warning], rows: &[String]) {
        let records = warnings.iter().map(WarningRecord::from);
        let mut record = self.record.lock();
        record.warnings = records.collect();
        record.traits = rows.to_vec();
    }

    /// Sets the token usage.
    pub(crate) fn usage(&self, usage: Usage) {
        self.record.lock().usage = Some(UsageRecord::from(usage));
    }

    /// Sets the outcome, unless the call has one.
    pub(crate) fn end(&self, outcome: CallOutcome) {
        let now = self.clock.now().as_millis();
        let mut record = self.record.lock();
        // `Drop` ends each record, and must not replace its true outcome.
        if record.outcome.is_none() {
            record.outcome = Some(outcome);
            record.ended_ms = Some(now);
        }
    }
}

impl Drop for Trace {
    fn drop(&mut self) {
        self.end(CallOutcome::Cancelled);
    }
}

#[cfg(test)]
mod tests;
