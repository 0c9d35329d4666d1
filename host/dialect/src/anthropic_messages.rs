//! The dialect `anthropic-messages`: Anthropic's messages as its API reference and its SDKs define them,
//! with what is watched of a relayed answer, and the translation into the common form and out of it.

mod answer;
mod block;
mod citation;
mod content;
mod count;
mod decoder;
mod encoder;
mod finish;
mod media;
mod model;
mod observer;
mod offer;
mod render;
mod request;
mod suffix;
mod thinking;
mod turns;
mod usage;
mod verdict;
mod wire;

#[cfg(test)]
mod tests;

pub use answer::{decode_answer, encode_answer};
pub use count::{decode_count, encode_count, encode_count_request};
pub use decoder::decoder;
pub use encoder::encoder;
pub use observer::StreamObserver;
pub use render::{error_kind, model, model_list, render_error, render_stream_error};
pub use request::decode_request;
pub use verdict::read_answer;
pub use wire::encode_request;

pub(crate) use suffix::think;

use crate::Dialect;

/// Whose signatures are at home here.
const HERE: Dialect = Dialect::AnthropicMessages;
