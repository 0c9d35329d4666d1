//! Requests: a client's are decoded, a provider's are encoded.

mod decode;
mod encode;

pub(super) use decode::decode_request;
pub(super) use encode::encode_request;
