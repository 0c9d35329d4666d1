//! Server-sent events as the WHATWG specifies them: split from a stream without changing a byte, and
//! written.

mod block;
mod reader;
mod sniff;
#[cfg(test)]
mod tests;
mod writer;

pub use crate::limits::EVENT_BYTES_MAX;
pub use reader::{SseError, SseEvent, SseReader};
pub use sniff::{begins_like_json, begins_like_stream};
pub use writer::{KEEP_ALIVE_COMMENT, write_event};
