//! The dialect `openai-chat`: chat completions as OpenAI documents them, and as the many providers that
//! speak them really send them.

mod body_check;
mod chunk;
mod citations;
mod decode_request;
mod decoder;
mod encode_request;
mod encoder;
mod finish_reason;
#[cfg(test)]
pub(crate) mod json_strategy;
mod media;
mod message;
mod observer;
mod reasoning;
mod render;
mod response;
mod tool_calls;
mod usage;

pub use body_check::check_body;
pub use decode_request::decode_request;
pub use decoder::decoder;
pub use encode_request::encode_request;
pub use encoder::encoder;
pub use observer::StreamObserver;
pub use render::{error_kind, model, model_list, render_error, render_stream_error};
pub use response::{decode_response, encode_response};

// OpenAI's older API, the text completions, has these alike.
pub(crate) use decode_request::{
    decode_sampling as read_sampling, decode_stop as read_stop, include_usage, reject_multiple,
};
pub(crate) use encode_request::{encode_sampling as write_sampling, encode_stop as write_stop};
pub(crate) use encoder::{error_body, frame};
pub(crate) use render::to_json;
pub(crate) use usage::encode as write_usage;
