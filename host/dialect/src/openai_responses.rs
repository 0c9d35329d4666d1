//! The dialect `openai-responses`: responses, as OpenAI documents them in its API reference
//! (<https://platform.openai.com/docs/api-reference/responses>) and in the types of its own clients.

mod citations;
mod error;
mod media;
mod reasoning;
mod request;
mod response;
mod stream;
mod tools;
mod usage;

#[cfg(test)]
mod tests;

pub use error::{error_kind, render_error, render_stream_error};
pub use request::{decode_request, encode_request};
pub use response::{check_body, decode_response, encode_response};
pub use stream::{StreamObserver, decoder, encoder};

use crate::Dialect;

/// The dialect of this module.
const DIALECT: Dialect = Dialect::OpenaiResponses;
