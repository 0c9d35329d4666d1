//! Whole responses: a provider's is checked and decoded, a client's is encoded.

pub(super) mod decode;
pub(super) mod encode;
pub(super) mod item;

pub(super) use decode::{check_body, decode_response};
pub(super) use encode::encode_response;

use crate::ir::FinishReason;

/// The values of `incomplete_details.reason` that map both ways.
const INCOMPLETE_REASONS: [(&str, FinishReason); 2] = [
    ("content_filter", FinishReason::ContentFilter),
    ("max_output_tokens", FinishReason::Length),
];
