//! The dialect `openai-chat`: chat completions, as OpenAI documents them and as the many providers that
//! offer them really send them.

mod citations;
pub mod embeddings;
mod error;
#[cfg(test)]
pub(crate) mod json_strategy;
mod media;
mod models;
mod reasoning;
mod request;
mod response;
mod stream;
mod tools;
mod usage;

pub use error::{error_kind, render_error, render_stream_error};
pub use models::{model, model_list};
pub use request::{decode_request, encode_request};
pub use response::{check_body, decode_response, encode_response};
pub use stream::{StreamObserver, decoder, encoder};

// The text completions, OpenAI's older API, share these.
pub(crate) use request::decode::{decode_sampling, decode_stop, include_usage, reject_multiple};
pub(crate) use request::encode::{encode_sampling, encode_stop};
pub(crate) use stream::writer::{error_body, frame};
pub(crate) use usage::encode as encode_usage;

use crate::Dialect;

/// The dialect of this module.
const DIALECT: Dialect = Dialect::OpenaiChat;
