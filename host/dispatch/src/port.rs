//! The ports: what others implement so that a call can be carried out. `runtime` implements
//! executors and selectors, `http` implements the upstream. Nothing here performs anything.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::Stream;
use http::{HeaderMap, StatusCode};
use jackfield_auth::CandidateSet;

use crate::plan::{Context, Evaluation, Frame, Output, Plan, Refusal, UpstreamRequest};

/// A future behind a port.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Speaks to one kind of provider, by planning requests for the host to send.
pub trait Executor: Send + Sync + fmt::Debug {
    /// Which plugin this is.
    fn plugin(&self) -> &PluginId;

    /// What it said of itself when it was loaded.
    fn descriptor(&self) -> &Descriptor;

    /// Is told that the host found a fault in what it planned.
    fn note_fault(&self);

    /// Plans one attempt.
    fn prepare<'a>(
        &'a self,
        context: &'a Context,
        body: &'a Bytes,
    ) -> BoxFuture<'a, Result<Plan, Rejection>>;

    /// Classifies an error answer. Called only if the descriptor says that it judges. What an
    /// executor does not classify itself, it has [settled](crate::settled) by the host's own rules.
    fn judge<'a>(
        &'a self,
        context: &'a Context,
        body: &'a Bytes,
        head: &'a ResponseHead,
        response: &'a Bytes,
    ) -> BoxFuture<'a, Result<Refusal, PluginFault>>;

    /// Begins the answer to a plan that wants to see it.
    fn reply<'a>(
        &'a self,
        context: &'a Context,
        body: &'a Bytes,
        state: Bytes,
    ) -> BoxFuture<'a, Result<Box<dyn PluginReply>, PluginFault>>;

    /// Whether tokens are to be renewed now; none leaves it to interval and lead. Called only if the
    /// descriptor says that it evaluates.
    fn should_refresh<'a>(
        &'a self,
        _evaluation: &'a Evaluation,
    ) -> BoxFuture<'a, Result<Option<bool>, PluginFault>> {
        Box::pin(async { Ok(None) })
    }
}

/// One answer that passes through an executor. Dropping it drops the guest's instance.
pub trait PluginReply: Send {
    /// Turns the head of the provider's answer into that of the client's.
    fn head(&mut self, head: ResponseHead) -> BoxFuture<'_, Result<ResponseHead, Rejection>>;

    /// Takes the frames that are ready; `last` if the answer has ended.
    fn push(&mut self, frames: Vec<Frame>, last: bool) -> BoxFuture<'_, Result<Output, Rejection>>;
}

/// Chooses among the candidates.
pub trait Selector: Send + Sync + fmt::Debug {
    /// Which plugin this is.
    fn plugin(&self) -> &PluginId;

    /// Chooses. The candidates are read only as far as the selector asks.
    fn pick<'a>(
        &'a self,
        context: &'a PickContext,
        candidates: Arc<dyn Columns>,
    ) -> BoxFuture<'a, Result<Choice, PluginFault>>;
}

/// The candidates of one pick, a column at a time; every column has [`len`](Columns::len) values.
/// `wit/candidates.wit` says what each means.
#[expect(
    clippy::len_without_is_empty,
    reason = "a pick without a candidate is never asked for"
)]
pub trait Columns: Send + Sync + 'static {
    /// How many there are; at least one.
    fn len(&self) -> usize;
    /// A number that stands for each: a hash of its id, of 53 bits, the same for ever.
    fn identities(&self) -> Vec<u64>;
    /// Weights as configured.
    fn weights(&self) -> Vec<u32>;
    /// Attempts under way.
    fn in_flight(&self) -> Vec<u32>;
    /// Failed attempts, in thousandths.
    fn error_permille(&self) -> Vec<u16>;
    /// Time to the first byte, in milliseconds; 0 while unknown.
    fn latency_ms(&self) -> Vec<u32>;
    /// Quota left, in thousandths; 1000 while unknown.
    fn quota_left_permille(&self) -> Vec<u16>;
    /// End of the quota's window, in milliseconds since the Unix epoch; 0 while unknown.
    fn quota_reset_ms(&self) -> Vec<u64>;
    /// Last use, in milliseconds since the Unix epoch; 0 for never.
    fn last_used_ms(&self) -> Vec<u64>;
    /// One attribute of each.
    fn attribute(&self, name: &str) -> Vec<Option<String>>;
}

/// The auth manager's candidates, read through its lock a column at a time.
impl Columns for CandidateSet {
    fn len(&self) -> usize {
        Self::len(self)
    }

    fn identities(&self) -> Vec<u64> {
        Self::identities(self)
    }

    fn weights(&self) -> Vec<u32> {
        Self::weights(self)
    }

    fn in_flight(&self) -> Vec<u32> {
        Self::in_flight(self)
    }

    fn error_permille(&self) -> Vec<u16> {
        Self::error_permille(self)
    }

    fn latency_ms(&self) -> Vec<u32> {
        Self::latency_ms(self)
    }

    fn quota_left_permille(&self) -> Vec<u16> {
        Self::quota_left_permille(self)
    }

    fn quota_reset_ms(&self) -> Vec<u64> {
        Self::quota_reset_ms(self)
    }

    fn last_used_ms(&self) -> Vec<u64> {
        Self::last_used_ms(self)
    }

    fn attribute(&self, name: &str) -> Vec<Option<String>> {
        Self::attribute(self, name)
    }
}

/// What a selector decides by, beside the candidates.
#[derive(Debug, Clone)]
pub struct PickContext {
    /// The name of the model as the route knows it.
    pub model: Arc<str>,
    /// The client's dialect.
    pub dialect: &'static str,
    /// 0 for a call's first attempt.
    pub attempt: u32,
    /// Counts the picks of this route.
    pub sequence: u64,
    /// A hash of the client's session, if it has one, of 53 bits.
    pub affinity: Option<u64>,
    /// 53 random bits.
    pub random: u64,
    /// Milliseconds since the Unix epoch.
    pub now_ms: u64,
    /// The selector's settings, as the text of a JSON object.
    pub settings: Arc<str>,
}

/// What a selector answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Choice {
    /// The candidate at this index.
    Candidate(usize),
    /// Nobody yet: ask again in so many milliseconds.
    WaitMs(u32),
    /// Nobody, and why.
    None(String),
}

/// What an executor says of itself.
#[derive(Debug, Clone, Default)]
pub struct Descriptor {
    /// The plugin's own version.
    pub version: String,
    /// The dialects that it accepts, best first.
    pub dialects: Vec<String>,
    /// The operations that it plans.
    pub operations: Vec<String>,
    /// Hosts that it wants beside the credential's own: a host, `*.` and a domain, or `*`. The
    /// operator's grants decide.
    pub hosts: Vec<String>,
    /// How long before their end tokens should be renewed.
    pub refresh_lead: Option<Duration>,
    /// Whether it classifies error answers itself.
    pub judges_errors: bool,
    /// Whether it has an opinion of its own on when tokens are renewed.
    pub evaluates_refresh: bool,
    /// What else it says of itself, by name; unknown names are ignored.
    pub options: Vec<(String, String)>,
}

impl Descriptor {
    /// Whether the executor plans this operation.
    pub(crate) fn plans(&self, operation: &str) -> bool {
        self.operations.iter().any(|planned| planned == operation)
    }
}

/// A plugin, as logs, errors and the admin API name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PluginId {
    /// The name: that of its file.
    pub name: Arc<str>,
    /// Counts the versions that have served under this name, from 1.
    pub generation: u64,
}

impl fmt::Display for PluginId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}#{}", self.name, self.generation)
    }
}

/// What an executor says instead of a plan or an answer.
#[derive(Debug)]
pub enum Rejection {
    /// The executor classified a failure.
    Refused(Box<Refusal>),
    /// The executor itself failed.
    Fault(PluginFault),
}

impl From<PluginFault> for Rejection {
    fn from(fault: PluginFault) -> Self {
        Self::Fault(fault)
    }
}

/// A plugin that trapped, exceeded a limit or returned an invalid response. No credential is penalized.
#[derive(Debug, Clone, thiserror::Error)]
#[error("plugin {plugin} {kind}: {detail}")]
pub struct PluginFault {
    /// Which plugin.
    pub plugin: PluginId,
    /// What it did.
    pub kind: FaultKind,
    /// More about it, for the plugin's author. Nothing of a client's content.
    pub detail: String,
}

/// What a plugin did wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FaultKind {
    /// It answered something that the contract does not allow.
    InvalidOutput,
    /// It could not be given an instance in time.
    Overloaded,
    /// It answered with more than the output limit.
    OverOutput,
    /// It ran for longer than a call may.
    OverTime,
    /// It trapped: a panic, or memory beyond the limit.
    Trapped,
}

impl FaultKind {
    /// A label of few values, for metrics and the admin API.
    pub fn label(self) -> &'static str {
        match self {
            Self::InvalidOutput => "invalid-output",
            Self::Overloaded => "overloaded",
            Self::OverOutput => "over-output",
            Self::OverTime => "over-time",
            Self::Trapped => "trapped",
        }
    }
}

impl fmt::Display for FaultKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::InvalidOutput => "returned an invalid response",
            Self::Overloaded => "had no free instance",
            Self::OverOutput => "returned too much output",
            Self::OverTime => "ran out of time",
            Self::Trapped => "trapped",
        })
    }
}

/// The beginning of an HTTP answer.
#[derive(Debug, Clone)]
pub struct ResponseHead {
    /// The status code.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
}

/// Sends what was planned.
pub trait Upstream: Send + Sync {
    /// Sends a request and waits for the head of the answer. Connecting is bounded by the
    /// implementation's own connect timeout; the rest by the caller, who drops the future.
    fn send(
        &self,
        request: UpstreamRequest,
    ) -> BoxFuture<'_, Result<UpstreamResponse, TransportError>>;
}

/// An answer whose body is still to come. Dropping it closes the connection.
pub struct UpstreamResponse {
    /// Its beginning.
    pub head: ResponseHead,
    /// Its body.
    pub body: UpstreamBody,
}

/// The body of an answer, pulled piece by piece.
pub type UpstreamBody = Pin<Box<dyn Stream<Item = Result<Bytes, TransportError>> + Send>>;

/// The way to a provider failed.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{doing}: {cause}")]
pub struct TransportError {
    /// What was tried: connecting, sending, reading.
    pub doing: &'static str,
    /// The chain of causes, in words. Without the URL's query, which may hold a secret.
    pub cause: String,
}
