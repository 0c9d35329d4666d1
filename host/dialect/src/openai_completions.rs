//! The dialect `openai-completions`: text completions, the forerunner of the chat. A prompt goes in, and
//! the text that follows it comes out. Errors, and what a provider sends, are read as the chat's are, which
//! has all of it.

mod encoder;
mod request;
mod response;
#[cfg(test)]
mod tests;

pub use crate::openai_chat::{
    StreamObserver, check_body, decode_response, decoder, error_kind, render_error,
    render_stream_error,
};
pub use encoder::encoder;
pub use request::{decode_request, encode_request};
pub use response::encode_response;
