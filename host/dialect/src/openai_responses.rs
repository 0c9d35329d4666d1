//! The dialect `openai-responses`: responses as OpenAI documents them in its API reference
//! (<https://platform.openai.com/docs/api-reference/responses>) and in the types of its own clients.

mod citations;
mod content;
mod conversation;
mod decode_input;
mod decode_request;
mod decode_response;
mod decoder;
mod encode_input;
mod encode_request;
mod encode_response;
mod encoder;
mod item;
mod observer;
mod render;
mod signatures;
mod tools;
mod usage;

pub use decode_request::decode_request;
pub use decode_response::{check_body, decode_response};
pub use decoder::decoder;
pub use encode_request::encode_request;
pub use encode_response::encode_response;
pub use encoder::encoder;
pub use observer::StreamObserver;
pub use render::{error_kind, render_error, render_stream_error};

/// The dialect that this module is of.
const DIALECT: crate::Dialect = crate::Dialect::OpenaiResponses;

#[cfg(test)]
mod tests;
