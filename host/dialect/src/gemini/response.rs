//! Whole responses: a provider's is checked and decoded, a client's is encoded.

pub(super) mod chunk;
pub(super) mod decode;
pub(super) mod encode;
pub(super) mod finish_reason;

pub(super) use decode::{check_body, decode_response};
pub(super) use encode::encode_response;
