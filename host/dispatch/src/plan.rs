//! The data that the host and executors exchange: contexts, plans and their parts.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method};
use jackfield_credential::{Credential, Failure, Timestamp};
use jackfield_dialect::ir::Request;
use jackfield_dialect::item_events::TypedEvent;
use jackfield_dialect::json::Patch;
use url::Url;

use crate::client_digest::ClientDigest;

/// One attempt of one operation. An executor gets the target: all up to `options`. It reads the rest, which
/// differs from call to call, by functions of the host.
#[derive(Debug, Clone)]
pub struct Context {
    /// The operation, by its name in the plugin contract.
    pub operation: &'static str,
    /// The dialect of the body and of the response: one that the executor declared, or [`COMMON_FORM`].
    pub dialect: &'static str,
    /// The provider's name for the model; empty for operations without a model.
    pub model: Arc<str>,
    /// The client's name for the model; empty for operations without a model.
    pub client_model: Arc<str>,
    /// Whether the client requested a stream.
    pub stream: bool,
    /// The credential.
    pub credential: Arc<Credential>,
    /// The provider's settings, as the text of a JSON object.
    pub settings: Arc<str>,
    /// Further parameters of the operation, such as `method` and `url` of `http-request`.
    pub options: Vec<(&'static str, String)>,
    /// 0 for a call's first attempt.
    pub attempt: u32,
    /// Milliseconds since the Unix epoch.
    pub now_ms: u64,
    /// The client's headers that the allow-list contains.
    pub headers: Arc<HeaderMap>,
    /// The parameters of the client's URL that the allow-list contains.
    pub query: Vec<(&'static str, &'static str)>,
    /// The name of the client key; `None` for operations that belong to no client.
    pub principal: Option<Arc<str>>,
    /// A hash of the client's session, with 53 bits, if the call has one.
    pub session: Option<u64>,
    /// The client's request in the common form; only where `dialect` is [`COMMON_FORM`].
    pub conversation: Option<Arc<Request>>,
    /// The client that the operation is for. It is not passed on to the plugin.
    pub client: ClientDigest,
    /// The id of the client's call, for the log; `None` for operations that belong to no call. It is not passed on to
    /// the plugin.
    pub call: Option<Arc<str>>,
}

/// The dialect of executors that read the request in the common form, and return events of it.
pub const COMMON_FORM: &str = "common";

/// The facts by which an executor decides whether to refresh tokens.
#[derive(Debug, Clone)]
pub struct Evaluation {
    /// The credential that holds the tokens.
    pub credential: Arc<Credential>,
    /// When the access token expires, if that is known.
    pub expires_at: Option<Timestamp>,
    /// When the tokens were last refreshed, if that is known.
    pub refreshed_at: Option<Timestamp>,
    /// Milliseconds since the Unix epoch.
    pub now_ms: u64,
    /// The provider's settings, as the text of a JSON object.
    pub settings: Arc<str>,
}

/// A plan, and where it is from.
#[derive(Debug, Clone)]
pub struct Planned {
    plan: Arc<Plan>,
    remembered: bool,
}

impl Planned {
    /// A plan that was made for an earlier call, and is remembered.
    pub fn remembered(plan: Arc<Plan>) -> Self {
        Self {
            plan,
            remembered: true,
        }
    }

    /// Whether it was made for an earlier call.
    pub fn is_remembered(&self) -> bool {
        self.remembered
    }
}

impl From<Plan> for Planned {
    fn from(plan: Plan) -> Self {
        Arc::new(plan).into()
    }
}

impl From<Arc<Plan>> for Planned {
    fn from(plan: Arc<Plan>) -> Self {
        Self {
            plan,
            remembered: false,
        }
    }
}

impl Deref for Planned {
    type Target = Plan;

    fn deref(&self) -> &Plan {
        &self.plan
    }
}

/// An executor's plan for one request. It is the same for all calls for which it is remembered, and so it
/// has nothing of a client that the executor did not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The request to send.
    pub request: PlannedRequest,
    /// How the response is processed.
    pub response_mode: ResponseMode,
    /// Values to take from the response: a JSON pointer, and the name of the secret that it becomes.
    pub captures: Vec<(String, String)>,
    /// State that the executor passes to its reply.
    pub state: Bytes,
    /// How long the host waits before it sends the request: for a further one, which looks at a job that the one before
    /// has submitted. No instance is held meanwhile.
    pub delay: Option<Duration>,
}

/// A request as planned: secrets are named, not placed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedRequest {
    /// The method.
    pub method: Method,
    /// The URL.
    pub url: Url,
    /// The headers.
    pub headers: HeaderMap,
    /// Names of client headers to copy; one that ends with `*` is a prefix. A copied header replaces the one of
    /// `headers`.
    pub forward_headers: Vec<String>,
    /// Names of parameters of the client's URL to copy, in the same way.
    pub forward_query: Vec<String>,
    /// The secrets, by name, and their places.
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
    /// In a field of an urlencoded body.
    Form(String),
    /// In a header, after a prefix.
    Header {
        /// The header's name.
        name: String,
        /// The text before the secret.
        prefix: String,
    },
    /// At a JSON pointer in a body that the executor wrote.
    Json(String),
    /// As the client id in OAuth 2.0's form of HTTP Basic authentication (RFC 6749, section 2.3.1).
    OauthClientId,
    /// As the client secret in the same.
    OauthClientSecret,
    /// In a parameter of the query.
    Query(String),
    /// By a scheme that the host computes for the whole request.
    Scheme {
        /// The scheme's name.
        name: String,
        /// Its parameters.
        parameters: Vec<(String, String)>,
    },
}

/// The body of a planned request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PlannedBody {
    /// No body.
    Empty,
    /// The client's body.
    Original,
    /// The client's body with changes.
    Patched(Vec<Patch>),
    /// A body that the executor wrote.
    Bytes(Bytes),
}

/// How a response is processed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResponseMode {
    /// The executor processes it frame by frame.
    Frames(Framing),
    /// The host forwards or translates it without the executor.
    Relay,
    /// The executor processes it as one frame.
    Whole,
}

/// How a response is split into frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// One frame a message of Amazon's event stream.
    AwsEventStream,
    /// One frame an item of a JSON array.
    JsonArray,
    /// One frame a line.
    Lines,
    /// Chunks as they arrive.
    Raw,
    /// One frame a server-sent event.
    Sse,
}

/// A part of a response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// The name of the server-sent event or of the message; empty for all other framings.
    pub name: String,
    /// The data.
    pub data: Bytes,
}

/// The result of pushing frames into a reply.
#[derive(Debug, Default)]
pub struct Output {
    /// Frames for the client, in the context's dialect.
    pub frames: Vec<Frame>,
    /// Events in place of frames, where the context's dialect is [`COMMON_FORM`].
    pub events: Vec<TypedEvent>,
    /// The response is an error, after these events.
    pub failure: Option<Box<Refusal>>,
    /// The token usage, once it is known.
    pub usage: Option<Usage>,
    /// Whether the reply is complete.
    pub done: bool,
    /// A further request of the attempt.
    pub next: Option<Box<Plan>>,
}

pub use jackfield_dialect::Usage;

/// A failure that an executor classified, with an error response for the client.
#[derive(Debug, Clone)]
pub struct Refusal {
    /// The classified failure.
    pub failure: Failure,
    /// The body of the error response, in the context's dialect; `None` leaves it to the host.
    pub response: Option<Bytes>,
}

/// A request that is ready to be sent: it contains its secrets, and its origin was checked.
pub struct UpstreamRequest {
    /// The method.
    pub method: Method,
    /// The URL.
    pub url: Url,
    /// The headers. Those with secrets are marked as sensitive, which keeps them out of logs.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
    /// The URL of the credential's proxy, which may contain a password.
    pub proxy: Option<Arc<str>>,
    /// Limit for connecting.
    pub connect: Duration,
    /// The connection that may carry it.
    pub connection: Connection,
}

/// The connection that may carry a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Connection {
    /// A new one, for requests that must not be sent twice: a pooled connection may have died, and it is
    /// not certain then whether the request was read.
    New,
    /// One of the pool. If it has died since its last response, the request is sent again over a new one.
    Pooled,
}

impl fmt::Debug for UpstreamRequest {
    /// Omits the query, the headers and the proxy, which may contain secrets.
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
