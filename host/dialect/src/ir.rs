//! The interlingua: the common form that any two dialects are translated through. It holds what at least two of them
//! can say; what only one can say is refused or dropped by name, never silently.
//!
//! A request becomes a [`Request`], an answer an [`Response`], a stream a sequence of [`SseEvent`]s. Each
//! dialect's module reads its own wire format into these and writes them out again; no module knows
//! another dialect.

mod event;
pub(crate) mod loss;
mod object_reader;
mod part;
mod report;
mod request;
mod response;
mod response_context;
mod signature;

pub use event::{Delta, Event, EventDecoder, EventEncoder, Frame, Malformed, PartStart};
pub use part::{Citation, Media, MediaSource, Part, ReasoningPart, ToolCall, ToolResult};
pub use report::{TranslationError, TranslationReport, WARNINGS_MAX, Warning};
pub use request::{
    Effort, Format, Reasoning, Request, Role, Sampling, Tool, ToolChoice, ToolKind, Turn,
};
pub use response::{FinishReason, Response};
pub use response_context::ResponseContext;
pub use signature::Signature;

pub(crate) use object_reader::ObjectReader;
pub(crate) use part::standard_base64;
