//! The dialect `openai-completions`: text completions, the predecessor of the chat. A prompt goes in, and
//! the text that follows it comes out. Errors, and all that a provider sends, are read by the chat's
//! module, whose readers know `text` beside `message` and `delta`.

mod request;
mod response;
mod stream;
#[cfg(test)]
mod tests;

pub use crate::openai_chat::{
    StreamObserver, check_body, decode_response, decoder, error_kind, render_error,
    render_stream_error,
};
pub use request::{decode_request, encode_request};
pub use response::encode_response;
pub use stream::encoder;
