//! What all attempts of one call share, and how each of them is settled and written down.

use std::sync::Arc;
use std::time::Duration;

use jackfield_auth::Lease;
use jackfield_credential::{Failure, Outcome, Scope};

use crate::call::{Call, Operation};
use crate::call_log::{AttemptOutcome, AttemptStep, Step, Trace, millis};
use crate::clock::Clock;
use crate::negotiation::TranslationCache;
use crate::port::Upstream;
use crate::snapshot::Snapshot;

/// What all attempts of one call share; the model and the snapshot may change on the way.
#[derive(Clone)]
pub(crate) struct CallContext {
    pub(crate) call: Call,
    /// The model that is asked of the pool: the client's, or one that takes its place.
    pub(crate) model: Arc<str>,
    pub(crate) snapshot: Arc<Snapshot>,
    pub(crate) clock: Clock,
    pub(crate) upstream: Arc<dyn Upstream>,
    pub(crate) trace: Arc<Trace>,
    /// The call as it was told to executors that do not speak the client's dialect.
    pub(crate) translations: Arc<TranslationCache>,
}

impl CallContext {
    /// The same call with another model.
    pub(crate) fn with_model(&self, model: &Arc<str>) -> Self {
        Self {
            model: Arc::clone(model),
            ..self.clone()
        }
    }

    /// The same call, going on with another snapshot.
    pub(crate) fn with_snapshot(&self, snapshot: Arc<Snapshot>) -> Self {
        Self {
            snapshot,
            ..self.clone()
        }
    }

    /// Settles a lease, and writes down how its attempt ended.
    pub(crate) fn settle(&self, lease: Lease, outcome: Outcome, first_byte: Option<Duration>) {
        let now = self.clock.now();
        self.trace.step(Step::Attempt(AttemptStep {
            credential: Arc::from(lease.credential().id.as_str()),
            provider: Arc::from(lease.credential().provider.as_str()),
            model: Arc::clone(lease.upstream_model()),
            probe: lease.is_probe(),
            ms: millis(now.saturating_since(lease.began())),
            first_byte_ms: first_byte.map(millis),
            outcome: AttemptOutcome::from(&outcome),
        }));
        lease.settle(self.outcome_for_health(outcome), now, first_byte);
    }

    /// What an outcome says of the model's health. Counts of tokens have paths and limits of their own:
    /// how one ends says nothing of whether the model generates, unless it is the account that fails.
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

    /// Whether the client is owed a stream, in which an error can be told.
    pub(crate) fn is_streaming(&self) -> bool {
        self.call.stream.is_some()
    }
}
