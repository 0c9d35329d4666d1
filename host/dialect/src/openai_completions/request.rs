//! Requests: a client's is decoded, a provider's is encoded.

mod decode;
mod encode;

pub use decode::decode_request;
pub use encode::encode_request;
