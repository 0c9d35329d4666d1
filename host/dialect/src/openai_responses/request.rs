//! Requests: a client's is decoded, a provider's is encoded.

pub(super) mod decode;
pub(super) mod encode;

pub(super) use decode::decode_request;
pub(super) use encode::encode_request;
