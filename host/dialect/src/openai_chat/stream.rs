//! Streams: a provider's is observed or decoded, a client's is encoded.

mod observer;
mod reader;
pub(super) mod writer;

pub(crate) use observer::StreamObserver;
pub(crate) use reader::decoder;
pub(super) use writer::encoder;

use crate::stream::Observer;

pub(crate) fn observer() -> Box<dyn Observer> {
    Box::new(StreamObserver::new())
}
