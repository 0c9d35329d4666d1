//! The dialect `anthropic-messages`: Anthropic's messages as its API reference and its SDKs define them,
//! with what is watched of a relayed answer, and the translation into the common form and out of it.

mod block;
mod body_check;
mod citation;
mod decode_messages;
mod decode_request;
mod decoder;
mod encode_messages;
mod encode_request;
mod encoder;
mod finish_reason;
mod media;
mod model_rules;
mod observer;
mod reasoning;
mod render;
mod response;
mod thinking_suffix;
mod token_count;
mod tools;
mod usage;

#[cfg(test)]
mod tests;

pub use body_check::check_body;
pub use decode_request::decode_request;
pub use decoder::decoder;
pub use encode_request::encode_request;
pub use encoder::encoder;
pub use observer::StreamObserver;
pub use render::{error_kind, model, model_list, render_error, render_stream_error};
pub use response::{decode_response, encode_response};
pub use token_count::{decode_count, encode_count, encode_count_request};

pub(crate) use thinking_suffix::apply_thinking;

use crate::Dialect;

/// Whose signatures are at home here.
const DIALECT: Dialect = Dialect::AnthropicMessages;
