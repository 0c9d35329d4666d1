//! The interlingua: the common form that any two dialects are translated through. It holds what at least two of them
//! can say; what only one can say is refused or dropped by name, never silently.
//!
//! A request becomes a [`Request`], an answer an [`Answer`], a stream a sequence of [`Event`]s. Each
//! dialect's module reads its own wire format into these and writes them out again; no module knows
//! another dialect.

mod response;
mod event;
mod object_reader;
pub(crate) mod loss;
mod report;
mod response_context;
mod part;
mod request;
mod signature;

pub use response::{Response, FinishReason};
pub use event::{PartStart, Delta, Event, EventDecoder, EventEncoder, Frame, Malformed};
pub use report::{TranslationReport, TranslationError, WARNINGS_MAX, Warning};
pub use response_context::ResponseContext;
pub use part::{Citation, Media, Part, MediaSource, ReasoningPart, ToolCall, ToolResult};
pub use request::{
    Effort, Format, Reasoning, Request, Role, Sampling, Tool, ToolChoice, ToolKind, Turn,
};
pub use signature::Signature;

pub(crate) use object_reader::ObjectReader;
pub(crate) use part::standard_base64;
