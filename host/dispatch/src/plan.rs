//! What passes between the host and an executor: contexts, plans and their parts, as plain data.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method};
use jackfield_credential::{Credential, Failure, Timestamp};
use jackfield_dialect::json::Patch;
use url::Url;

/// One attempt of one operation, as an executor sees it.
#[derive(Debug, Clone)]
pub struct Context {
    /// What is asked for.
    pub operation: &'static str,
    /// The dialect of the client's body and of the answer.
    pub dialect: &'static str,
    /// The provider's name of the model.
    pub model: Arc<str>,
    /// The client's name of the model.
    pub client_model: Arc<str>,
    /// Whether the client asked for a stream.
    pub stream: bool,
    /// 0 for a call's first attempt.
    pub attempt: u32,
    /// Milliseconds since the Unix epoch.
    pub now_ms: u64,
    /// The client's headers that passed the allow-list.
    pub headers: Arc<HeaderMap>,
    /// The credential that was chosen.
    pub credential: Arc<Credential>,
    /// The provider's settings, as the text of a JSON object.
    pub settings: Arc<str>,
    /// What else the operation has: of `http-request` the `method` and the `url`.
    pub options: Vec<(&'static str, String)>,
}

/// What an executor is asked about when it has an opinion on whether tokens are renewed.
#[derive(Debug, Clone)]
pub struct Evaluation {
    /// Whose tokens.
    pub credential: Arc<Credential>,
    /// When the access token ends, where that is known.
    pub expires_at: Option<Timestamp>,
    /// When the tokens were last renewed, where that is known.
    pub refreshed_at: Option<Timestamp>,
    /// Milliseconds since the Unix epoch.
    pub now_ms: u64,
    /// The provider's settings, as the text of a JSON object.
    pub settings: Arc<str>,
}

/// What an executor wants done.
#[derive(Debug)]
pub struct Plan {
    /// What to send.
    pub request: PlannedRequest,
    /// What to do with the answer.
    pub response_mode: ResponseMode,
    /// Values to take out of the answer: a JSON pointer, and the secret that it becomes.
    pub captures: Vec<(String, String)>,
    /// Handed on to the reply.
    pub state: Bytes,
}

/// A request as planned: secrets are named, not placed.
#[derive(Debug)]
pub struct PlannedRequest {
    /// The method.
    pub method: Method,
    /// Where to.
    pub url: Url,
    /// The headers.
    pub headers: HeaderMap,
    /// Which secrets go where.
    pub secrets: Vec<(String, SecretPlace)>,
    /// The body.
    pub body: PlannedBody,
}

/// Where the host puts a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretPlace {
    /// As the password of HTTP Basic authentication.
    BasicPassword,
    /// As the user of HTTP Basic authentication.
    BasicUser,
    /// As a bearer token.
    Bearer,
    /// Into a field of an urlencoded body.
    Form(String),
    /// Into a header, behind a prefix.
    Header {
        /// The header's name.
        name: String,
        /// What stands before the secret.
        prefix: String,
    },
    /// To a JSON pointer in a body of the guest's making.
    Json(String),
    /// As the client's id in the HTTP Basic authentication of OAuth 2.0 (RFC 6749, section 2.3.1).
    OauthClientId,
    /// As the client's secret there.
    OauthClientSecret,
    /// Into a parameter of the query.
    Query(String),
    /// Whatever a keyed scheme of this name does with it.
    Scheme(String),
}

/// What is sent.
#[derive(Debug)]
pub enum PlannedBody {
    /// Nothing.
    Empty,
    /// The client's body.
    Original,
    /// The client's body with changes.
    Patched(Vec<Patch>),
    /// The guest's own.
    Bytes(Bytes),
}

/// How an answer comes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResponseMode {
    /// The guest sees it frame by frame.
    Frames(Framing),
    /// The host relays it.
    Relay,
    /// The guest sees it as one frame.
    Whole,
}

/// How an answer is cut into frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// By lines.
    Lines,
    /// As it comes.
    Raw,
    /// By server-sent events.
    Sse,
}

/// A piece of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// The name of a server-sent event, or empty.
    pub name: String,
    /// Its data.
    pub data: Bytes,
}

/// What a reply makes of frames.
#[derive(Debug, Default)]
pub struct Output {
    /// For the client, in its dialect.
    pub frames: Vec<Frame>,
    /// What the answer cost.
    pub usage: Option<Usage>,
    /// Nothing more will come.
    pub done: bool,
    /// One more round trip.
    pub next: Option<Box<Plan>>,
}

pub use jackfield_dialect::Usage;

/// A failure that an executor classified, with what it would answer the client.
#[derive(Debug, Clone)]
pub struct Refusal {
    /// Whose fault, and what follows.
    pub failure: Failure,
    /// What to answer the client with, in its dialect; none lets the host word it.
    pub response: Option<Bytes>,
}

/// A request that is ready to be sent: secrets are in place and its origin is checked.
pub struct UpstreamRequest {
    /// The method.
    pub method: Method,
    /// Where to.
    pub url: Url,
    /// The headers; those with secrets are marked sensitive, so that no log shows them.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
    /// The proxy that the credential's connections go through.
    pub proxy: Option<Arc<str>>,
    /// How long a connection may take to be made.
    pub connect: Duration,
}

impl fmt::Debug for UpstreamRequest {
    /// Without the query and the proxy, which may hold secrets.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("UpstreamRequest")
            .field("method", &self.method)
            .field("host", &self.url.host_str())
            .field("path", &self.url.path())
            .field("body_bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}
