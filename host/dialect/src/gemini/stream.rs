//! Streams: a provider's is observed or decoded, a client's is encoded.

mod array_writer;
mod observer;
pub(super) mod reader;
mod writer;

pub use array_writer::ArrayWriter;
pub(crate) use observer::StreamObserver;
pub(super) use reader::decoder;
pub(super) use writer::encoder;

use crate::stream::Observer;

pub(crate) fn observer() -> Box<dyn Observer> {
    Box::new(StreamObserver::new())
}
