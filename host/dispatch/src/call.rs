//! A call: one admitted client request, and the response to it.

use std::fmt;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::Stream;
use http::{HeaderMap, StatusCode};
use jackfield_credential::{CredentialId, Endpoint};
use jackfield_dialect::Dialect;
use jackfield_dialect::ir::Warning;
use tokio::time::Instant;

use crate::error::CallError;

/// One admitted client request.
#[derive(Debug, Clone)]
pub struct Call {
    /// The id, as in the header `x-jackfield-request-id`.
    pub id: Arc<str>,
    /// The dialect of the client's request, and of the response.
    pub dialect: Dialect,
    /// What the client requests.
    pub operation: Operation,
    /// The client's name for the model.
    pub model: Arc<str>,
    /// The framing of the requested stream; `None` for a single response.
    pub stream: Option<StreamFraming>,
    /// The body, byte for byte.
    pub body: Bytes,
    /// Headers that may be sent to the provider.
    pub headers: Arc<HeaderMap>,
    /// Whether the client's URL has `beta=true`, which Anthropic's API takes.
    pub beta: bool,
    /// The name of the client key.
    pub principal: Arc<str>,
    /// The client's network: its IPv4 address, or its /64 of IPv6. `None` where clients have keys, or if it is not known.
    pub network: Option<IpAddr>,
    /// A hash of the session; see [`Dispatcher::affinity`](crate::Dispatcher::affinity).
    pub affinity: Option<u64>,
    /// The only credential that the call may use, even while it cools. Only the operator may set it.
    pub pinned: Option<CredentialId>,
    /// When the call times out. A stream must have content by then.
    pub deadline: Instant,
}

impl Call {
    /// Returns what of the model it uses, for health: one path of the client's API.
    #[must_use]
    pub const fn endpoint(&self) -> Endpoint {
        match self.operation {
            Operation::CountTokens => Endpoint::new("count-tokens"),
            Operation::Embed(Embed::Batch) => Endpoint::new("batch-embeddings"),
            Operation::Embed(Embed::Plain) => Endpoint::new("embeddings"),
            Operation::Generate => Endpoint::new(self.dialect.name()),
        }
    }
}

/// What a call requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// The number of tokens in a request for content.
    CountTokens,
    /// Embeddings of texts.
    Embed(Embed),
    /// Content.
    Generate,
}

/// The kind of embeddings request. Gemini has two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Embed {
    /// Gemini's `batchEmbedContents`.
    Batch,
    /// OpenAI's `embeddings`, or Gemini's `embedContent`.
    Plain,
}

impl Operation {
    /// The operation's name in the plugin contract.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::CountTokens => "count-tokens",
            Self::Embed(_) => "embed",
            Self::Generate => "generate",
        }
    }
}

/// How a client's stream is framed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StreamFraming {
    /// One JSON array, item by item: a Gemini stream without `alt=sse`.
    Array,
    /// Server-sent events.
    Events,
}

/// The response to a call.
#[derive(Debug)]
pub struct ClientResponse {
    /// The status code.
    pub status: StatusCode,
    /// The provider's headers that may reach the client.
    pub headers: HeaderMap,
    /// The body.
    pub body: ResponseBody,
    /// Parts of the request that the provider's dialect cannot express.
    pub warnings: Vec<Warning>,
    /// Whether the host estimated the response, because no provider was available.
    pub estimated: bool,
}

/// The body of a response.
pub enum ResponseBody {
    /// The complete body.
    Whole(Bytes),
    /// Chunks, on demand. Dropping the stream cancels the exchange and settles its lease.
    Stream(ResponseStream),
}

impl fmt::Debug for ResponseBody {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole(body) => write!(formatter, "Whole({} bytes)", body.len()),
            Self::Stream(_) => formatter.write_str("Stream"),
        }
    }
}

/// The chunks of a response.
pub type ResponseStream = Pin<Box<dyn Stream<Item = Result<Bytes, BodyError>> + Send>>;

/// Why a body ended early.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// The call failed after the client got the head of its stream, and before any content. The server
    /// must end the stream with an error event in the client's dialect.
    #[error("{}", .0.error)]
    Failed(Box<FailedStream>),
    /// The body failed where its dialect has no way to report it. The server must abort the connection,
    /// or the client would take the partial body for a complete one.
    #[error("the response was interrupted: {0}")]
    Interrupted(String),
}

/// A stream that failed after its client got the head, and what its last event needs.
#[derive(Debug)]
pub struct FailedStream {
    /// Why the call failed.
    pub error: CallError,
    /// The client's dialect.
    pub dialect: Dialect,
    /// The framing of the stream, in which nothing but keep-alives was sent.
    pub framing: StreamFraming,
}
