//! Whole responses: a provider's are checked and decoded, a client's are encoded.

pub(super) mod chunk;
pub(super) mod decode;
pub(super) mod encode;
pub(super) mod finish_reason;
pub(super) mod message;
#[cfg(test)]
mod tests;

pub(crate) use decode::{check_body, decode_response};
pub(super) use encode::encode_response;
