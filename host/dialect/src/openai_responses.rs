//! The dialect `openai-responses`: responses as OpenAI documents them in its API reference
//! (<https://platform.openai.com/docs/api-reference/responses>) and in the types of its own clients.

mod annotation;
mod answer;
mod content;
mod conversation;
mod decode_request;
mod decoder;
mod encode_request;
mod encoder;
mod input;
mod item;
mod observe;
mod record;
mod render;
mod response;
mod tools;
mod turns;
mod usage;

pub use answer::{decode_answer, read_answer};
pub use decode_request::decode_request;
pub use decoder::decoder;
pub use encode_request::encode_request;
pub use encoder::encoder;
pub use observe::StreamObserver;
pub use render::{error_kind, render_error, render_stream_error};
pub use response::encode_answer;

/// The dialect that this module is of.
const HOME: crate::Dialect = crate::Dialect::OpenaiResponses;

#[cfg(test)]
mod tests;
