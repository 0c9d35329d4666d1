//! Streams for clients. The chat's module decodes those of providers.

mod writer;

pub(super) use writer::encoder;
