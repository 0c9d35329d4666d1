//! The common form (IR) that all dialects are translated through. It holds what at least two of them
//! support. What only one supports is rejected, or dropped with a warning; never silently.
//!
//! A request becomes a [`Request`], a response a [`Response`], a stream a sequence of [`Event`]s. Each
//! dialect's module decodes its own wire format into these and encodes them again; no module knows
//! another dialect.

mod call_ids;
pub(crate) mod data_url;
mod effort;
mod event;
mod finish_reason;
pub(crate) mod loss;
mod object_reader;
mod part;
mod report;
mod request;
mod response;
mod response_context;
mod signature;
mod tool_names;
mod tool_results;
pub(crate) mod tool_text;

pub use crate::limits::WARNINGS_MAX;
pub use effort::Effort;
pub use event::{Delta, Event, EventDecoder, EventEncoder, Frame, Malformed, PartStart};
pub use finish_reason::FinishReason;
pub use part::{
    CacheMark, Citation, Media, MediaSource, Part, ReasoningPart, ToolCall, ToolResult,
};
pub use report::{TranslationError, TranslationReport, Warning};
pub use request::{
    ClientTool, Format, Reasoning, Request, Role, Sampling, Tool, ToolChoice, ToolKind, Turn,
};
pub use response::Response;
pub use response_context::ResponseContext;
pub use signature::Signature;
pub use tool_names::ToolNames;

pub(crate) use call_ids::CallIds;
pub(crate) use object_reader::ObjectReader;
pub(crate) use part::standard_base64;
pub(crate) use response::split_part;
