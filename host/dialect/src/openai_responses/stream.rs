//! Streams: a provider's is observed or decoded, a client's is encoded.

pub(super) mod observer;
mod reader;
mod writer;

pub use observer::StreamObserver;
pub use reader::decoder;
pub use writer::encoder;
