//! Streams: a provider's is observed or decoded, a client's is encoded.

mod observer;
mod reader;
pub(super) mod writer;

pub use observer::StreamObserver;
pub use reader::decoder;
pub use writer::encoder;
