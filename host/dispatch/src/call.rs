//! A call: one client request, admitted; and the answer to it.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::Stream;
use http::{HeaderMap, StatusCode};
use jackfield_dialect::Dialect;
use jackfield_dialect::ir::Warning;
use tokio::time::Instant;

/// One client request, admitted.
#[derive(Debug, Clone)]
pub struct Call {
    /// Its id, as in the header `x-jackfield-request-id`.
    pub id: Arc<str>,
    /// What the client speaks and is owed.
    pub dialect: Dialect,
    /// What is asked for.
    pub operation: Operation,
    /// The client's name of the model.
    pub model: Arc<str>,
    /// Whether the client asked for a stream, and of which shape.
    pub stream: Option<StreamFraming>,
    /// The body, as it came.
    pub body: Bytes,
    /// Headers that may go on to the provider.
    pub headers: Arc<HeaderMap>,
    /// Who asks: the name of the client's key.
    pub principal: Arc<str>,
    /// What calls of one session have in common; see [`Dispatcher::affinity`](crate::Dispatcher::affinity).
    pub affinity: Option<u64>,
    /// When it must be over, whatever happens.
    pub deadline: Instant,
}

/// What a call asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// How many tokens a request for content has.
    CountTokens,
    /// Vectors of texts.
    Embed(Embed),
    /// Content.
    Generate,
}

/// Which request for vectors it is: Gemini has two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Embed {
    /// Gemini's `batchEmbedContents`.
    Batch,
    /// OpenAI's `embeddings`, or Gemini's `embedContent`.
    Plain,
}

impl Operation {
    /// Its name in the plugin contract.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::CountTokens => "count-tokens",
            Self::Embed(_) => "embed",
            Self::Generate => "generate",
        }
    }
}

/// The shape of a client's stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StreamFraming {
    /// One JSON array, item by item: Gemini's streams where the client did not ask for events.
    Array,
    /// Server-sent events.
    Events,
}

/// The answer to a call.
#[derive(Debug)]
pub struct ClientResponse {
    /// The status code.
    pub status: StatusCode,
    /// The provider's headers that are the client's business.
    pub headers: HeaderMap,
    /// The body.
    pub body: ResponseBody,
    /// What of the request the provider's dialect could not express.
    pub warnings: Vec<Warning>,
    /// Whether the host made it up by an estimate, because no provider could be asked.
    pub estimated: bool,
}

/// The body of an answer.
pub enum ResponseBody {
    /// All of it.
    Whole(Bytes),
    /// Piece by piece, pulled. Dropping it cancels the exchange and settles its lease.
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

/// The pieces of an answer.
pub type ResponseStream = Pin<Box<dyn Stream<Item = Result<Bytes, BodyError>> + Send>>;

/// An answer broke where its dialect has no words for it; the connection must be broken too, or
/// the client would take what it has for the whole.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the answer broke off: {0}")]
pub struct BodyError(pub String);
