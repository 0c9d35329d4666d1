//! Requests: a client's is decoded, a provider's is encoded.

pub(super) mod cache_control;
pub(super) mod decode;
pub(super) mod encode;

pub(super) use decode::decode_request;
pub(super) use encode::encode_request;

/// The service tiers, and OpenAI's names for them, which the common form has.
const SERVICE_TIERS: [(&str, &str); 2] = [("auto", "auto"), ("standard_only", "default")];
