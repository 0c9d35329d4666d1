//! The dialect `gemini_signature`: Google's Gemini API, version `v1beta`, as `models/{model}:generateContent` and
//! its kin take and answer it. The model, and whether the answer is streamed, stand in the URL alone.
//!
//! It is JSON of protocol buffers: members are read in camel case and in snake case, and written in
//! camel case (<https://ai.google.dev/api/generate-content>).

mod array_writer;
mod body_check;
mod chunk;
mod citations;
mod decode_request;
mod decode_response;
mod decoder;
mod encode_request;
mod encode_response;
mod encoder;
mod finish_reason;
mod media;
mod members;
mod observer;
mod render;
mod schema;
mod signatures;
#[cfg(test)]
mod tests;
mod thinking_suffix;
mod token_count;
mod usage;

pub use array_writer::ArrayWriter;
pub use body_check::check_body;
pub use decode_request::decode_request;
pub use decode_response::decode_response;
pub use decoder::decoder;
pub use encode_request::encode_request;
pub use encode_response::encode_response;
pub use encoder::encoder;
pub use observer::StreamObserver;
pub use render::{error_kind, model, model_list, render_error, render_stream_error};
pub use token_count::{decode_count, encode_count, encode_count_request};

pub(crate) use members::{body, nested, object};
pub(crate) use thinking_suffix::apply_thinking;

/// Printing can fail only for maps with odd keys, or where a type refuses; what is printed here does
/// neither.
fn print(value: &impl serde::Serialize) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_default()
}
