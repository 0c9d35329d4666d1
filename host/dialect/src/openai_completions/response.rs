//! Whole responses: a client's is encoded. A provider's is decoded as a chat's.

pub(super) mod encode;

pub(super) use encode::encode_response;
