//! Streams: a provider's is observed or decoded, a client's is encoded.

mod array_writer;
mod observer;
pub(super) mod reader;
mod writer;

pub use array_writer::ArrayWriter;
pub use observer::StreamObserver;
pub use reader::decoder;
pub use writer::encoder;
