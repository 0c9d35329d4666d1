//! One of the streams that a reply can have. An enum rather than a boxed trait object, so that a poll
//! allocates no future.

use std::collections::VecDeque;

use bytes::Bytes;
use jackfield_dialect::Usage;

use super::buffered::BufferedStream;
use super::plugin::PluginStream;
use super::relay::Relay;
use super::source::Source;
use super::stream::{Polled, ReplyStream, StreamError};
use super::transcode::TranscodedStream;

/// Where a reply's bytes come from.
pub(crate) enum AnyStream {
    /// A body that is not an event stream.
    Buffered(Box<BufferedStream>),
    /// Frames that pass through a plugin.
    Plugin(Box<PluginStream>),
    /// Events forwarded byte for byte.
    Relay(Box<Relay>),
    /// Events written in another dialect or framing.
    Transcoded(Box<TranscodedStream>),
}

impl ReplyStream for AnyStream {
    async fn poll(&mut self, queue: &mut VecDeque<Bytes>) -> Result<Polled, StreamError> {
        match self {
            Self::Buffered(buffered) => buffered.poll(queue).await,
            Self::Plugin(plugin) => plugin.poll(queue).await,
            Self::Relay(relay) => relay.poll(queue).await,
            Self::Transcoded(transcoded) => transcoded.poll(queue).await,
        }
    }

    fn source(&self) -> &Source {
        match self {
            Self::Buffered(buffered) => buffered.source(),
            Self::Plugin(plugin) => plugin.source(),
            Self::Relay(relay) => relay.source(),
            Self::Transcoded(transcoded) => transcoded.source(),
        }
    }

    fn source_mut(&mut self) -> &mut Source {
        match self {
            Self::Buffered(buffered) => buffered.source_mut(),
            Self::Plugin(plugin) => plugin.source_mut(),
            Self::Relay(relay) => relay.source_mut(),
            Self::Transcoded(transcoded) => transcoded.source_mut(),
        }
    }

    fn held_bytes(&self) -> usize {
        match self {
            Self::Buffered(buffered) => buffered.held_bytes(),
            Self::Plugin(plugin) => plugin.held_bytes(),
            Self::Relay(relay) => relay.held_bytes(),
            Self::Transcoded(transcoded) => transcoded.held_bytes(),
        }
    }

    fn usage(&self) -> Option<Usage> {
        match self {
            Self::Buffered(buffered) => buffered.usage(),
            Self::Plugin(plugin) => plugin.usage(),
            Self::Relay(relay) => relay.usage(),
            Self::Transcoded(transcoded) => transcoded.usage(),
        }
    }

    fn on_commit(&mut self) {
        match self {
            Self::Buffered(buffered) => buffered.on_commit(),
            Self::Plugin(plugin) => plugin.on_commit(),
            Self::Relay(relay) => relay.on_commit(),
            Self::Transcoded(transcoded) => transcoded.on_commit(),
        }
    }

    fn fail(&mut self, message: &str) -> Option<Bytes> {
        match self {
            Self::Buffered(buffered) => buffered.fail(message),
            Self::Plugin(plugin) => plugin.fail(message),
            Self::Relay(relay) => relay.fail(message),
            Self::Transcoded(transcoded) => transcoded.fail(message),
        }
    }
}
