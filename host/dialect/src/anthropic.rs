//! The dialect `anthropic-messages`: Anthropic's Messages API, as its reference and its SDKs define it.

mod citations;
mod error;
mod media;
mod models;
mod reasoning;
mod request;
mod response;
mod stream;
mod token_count;
mod tools;
mod usage;

#[cfg(test)]
mod tests;

pub use error::{error_kind, render_error, render_stream_error};
pub use models::{model, model_list};
pub use request::{decode_request, encode_request};
pub use response::{check_body, decode_response, encode_response};
pub use stream::{StreamObserver, decoder, encoder};
pub use token_count::{decode_count, encode_count, encode_count_request};

pub(crate) use reasoning::suffix::apply_thinking;

use crate::Dialect;

/// The dialect of this module.
const DIALECT: Dialect = Dialect::AnthropicMessages;
