//! What all attempts of one call share, and how each of them is settled and recorded.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use jackfield_auth::Lease;
use jackfield_credential::{CandidateQuery, Failure, HealthPlace, Outcome, Requester, Scope, Slot};

use crate::call::{Call, Operation};
use crate::call_log::{AttemptOutcome, AttemptStep, Step, Trace, millis};
use crate::client_digest::ClientDigest;
use crate::clock::Clock;
use crate::head_times::HeadTimes;
use crate::memory::{HeldMemory, MemoryBudget};
use crate::port::{PluginFault, Upstream};
use crate::scrub::shows_secret;
use crate::signatures::SignatureMemory;
use crate::snapshot::Snapshot;

/// What all attempts of one call share. A fallback changes the model, and a reload the snapshot.
#[derive(Clone)]
pub(crate) struct CallContext {
    pub(crate) call: Arc<Call>,
    /// The model requested from the pool: the client's, or a fallback.
    pub(crate) model: Arc<str>,
    /// The client and the request, for health.
    pub(crate) requester: Requester,
    /// The client, for plugins.
    pub(crate) client: ClientDigest,
    /// The only credential that the call may use.
    pub(crate) pinned: Option<Slot>,
    pub(crate) snapshot: Arc<Snapshot>,
    pub(crate) clock: Clock,
    pub(crate) upstream: Arc<dyn Upstream>,
    pub(crate) trace: Arc<Trace>,
    pub(crate) head_times: Arc<HeadTimes>,
    pub(crate) signatures: Arc<SignatureMemory>,
    pub(crate) memory: Arc<MemoryBudget>,
}

impl CallContext {
    /// Returns a part of the memory budget for the client. Nothing of it is held yet.
    pub(crate) fn memory(&self) -> HeldMemory {
        HeldMemory::of_client(&self.memory, &self.call.principal, self.call.network)
    }

    /// Returns the context with another model.
    pub(crate) fn with_model(&self, model: &Arc<str>) -> Self {
        Self {
            model: Arc::clone(model),
            ..self.clone()
        }
    }

    /// Returns the context with another snapshot.
    pub(crate) fn with_snapshot(&self, snapshot: Arc<Snapshot>) -> Self {
        Self {
            snapshot,
            ..self.clone()
        }
    }

    /// Returns the query of a first round, without tried credentials.
    pub(crate) fn query(&self) -> CandidateQuery<'_> {
        CandidateQuery {
            rounds: self.snapshot.retry.rounds,
            endpoint: self.call.endpoint(),
            requester: self.requester,
            only: self.pinned,
            ..CandidateQuery::first_round(&self.model)
        }
    }

    /// Settles the lease of an attempt and records how it ended.
    pub(crate) fn end_attempt(&self, lease: Lease, outcome: Outcome, first_byte: Option<Duration>) {
        let now = self.clock.now();
        let mut step = AttemptStep {
            credential: Arc::from(lease.credential().id.as_str()),
            provider: Arc::from(lease.credential().provider.as_str()),
            model: Arc::clone(lease.upstream_model()),
            probe: lease.is_probe(),
            ms: millis(now.saturating_since(lease.began())),
            first_byte_ms: first_byte.map(millis),
            cooled: Vec::new(),
            outcome: AttemptOutcome::from(&outcome),
        };
        let cooled = lease.settle(self.outcome_for_health(outcome), now, first_byte);
        step.cooled = cooled.into_iter().map(HealthPlace::label).collect();
        self.trace.step(Step::Attempt(step));
    }

    /// Records that a plugin wrote what is no response of its dialect. `returned` is how that begins; it is left out if it
    /// shows a secret of the lease, since providers and plugins may repeat the key.
    pub(crate) fn record_plugin_fault(
        &self,
        lease: &Lease,
        fault: &PluginFault,
        returned: Option<Bytes>,
    ) {
        let shown = returned.filter(|returned| !shows_secret(lease, returned));
        self.trace.step(Step::PluginFault {
            plugin: fault.plugin.to_string(),
            error: fault.detail.clone(),
            returned: shown.map(|shown| String::from_utf8_lossy(&shown).into_owned()),
        });
    }

    /// Returns what an outcome means for the model's health. Token counts have endpoints and limits of
    /// their own: their end says nothing about generation, unless the account itself fails.
    fn outcome_for_health(&self, outcome: Outcome) -> Outcome {
        let is_account_failure = |failure: &Failure| failure.scope == Scope::Credential;
        match (self.call.operation, outcome) {
            (Operation::CountTokens, Outcome::Success) => Outcome::Inconclusive,
            (Operation::CountTokens, Outcome::Failed(failure)) if !is_account_failure(&failure) => {
                Outcome::Inconclusive
            }
            (_, outcome) => outcome,
        }
    }
}
