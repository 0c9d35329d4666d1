//! The dialect `gemini`: Google's Gemini API, version `v1beta`, as `models/{model}:generateContent` and
//! its kin take and answer it. The model, and whether the answer is streamed, stand in the URL alone.
//!
//! It is JSON of protocol buffers: members are read in camel case and in snake case, and written in
//! camel case (<https://ai.google.dev/api/generate-content>).

mod answer;
mod array;
mod chunk;
mod citations;
mod count;
mod decode_answer;
mod decode_request;
mod decoder;
mod encode_answer;
mod encode_request;
mod encoder;
mod finish;
mod media;
mod members;
mod render;
mod schema;
mod signatures;
mod stream;
mod suffix;
#[cfg(test)]
mod tests;
mod usage;

pub use answer::read_answer;
pub use array::ArrayWriter;
pub use count::{decode_count, encode_count, encode_count_request};
pub use decode_answer::decode_answer;
pub use decode_request::decode_request;
pub use decoder::decoder;
pub use encode_answer::encode_answer;
pub use encode_request::encode_request;
pub use encoder::encoder;
pub use render::{error_kind, model, model_list, render_error, render_stream_error};
pub use stream::StreamObserver;

pub(crate) use members::{body, nested, object};
pub(crate) use suffix::think;

/// Printing can fail only for maps with odd keys, or where a type refuses; what is printed here does
/// neither.
fn print(value: &impl serde::Serialize) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_default()
}
