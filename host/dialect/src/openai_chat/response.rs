//! Whole responses: a provider's is checked and decoded, a client's is encoded.

pub(super) mod check;
pub(super) mod chunk;
pub(super) mod decode;
pub(super) mod encode;
pub(super) mod finish_reason;
pub(super) mod message;
#[cfg(test)]
mod tests;

pub(crate) use check::check_body;
pub(crate) use decode::decode_response;
pub(super) use encode::encode_response;
