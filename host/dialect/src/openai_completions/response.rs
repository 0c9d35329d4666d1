//! Whole responses for clients. The chat's module decodes those of providers.

pub(super) mod encode;

pub(super) use encode::encode_response;
