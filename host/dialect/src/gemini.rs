//! The dialect `gemini`: Google's Gemini API, version `v1beta`, as `models/{model}:generateContent` and
//! its kin take and answer it. The model, and whether the answer is streamed, stand in the URL alone.
//!
//! It is JSON of protocol buffers: members are read in camel case and in snake case, and written in
//! camel case (<https://ai.google.dev/api/generate-content>).

mod body_check;
mod array_writer;
mod chunk;
mod citations;
mod token_count;
mod decode_response;
mod decode_request;
mod decoder;
mod encode_response;
mod encode_request;
mod encoder;
mod finish_reason;
mod media;
mod members;
mod render;
mod schema;
mod signatures;
mod observer;
mod thinking_suffix;
#[cfg(test)]
mod tests;
mod usage;

pub use body_check::check_body;
pub use array_writer::ArrayWriter;
pub use token_count::{decode_count, encode_count, encode_count_request};
pub use decode_response::decode_response;
pub use decode_request::decode_request;
pub use decoder::decoder;
pub use encode_response::encode_response;
pub use encode_request::encode_request;
pub use encoder::encoder;
pub use render::{error_kind, model, model_list, render_error, render_stream_error};
pub use observer::StreamObserver;

pub(crate) use members::{body, nested, object};
pub(crate) use thinking_suffix::apply_thinking;

/// Printing can fail only for maps with odd keys, or where a type refuses; what is printed here does
/// neither.
fn print(value: &impl serde::Serialize) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_default()
}
