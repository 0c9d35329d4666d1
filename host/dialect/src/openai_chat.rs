//! The dialect `openai-chat`: chat completions as OpenAI documents them, and as the many providers that
//! speak them really send them.

mod answer;
mod calls;
mod chunk;
mod citations;
mod completion;
mod decode;
mod decoder;
mod encode;
mod encoder;
mod finish;
mod media;
mod message;
mod render;
#[cfg(test)]
pub(crate) mod shapes;
mod stream;
mod thought;
mod usage;

pub use answer::read_answer;
pub use completion::{decode_answer, encode_answer};
pub use decode::decode_request;
pub use decoder::decoder;
pub use encode::encode_request;
pub use encoder::encoder;
pub use render::{error_kind, model, model_list, render_error, render_stream_error};
pub use stream::StreamObserver;

// OpenAI's older API, the text completions, has these alike.
pub(crate) use decode::{
    include_usage, refuse_several, sampling as read_sampling, stop as read_stop,
};
pub(crate) use encode::{sampling as write_sampling, stop as write_stop};
pub(crate) use encoder::{frame, told};
pub(crate) use render::print;
pub(crate) use usage::written as write_usage;
