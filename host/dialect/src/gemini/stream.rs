//! Streams: a provider's is watched or decoded, a client's is encoded.

mod array_writer;
pub(super) mod reader;
mod writer;

pub use array_writer::ArrayWriter;
pub(super) use writer::encoder;

use crate::ir::EventDecoder;
use crate::stream::{Decoding, Observer, Watching};

pub(super) fn observer() -> Box<dyn Observer> {
    Box::new(Watching::<reader::GeminiReader>::default())
}

pub(super) fn decoder() -> Box<dyn EventDecoder> {
    Box::new(Decoding::<reader::GeminiReader>::default())
}
