//! Streams: a provider's is watched or decoded, a client's is encoded.

mod reader;
mod writer;

pub(super) use writer::encoder;

use crate::ir::EventDecoder;
use crate::stream::{Decoding, Observer, Watching};

pub(super) fn observer() -> Box<dyn Observer> {
    Box::new(Watching::<reader::AnthropicReader>::default())
}

pub(super) fn decoder() -> Box<dyn EventDecoder> {
    Box::new(Decoding::<reader::AnthropicReader>::default())
}
