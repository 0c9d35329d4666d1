//! Streams: a provider's is observed or decoded, a client's is encoded.

pub(super) mod observer;
mod reader;
mod writer;

pub(crate) use observer::StreamObserver;
pub(super) use reader::decoder;
pub(super) use writer::encoder;

use crate::stream::Observer;

pub(crate) fn observer() -> Box<dyn Observer> {
    Box::new(StreamObserver::new())
}
