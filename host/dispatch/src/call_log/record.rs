//! What the journal keeps of a call, as it is shown: plain data, to be written as JSON.

use std::sync::Arc;
use std::time::Duration;

use jackfield_credential::{Failure, Outcome, Reasons, Timestamp};
use jackfield_dialect::ir::Warning;
use jackfield_dialect::{Usage, truncate};
use serde::Serialize;

/// What was decided of one call, and why.
#[derive(Debug, Clone, Serialize)]
pub struct RequestRecord {
    /// The call's id, as in the header `x-jackfield-request-id`.
    pub id: Arc<str>,
    /// When it began, in milliseconds since the Unix epoch.
    pub started_ms: u64,
    /// What the client speaks.
    pub dialect: &'static str,
    /// What was asked for.
    pub operation: &'static str,
    /// The client's name of the model; cut at 256 bytes.
    pub model: Arc<str>,
    /// The name of the client's key.
    pub principal: Arc<str>,
    /// Whether the client asked for a stream.
    pub stream: bool,
    /// What of the request the provider's dialect could not express.
    pub warnings: Vec<WarningRecord>,
    /// What the answer cost, as far as the provider told.
    pub usage: Option<UsageRecord>,
    /// What was decided, in order.
    pub steps: Vec<TimedStep>,
    /// How many steps there were beyond those that are kept.
    pub steps_dropped: u32,
    /// How it ended; none while it is under way.
    pub outcome: Option<CallOutcome>,
    /// When it ended, in milliseconds since the Unix epoch. A stream ends with its last byte.
    pub ended_ms: Option<u64>,
}

/// Something of a request that did not come through a translation.
#[derive(Debug, Clone, Serialize)]
pub struct WarningRecord {
    /// The member, as the client's dialect calls it; cut at 128 bytes.
    pub field: String,
    /// What became of it.
    #[serde(rename = "action")]
    pub what: String,
}

impl From<&Warning> for WarningRecord {
    fn from(warning: &Warning) -> Self {
        Self {
            field: truncate(&warning.field, FIELD_BYTES_MAX).to_owned(),
            what: truncate(&warning.what, MESSAGE_BYTES_MAX).to_owned(),
        }
    }
}

/// What an answer cost, in tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct UsageRecord {
    /// Tokens read, cached ones included.
    pub input: u64,
    /// Tokens written, reasoning included.
    pub output: u64,
    /// Of `input`, those from a cache.
    pub cached_input: u64,
    /// Of `output`, those spent on reasoning.
    pub reasoning: u64,
}

impl From<Usage> for UsageRecord {
    fn from(usage: Usage) -> Self {
        let Usage {
            input,
            output,
            cached_input,
            reasoning,
        } = usage;
        Self {
            input,
            output,
            cached_input,
            reasoning,
        }
    }
}

/// A step, and when it was.
#[derive(Debug, Clone, Serialize)]
pub struct TimedStep {
    /// Milliseconds since the call began.
    pub after_ms: u64,
    /// What it was.
    #[serde(flatten)]
    pub step: Step,
}

/// One decision.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "step", rename_all = "kebab-case")]
pub enum Step {
    /// A credential was chosen.
    Picked(PickStep),
    /// Nobody was fit.
    Unavailable {
        /// The round, from 1.
        round: u32,
        /// How many credentials, and why; none where no credential serves the model.
        #[serde(flatten)]
        reasons: Option<UnavailableCounts>,
    },
    /// An attempt ended.
    Attempt(AttemptStep),
    /// The call waited.
    Wait {
        /// For what.
        #[serde(rename = "for")]
        reason: WaitReason,
        /// For how long, in milliseconds.
        ms: u64,
    },
    /// A credential's tokens were to be renewed.
    Refresh {
        /// Whose.
        credential: Arc<str>,
        /// Why there are no new ones; none if there are.
        error: Option<String>,
    },
    /// Another model takes the place of the one that was asked for.
    Fallback {
        /// The other model.
        to: Arc<str>,
        /// What was wrong with the one before: a kind of failure, or `unavailable`.
        reason: Arc<str>,
    },
    /// The provider's retry budget allowed no further attempt.
    BudgetExhausted {
        /// Which provider.
        provider: Arc<str>,
    },
    /// No credential had room in time.
    QueueFailed {
        /// Why.
        error: String,
    },
}

/// Who was chosen, and by whom.
#[derive(Debug, Clone, Serialize)]
pub struct PickStep {
    /// The credential.
    pub credential: Arc<str>,
    /// The round, from 1.
    pub round: u32,
    /// How many there were to choose from,
    pub candidates: usize,
    /// all of this priority.
    pub priority: i32,
    /// Why the selector did not choose, so that the first one was taken; none if it did.
    pub selector_fault: Option<String>,
}

/// How an attempt ended.
#[derive(Debug, Clone, Serialize)]
pub struct AttemptStep {
    /// With which credential.
    pub credential: Arc<str>,
    /// Whose that is.
    pub provider: Arc<str>,
    /// The provider's name of the model.
    pub model: Arc<str>,
    /// Whether it was to find out if a long cooldown is still needed.
    pub probe: bool,
    /// How long it took, in milliseconds.
    pub ms: u64,
    /// After how many milliseconds the answer's first byte came, if one did.
    pub first_byte_ms: Option<u64>,
    /// What came of it.
    #[serde(flatten)]
    pub outcome: AttemptOutcome,
}

/// What came of an attempt.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
pub enum AttemptOutcome {
    /// The client left, or the call's time was over.
    Cancelled,
    /// The provider, or the way to it, failed.
    Failed {
        /// Whose fault it is.
        scope: &'static str,
        /// Of what kind.
        kind: String,
        /// The provider's status.
        status: Option<u16>,
        /// One sentence for people, without secrets; cut at 512 bytes.
        message: String,
        /// How long the provider asks to be left alone, in milliseconds.
        retry_after_ms: Option<u64>,
    },
    /// The answer was whole.
    Success,
    /// It says nothing of the credential: a plugin failed, or new tokens mended it.
    Inconclusive,
}

impl From<&Outcome> for AttemptOutcome {
    fn from(outcome: &Outcome) -> Self {
        match outcome {
            Outcome::Cancelled => Self::Cancelled,
            Outcome::Failed(failure) => Self::failed(failure),
            Outcome::Success => Self::Success,
            Outcome::Inconclusive => Self::Inconclusive,
        }
    }
}

impl AttemptOutcome {
    fn failed(failure: &Failure) -> Self {
        Self::Failed {
            scope: failure.scope.label(),
            kind: failure.kind.clone().into_owned(),
            status: failure.status,
            message: truncate(&failure.message, MESSAGE_BYTES_MAX).to_owned(),
            retry_after_ms: failure.retry_after.map(millis),
        }
    }
}

/// How many credentials were unfit, and why; see [`Reasons`].
#[derive(Debug, Clone, Copy, Serialize)]
pub struct UnavailableCounts {
    disabled: u32,
    tried: u32,
    barred: u32,
    cooling: u32,
    probing: u32,
    busy: u32,
    rounds_exhausted: u32,
    /// In how many milliseconds the first of the cooling ones is back.
    retry_in_ms: Option<u64>,
}

impl UnavailableCounts {
    /// The counts, as they stand now.
    pub(crate) fn of(reasons: &Reasons, now: Timestamp) -> Self {
        Self {
            disabled: reasons.disabled,
            tried: reasons.tried,
            barred: reasons.barred,
            cooling: reasons.cooling,
            probing: reasons.probing,
            busy: reasons.busy,
            rounds_exhausted: reasons.rounds_exhausted,
            retry_in_ms: reasons.retry_at.map(|at| millis(at.saturating_since(now))),
        }
    }
}

/// What a call waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum WaitReason {
    /// The end of a cooldown.
    Cooldown,
    /// Room with a credential.
    Queue,
    /// Its selector.
    Selector,
}

/// How a call ended.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
pub enum CallOutcome {
    /// With an answer, to its last byte.
    Completed,
    /// With an answer that broke off.
    Interrupted {
        /// Why; cut at 512 bytes.
        message: String,
    },
    /// The client left.
    Cancelled,
    /// With an error.
    Failed {
        /// Its code, as the client was told.
        code: &'static str,
        /// Why; cut at 512 bytes.
        message: String,
    },
}

impl CallOutcome {
    pub(crate) fn interrupted(message: &str) -> Self {
        Self::Interrupted {
            message: truncate(message, MESSAGE_BYTES_MAX).to_owned(),
        }
    }

    pub(crate) fn failed(code: &'static str, message: &str) -> Self {
        Self::Failed {
            code,
            message: truncate(message, MESSAGE_BYTES_MAX).to_owned(),
        }
    }
}

/// Whole milliseconds.
pub(crate) fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// The same text, if it is short; otherwise its beginning.
pub(super) fn short(text: &Arc<str>, bytes_max: usize) -> Arc<str> {
    if text.len() <= bytes_max {
        return Arc::clone(text);
    }
    Arc::from(truncate(text, bytes_max))
}

/// A client's name of a model, in bytes: one may be as long as a body.
pub(super) const NAME_BYTES_MAX: usize = 256;

/// The name of a member, in bytes: a client may make one up as long as its body.
const FIELD_BYTES_MAX: usize = 128;

/// One long sentence, in bytes.
const MESSAGE_BYTES_MAX: usize = 512;
