//! The records of the call log, as the admin API shows them: plain data, serialized as JSON.

use std::sync::Arc;
use std::time::Duration;

use jackfield_credential::{CoolingCause, Failure, Outcome, Reasons, Timestamp};
use jackfield_dialect::ir::Warning;
use jackfield_dialect::{Usage, truncate};
use serde::Serialize;

use crate::error::CallError;
use crate::sees::Sees;

/// What was decided for one call, and why.
#[derive(Debug, Clone, Serialize)]
pub struct RequestRecord {
    /// The id of the call, as in the header `x-jackfield-request-id`.
    pub id: Arc<str>,
    /// When the call began, in milliseconds since the Unix epoch.
    pub started_ms: u64,
    /// The dialect of the client.
    pub dialect: &'static str,
    /// The operation: `generate`, `count-tokens` or `embed`.
    pub operation: &'static str,
    /// The client's name for the model, at most 256 bytes.
    pub model: Arc<str>,
    /// The name of the client key.
    pub principal: Arc<str>,
    /// Whether the client requested a stream.
    pub stream: bool,
    /// The rows of traits by which the request was translated, the least specific first. Empty where it was not
    /// translated.
    pub traits: Vec<String>,
    /// Parts of the request that the provider's dialect cannot express.
    pub warnings: Vec<WarningRecord>,
    /// Token usage, if the provider reported it.
    pub usage: Option<UsageRecord>,
    /// The decisions, in order.
    pub steps: Vec<TimedStep>,
    /// The number of steps that were not stored.
    pub steps_dropped: u32,
    /// How the call ended; `None` while it runs.
    pub outcome: Option<CallOutcome>,
    /// When the call ended, in milliseconds since the Unix epoch. A stream ends with its last byte.
    pub ended_ms: Option<u64>,
}

/// A member of a request that a translation dropped or changed.
#[derive(Debug, Clone, Serialize)]
pub struct WarningRecord {
    /// The member, by its name in the client's dialect, at most 128 bytes.
    pub field: String,
    /// What happened to the member.
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

/// Token usage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct UsageRecord {
    /// Input tokens, including cached ones.
    pub input: u64,
    /// Output tokens, including reasoning.
    pub output: u64,
    /// Input tokens that came from a cache.
    pub cached_input: u64,
    /// Input tokens that were written to a cache.
    pub cache_write_input: u64,
    /// Output tokens of the reasoning.
    pub reasoning: u64,
}

impl From<Usage> for UsageRecord {
    fn from(usage: Usage) -> Self {
        let Usage {
            input,
            output,
            cached_input,
            cache_write_input,
            reasoning,
        } = usage;
        Self {
            input,
            output,
            cached_input,
            cache_write_input,
            reasoning,
        }
    }
}

/// A step and its time.
#[derive(Debug, Clone, Serialize)]
pub struct TimedStep {
    /// Milliseconds since the call began.
    pub after_ms: u64,
    /// The step.
    #[serde(flatten)]
    pub step: Step,
}

/// One decision.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "step", rename_all = "kebab-case")]
pub enum Step {
    /// A credential was chosen.
    Picked(PickStep),
    /// No credential was available.
    Unavailable {
        /// The round, from 1.
        round: u32,
        /// The counts by reason; `None` if no credential serves the model.
        #[serde(flatten)]
        reasons: Option<UnavailableCounts>,
    },
    /// The executor planned a request.
    Planned(PlanStep),
    /// An attempt ended.
    Attempt(AttemptStep),
    /// The call waited.
    Wait {
        /// Why it waited.
        #[serde(rename = "for")]
        reason: WaitReason,
        /// How long it waited, in milliseconds.
        ms: u64,
    },
    /// The tokens of a credential were refreshed, or the refresh failed.
    Refresh {
        /// The credential.
        credential: Arc<str>,
        /// Why the refresh failed; `None` if it succeeded.
        error: Option<String>,
    },
    /// The provider refused the signatures of the request. The credential gets it once more without them.
    SignaturesRefused {
        /// The credential.
        credential: Arc<str>,
        /// The provider's message.
        error: String,
    },
    /// Another model replaces the previous one.
    Fallback {
        /// The other model.
        to: Arc<str>,
        /// Why the previous model failed: a kind of failure, or a label such as `unavailable`.
        reason: Arc<str>,
    },
    /// The provider's retry budget allowed no further attempt.
    BudgetExhausted {
        /// The provider.
        provider: Arc<str>,
    },
    /// What an executor wrote is not a response of its dialect.
    PluginFault {
        /// Name, version and generation of the executor.
        plugin: String,
        /// What is wrong.
        error: String,
        /// How it begins, at most 256 bytes; `None` if there is nothing to show, or if it shows a secret.
        returned: Option<String>,
    },
    /// The wait for free capacity failed.
    QueueFailed {
        /// Why.
        error: String,
    },
}

/// A selection.
#[derive(Debug, Clone, Serialize)]
pub struct PickStep {
    /// The credential.
    pub credential: Arc<str>,
    /// The round, from 1.
    pub round: u32,
    /// The number of candidates. All have the same priority.
    pub candidates: usize,
    /// The priority of the candidates.
    pub priority: i32,
    /// Available credentials that were left out: it is the turn of others there, they are slow, or their site or
    /// provider fails.
    pub passed_over: u32,
    /// Whether the credential cools or has just cooled by a guess, and the attempt finds out whether it still has to.
    pub trial: bool,
    /// Why the selector failed, so that the first candidate was taken; `None` if it succeeded.
    pub selector_fault: Option<String>,
}

/// A plan for an attempt.
#[derive(Debug, Clone, Serialize)]
pub struct PlanStep {
    /// The executor: its name and generation.
    pub executor: String,
    /// Whether the plan was made for an earlier call, so that the executor was not called.
    pub remembered: bool,
    /// What the executor can see.
    pub sees: Sees,
}

/// How an attempt ended.
#[derive(Debug, Clone, Serialize)]
pub struct AttemptStep {
    /// The credential.
    pub credential: Arc<str>,
    /// The provider of the credential.
    pub provider: Arc<str>,
    /// The provider's name for the model.
    pub model: Arc<str>,
    /// Whether the attempt was a probe of a cooling credential.
    pub probe: bool,
    /// The duration, in milliseconds.
    pub ms: u64,
    /// Time to the first byte of the response, in milliseconds, if one arrived.
    pub first_byte_ms: Option<u64>,
    /// What cools by it: `account`, `model`, `lane`, `site` or `way`. Empty if nothing does.
    pub cooled: Vec<&'static str>,
    /// The result.
    #[serde(flatten)]
    pub outcome: AttemptOutcome,
}

/// The result of an attempt.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
pub enum AttemptOutcome {
    /// The client disconnected, or the call timed out.
    Cancelled,
    /// The provider or the connection to it failed.
    Failed {
        /// What failed: request, model, credential, provider or transport.
        scope: &'static str,
        /// The kind of failure.
        kind: String,
        /// The provider's status code.
        status: Option<u16>,
        /// A sentence for people, without secrets, at most 512 bytes.
        message: String,
        /// The provider's retry-after, in milliseconds.
        retry_after_ms: Option<u64>,
    },
    /// The response was complete.
    Success,
    /// The result says nothing about the credential: a plugin failed, or a refresh follows.
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

/// How many credentials were unavailable, by reason; see [`Reasons`].
#[derive(Debug, Clone, Serialize)]
pub struct UnavailableCounts {
    disabled: u32,
    tried: u32,
    barred: u32,
    cooling: u32,
    probing: u32,
    /// Of the cooling ones, those that the call may try, if it were not the turn of others.
    turns: u32,
    busy: u32,
    rounds_exhausted: u32,
    /// How long until the first of the cooling ones becomes available, in milliseconds.
    retry_in_ms: Option<u64>,
    /// Why that one cools.
    first: Option<CoolingRecord>,
}

/// Why a credential cools.
#[derive(Debug, Clone, Serialize)]
struct CoolingRecord {
    /// Whose window it is: `account`, `model`, `lane`, or with all credentials `site` or `way`.
    place: &'static str,
    /// The class of the window: `limit`, `overload`, `outage`, `refused`, `billing` or `missing`.
    class: &'static str,
}

impl From<&CoolingCause> for CoolingRecord {
    fn from(cause: &CoolingCause) -> Self {
        Self {
            place: cause.place.label(),
            class: cause.class.label(),
        }
    }
}

impl UnavailableCounts {
    /// The counts; `now` turns the retry time into a duration.
    pub(crate) fn of(reasons: &Reasons, now: Timestamp) -> Self {
        Self {
            disabled: reasons.disabled,
            tried: reasons.tried,
            barred: reasons.barred,
            cooling: reasons.cooling,
            probing: reasons.probing,
            turns: reasons.turns,
            busy: reasons.busy,
            rounds_exhausted: reasons.rounds_exhausted,
            retry_in_ms: reasons.retry_at.map(|at| millis(at.saturating_since(now))),
            first: reasons.first.as_ref().map(CoolingRecord::from),
        }
    }
}

/// Why a call waited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum WaitReason {
    /// The end of a cooldown.
    Cooldown,
    /// Free capacity of a credential.
    Queue,
    /// The selector required it.
    Selector,
}

/// How a call ended.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
pub enum CallOutcome {
    /// The response is complete.
    Completed,
    /// The response failed after its first content.
    Interrupted {
        /// Why, at most 512 bytes.
        message: String,
    },
    /// The client disconnected.
    Cancelled,
    /// The client received an error.
    Failed {
        /// The code of the error.
        code: &'static str,
        /// Why, at most 512 bytes.
        message: String,
    },
}

impl CallOutcome {
    pub(crate) fn interrupted(message: &str) -> Self {
        Self::Interrupted {
            message: truncate(message, MESSAGE_BYTES_MAX).to_owned(),
        }
    }

    pub(crate) fn of(error: &CallError) -> Self {
        Self::Failed {
            code: error.code().unwrap_or(error.label()),
            message: truncate(&error.to_string(), MESSAGE_BYTES_MAX).to_owned(),
        }
    }
}

/// The duration in whole milliseconds, at most `u64::MAX`.
pub(crate) fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// The text if it is short enough, otherwise a truncated copy.
pub(super) fn short(text: &Arc<str>, bytes_max: usize) -> Arc<str> {
    if text.len() <= bytes_max {
        return Arc::clone(text);
    }
    Arc::from(truncate(text, bytes_max))
}

/// The longest name of a model, in bytes. A client's may be as long as its body.
pub(super) const NAME_BYTES_MAX: usize = 256;

/// The longest name of a member, in bytes. A client's may be as long as its body.
const FIELD_BYTES_MAX: usize = 128;

/// The longest message, in bytes: one long sentence.
const MESSAGE_BYTES_MAX: usize = 512;
