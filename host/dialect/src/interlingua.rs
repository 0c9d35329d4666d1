//! The interlingua: the common form that any two dialects are translated through. It holds what at least two of them
//! can say; what only one can say is refused or dropped by name, never silently.
//!
//! A request becomes a [`Request`], an answer an [`Answer`], a stream a sequence of [`Event`]s. Each
//! dialect's module reads its own wire format into these and writes them out again; no module knows
//! another dialect.

mod answer;
mod event;
mod fields;
pub(crate) mod loss;
mod notes;
mod owed;
mod part;
mod request;
mod signature;

pub use answer::{Answer, Finish};
pub use event::{Begun, Delta, Event, EventDecoder, EventEncoder, Frame, Malformed};
pub use notes::{Notes, Refusal, WARNINGS_MAX, Warning};
pub use owed::Owed;
pub use part::{Citation, Media, Part, Source, Thought, ToolCall, ToolResult};
pub use request::{
    Effort, Format, Reasoning, Request, Role, Sampling, Tool, ToolChoice, ToolKind, Turn,
};
pub use signature::Signature;

pub(crate) use fields::Fields;
pub(crate) use part::standard_base64;
