//! Streams: a client's is encoded. A provider's is decoded as a chat's.

mod writer;

pub(super) use writer::encoder;
