//! The ports that other crates implement: `runtime` implements executors and selectors, `http`
//! implements the upstream. Only traits and data.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::Stream;
use http::{HeaderMap, StatusCode};
use jackfield_auth::CandidateSet;

use crate::client_digest::ClientDigest;
use crate::plan::{Context, Evaluation, Frame, Output, Planned, Refusal, UpstreamRequest};
use crate::quota_headers::QuotaHeaders;
use crate::sees::Sees;

/// A future behind a port.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// An adapter for one kind of provider. It plans requests, which the host sends.
pub trait Executor: Send + Sync + fmt::Debug {
    /// The plugin.
    fn plugin(&self) -> &PluginId;

    /// What it declared when it was loaded.
    fn descriptor(&self) -> &Descriptor;

    /// Counts a fault that the host found in the plugin's output for this client.
    fn note_fault(&self, client: ClientDigest);

    /// Plans one attempt, or returns a plan that the executor made for an earlier call and that is the same
    /// for this one.
    fn prepare<'a>(
        &'a self,
        context: &'a Context,
        body: &'a Bytes,
    ) -> BoxFuture<'a, Result<Planned, Rejection>>;

    /// Plans one attempt again: the remembered plan did not fit the call, and is forgotten.
    fn prepare_again<'a>(
        &'a self,
        context: &'a Context,
        body: &'a Bytes,
    ) -> BoxFuture<'a, Result<Planned, Rejection>> {
        self.prepare(context, body)
    }

    /// Classifies an error response. Called only if the descriptor sets `judges_errors`. The
    /// implementation passes the result through [`or_default_rules`](crate::or_default_rules).
    fn judge<'a>(
        &'a self,
        context: &'a Context,
        body: &'a Bytes,
        head: &'a ResponseHead,
        response: &'a Bytes,
    ) -> BoxFuture<'a, Result<Refusal, PluginFault>>;

    /// Starts the reply to a plan whose response mode is not `Relay`.
    fn reply<'a>(
        &'a self,
        context: &'a Context,
        body: &'a Bytes,
        state: Bytes,
    ) -> BoxFuture<'a, Result<Box<dyn PluginReply>, PluginFault>>;

    /// Whether to refresh tokens now; `None` leaves it to the interval and the lead. Called only if the
    /// descriptor sets `evaluates_refresh`.
    fn should_refresh<'a>(
        &'a self,
        _evaluation: &'a Evaluation,
    ) -> BoxFuture<'a, Result<Option<bool>, PluginFault>> {
        Box::pin(async { Ok(None) })
    }
}

/// A response that an executor processes. Dropping it drops the plugin's instance.
pub trait PluginReply: Send {
    /// Turns the head of the provider's response into that of the client's.
    fn head(&mut self, head: ResponseHead) -> BoxFuture<'_, Result<ResponseHead, Rejection>>;

    /// Pushes the frames that are complete; `last` if the response has ended.
    fn push(&mut self, frames: Vec<Frame>, last: bool) -> BoxFuture<'_, Result<Output, Rejection>>;
}

/// A policy that picks one of the candidates.
pub trait Selector: Send + Sync + fmt::Debug {
    /// The plugin.
    fn plugin(&self) -> &PluginId;

    /// Picks a candidate. Only the columns that the selector reads are computed.
    fn pick<'a>(
        &'a self,
        context: &'a PickContext,
        candidates: Arc<dyn Columns>,
    ) -> BoxFuture<'a, Result<Choice, PluginFault>>;
}

/// The candidates of one pick, a column at a time; every column has [`len`](Columns::len) values.
/// `wit/candidates.wit` describes them.
#[expect(
    clippy::len_without_is_empty,
    reason = "there is no pick without a candidate"
)]
pub trait Columns: Send + Sync + 'static {
    /// The number of candidates, at least one.
    fn len(&self) -> usize;
    /// A stable identity of each: a hash of the credential's id, with 53 bits.
    fn identities(&self) -> Vec<u64>;
    /// The configured weights.
    fn weights(&self) -> Vec<u32>;
    /// Attempts in flight.
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

/// The input of a selector, beside the candidates.
#[derive(Debug, Clone)]
pub struct PickContext {
    /// The client's name for the model, without its suffix.
    pub model: Arc<str>,
    /// The client's dialect.
    pub dialect: &'static str,
    /// The operation, by its name in the plugin contract.
    pub operation: &'static str,
    /// Whether the client requested a stream.
    pub stream: bool,
    /// 0 for a call's first attempt.
    pub attempt: u32,
    /// The number of picks so far for this model.
    pub sequence: u64,
    /// A hash of the client's session, with 53 bits, if the call names one.
    pub affinity: Option<u64>,
    /// 53 random bits.
    pub random: u64,
    /// Milliseconds since the Unix epoch.
    pub now_ms: u64,
    /// The selector's settings, as the text of a JSON object.
    pub settings: Arc<str>,
    /// The client that calls. It is not passed on to the plugin.
    pub client: ClientDigest,
    /// The id of the client's call, for the log. It is not passed on to the plugin.
    pub call: Arc<str>,
}

/// The result of a pick.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Choice {
    /// The candidate at this index.
    Candidate(usize),
    /// No candidate yet: call again after this time, in milliseconds.
    WaitMs(u32),
    /// No candidate, and why.
    None(String),
    /// The selector of this name chooses.
    Delegate(String),
}

/// What an executor declares.
#[derive(Debug, Clone, Default)]
pub struct Descriptor {
    /// The plugin's own version.
    pub version: String,
    /// The dialects that it accepts, the best one first.
    pub dialects: Vec<String>,
    /// The operations that it plans.
    pub operations: Vec<String>,
    /// Hosts that it needs beside the provider's own: a host, `*.` and a domain, or `*`. The operator
    /// must grant them.
    pub hosts: Vec<String>,
    /// How long before their expiry tokens should be refreshed.
    pub refresh_lead: Option<Duration>,
    /// What of a client and of its responses it can see.
    pub sees: Sees,
    /// Whether it classifies error responses itself.
    pub judges_errors: bool,
    /// Whether it decides itself when tokens are refreshed.
    pub evaluates_refresh: bool,
    /// The headers in which responses say what is left of an allowance.
    pub quota_headers: Vec<QuotaHeaders>,
    /// Further options by name; unknown names are ignored.
    pub options: Vec<(String, String)>,
}

impl Descriptor {
    /// Returns the dialects that the executor accepts for a model: the one of the first option
    /// [`DIALECT_OF_MODELS`] that matches, otherwise all of [`Self::dialects`].
    pub(crate) fn dialects_for(&self, model: &str) -> &[String] {
        let rules = self.options.iter();
        let rules = rules.filter(|(name, _)| name == DIALECT_OF_MODELS);
        let matching = rules
            .filter_map(|(_, rule)| rule.split_once('='))
            .find(|(pattern, _)| match pattern.strip_suffix('*') {
                Some(beginning) => model.starts_with(beginning),
                None => model == *pattern,
            });
        let declared = matching
            .and_then(|(_, dialect)| self.dialects.iter().position(|known| known == dialect));
        match declared {
            Some(at) => &self.dialects[at..=at],
            None => &self.dialects,
        }
    }

    /// Whether the executor plans this operation.
    pub(crate) fn plans(&self, operation: &str) -> bool {
        self.operations.iter().any(|planned| planned == operation)
    }
}

/// The descriptor's option for providers whose models speak different dialects; see `wit/executor.wit`.
const DIALECT_OF_MODELS: &str = "dialect-of-models";

/// The identity of a plugin in logs, errors and the admin API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PluginId {
    /// The name of the plugin's file.
    pub name: Arc<str>,
    /// The number of the version under this name, from 1.
    pub generation: u64,
}

impl fmt::Display for PluginId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}#{}", self.name, self.generation)
    }
}

/// Why an executor returned no plan or no response.
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
    /// It is not called: it failed in most calls, for several clients.
    Suspended {
        /// When the next call is let through, as a trial.
        retry_after: Duration,
    },
    /// It is not called for this client, on whose requests it failed.
    SuspendedForClient {
        /// When the client's next call is let through, as a trial.
        retry_after: Duration,
    },
    /// It trapped: a panic, or memory beyond the limit.
    Trapped,
}

impl FaultKind {
    /// When a plugin that is not called gets its next call; `None` for the faults of a call.
    pub fn retry_after(self) -> Option<Duration> {
        match self {
            Self::Suspended { retry_after } | Self::SuspendedForClient { retry_after } => {
                Some(retry_after)
            }
            Self::InvalidOutput
            | Self::Overloaded
            | Self::OverOutput
            | Self::OverTime
            | Self::Trapped => None,
        }
    }

    /// A label of few values, for metrics and the admin API.
    pub fn label(self) -> &'static str {
        match self {
            Self::InvalidOutput => "invalid-output",
            Self::Overloaded => "overloaded",
            Self::OverOutput => "over-output",
            Self::OverTime => "over-time",
            Self::Suspended { .. } => "suspended",
            Self::SuspendedForClient { .. } => "suspended-for-client",
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
            Self::Suspended { .. } => "is suspended",
            Self::SuspendedForClient { .. } => "is suspended for this client",
            Self::Trapped => "trapped",
        })
    }
}

/// The head of an HTTP response.
#[derive(Debug, Clone)]
pub struct ResponseHead {
    /// The status code.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
}

/// Sends requests to providers.
pub trait Upstream: Send + Sync {
    /// Sends a request and waits for the head of the response. The implementation limits the time for
    /// connecting ([`UpstreamRequest::connect`]). The caller limits the rest and drops the future.
    fn send(
        &self,
        request: UpstreamRequest,
    ) -> BoxFuture<'_, Result<UpstreamResponse, TransportError>>;
}

/// A response whose body is still to be read. Dropping it closes the connection.
pub struct UpstreamResponse {
    /// The head.
    pub head: ResponseHead,
    /// The body.
    pub body: UpstreamBody,
}

/// The body of a response, in chunks.
pub type UpstreamBody = Pin<Box<dyn Stream<Item = Result<Bytes, TransportError>> + Send>>;

/// The connection to a provider failed.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{doing}: {cause}")]
pub struct TransportError {
    /// What the client was doing: connecting, sending, reading.
    pub doing: &'static str,
    /// The messages of all causes. Without the URL's query, which may contain a secret.
    pub cause: String,
    /// Whether a part of the request may have been sent. `false` if there was no connection: resolving,
    /// connecting, TLS or the proxy failed.
    pub sent: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_rule_for_the_model_decides_its_dialect() {
        let rule = |rule: &str| (DIALECT_OF_MODELS.to_owned(), rule.to_owned());
        let descriptor = Descriptor {
            dialects: ["gemini", "anthropic-messages"].map(str::to_owned).to_vec(),
            options: vec![
                ("other".to_owned(), "x=y".to_owned()),
                rule("claude-x=gemini"),
                rule("claude-*=anthropic-messages"),
                rule("gpt-*=openai-chat"),
            ],
            ..Descriptor::default()
        };
        for (model, dialects) in [
            ("claude-x", &["gemini"][..]),
            ("claude-y", &["anthropic-messages"]),
            ("gemini-z", &["gemini", "anthropic-messages"]),
            // The executor does not accept the dialect of its own rule.
            ("gpt-1", &["gemini", "anthropic-messages"]),
        ] {
            assert_eq!(descriptor.dialects_for(model), dialects, "{model}");
        }
    }
}
