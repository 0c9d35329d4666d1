//! Streams: a provider's is watched or decoded, a client's is encoded.

mod reader;
#[cfg(test)]
mod tests;
pub(super) mod writer;

pub(super) use writer::encoder;

use crate::ir::EventDecoder;
use crate::stream::{Decoding, Observer, Watching};

pub(crate) fn observer() -> Box<dyn Observer> {
    Box::new(Watching::<reader::ChatReader>::default())
}

pub(crate) fn decoder() -> Box<dyn EventDecoder> {
    Box::new(Decoding::<reader::ChatReader>::default())
}
