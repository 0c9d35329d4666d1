//! The dialect `openai-responses`: responses as OpenAI documents them in its API reference
//! (<https://platform.openai.com/docs/api-reference/responses>) and in the types of its own clients.

mod citations;
mod decode_response;
mod content;
mod conversation;
mod decode_request;
mod decoder;
mod encode_request;
mod encoder;
mod input;
mod item;
mod observer;
mod signatures;
mod render;
mod encode_response;
mod tools;
mod turns;
mod usage;

pub use decode_response::{decode_response, check_body};
pub use decode_request::decode_request;
pub use decoder::decoder;
pub use encode_request::encode_request;
pub use encoder::encoder;
pub use observer::StreamObserver;
pub use render::{error_kind, render_error, render_stream_error};
pub use encode_response::encode_response;

/// The dialect that this module is of.
const DIALECT: crate::Dialect = crate::Dialect::OpenaiResponses;

#[cfg(test)]
mod tests;
