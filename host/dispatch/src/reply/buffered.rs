//! A response that is not an event stream. It is held back until it is whole, so that it can be
//! checked and translated, or passed on as it arrives if it is too large for that.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};
use jackfield_dialect::Usage;

use super::source::Source;
use super::stream::{Polled, ReplyStream, StreamError};
use super::whole_body::{is_unrequested_stream, translate_body};
use crate::call::Operation;
use crate::limits::{BUFFERED_RESPONSE_BYTES_MAX, WHOLE_RESPONSE_BYTES_MAX};
use crate::negotiation::NegotiatedCall;
use crate::signatures::PieceRecorder;

/// A body, buffered up to a limit.
pub(crate) struct BufferedStream {
    source: Source,
    buffer: BytesMut,
    state: State,
    usage: Option<Usage>,
}

enum State {
    /// Held back, to be checked and translated.
    Checked(NegotiatedCall),
    /// Held back, and sent as it is: an encoded body cannot be read.
    Encoded,
    /// Too large: passed on as it arrives, with a look at its signatures if it can be read.
    Passing(Option<Box<PieceRecorder>>),
}

impl BufferedStream {
    /// Buffers a body that is checked, and translated where the dialects differ.
    pub(crate) fn checked(source: Source, negotiated: NegotiatedCall) -> Self {
        Self::new(source, State::Checked(negotiated))
    }

    /// Buffers a body with a content encoding. It is not read.
    pub(crate) fn encoded(source: Source) -> Self {
        Self::new(source, State::Encoded)
    }

    fn new(source: Source, state: State) -> Self {
        Self {
            source,
            buffer: BytesMut::new(),
            state,
            usage: None,
        }
    }

    async fn finish(&mut self, queue: &mut VecDeque<Bytes>) -> Result<Polled, StreamError> {
        let body = self.buffer.split().freeze();
        match &self.state {
            State::Checked(negotiated) => {
                let whole = translate_body(negotiated, body).await?;
                self.usage = whole.usage;
                queue.push_back(whole.body);
            }
            State::Encoded => queue.push_back(body),
            State::Passing(_) => {}
        }
        Ok(Polled::End)
    }
}

impl ReplyStream for BufferedStream {
    async fn poll(&mut self, queue: &mut VecDeque<Bytes>) -> Result<Polled, StreamError> {
        let Some(chunk) = self.source.next().await? else {
            return self.finish(queue).await;
        };
        let negotiated = match &mut self.state {
            State::Checked(negotiated) => Some(negotiated),
            State::Encoded => None,
            State::Passing(recorder) => {
                if let Some(recorder) = recorder {
                    recorder.record(&chunk);
                }
                queue.push_back(chunk);
                return Ok(Polled::Content);
            }
        };
        self.buffer.extend_from_slice(&chunk);
        if self.buffer.len() <= BUFFERED_RESPONSE_BYTES_MAX {
            return Ok(Polled::Buffered);
        }
        if let Some(negotiated) = &negotiated
            && is_rewritten(negotiated, &self.buffer)
        {
            if self.buffer.len() <= WHOLE_RESPONSE_BYTES_MAX {
                return Ok(Polled::Buffered);
            }
            let message = "the provider's response is too large to translate";
            return Err(StreamError::invalid_response(message));
        }
        let mut recorder = negotiated.and_then(|negotiated| {
            let has_content = negotiated.call().operation == Operation::Generate;
            has_content.then(|| Box::new(negotiated.recorder().in_pieces()))
        });
        let body = self.buffer.split().freeze();
        if let Some(recorder) = &mut recorder {
            recorder.record(&body);
        }
        self.state = State::Passing(recorder);
        queue.push_back(body);
        Ok(Polled::Content)
    }

    fn source(&self) -> &Source {
        &self.source
    }

    fn source_mut(&mut self) -> &mut Source {
        &mut self.source
    }

    fn held_bytes(&self) -> usize {
        let passing = match &self.state {
            State::Passing(Some(recorder)) => recorder.held_bytes(),
            State::Passing(None) | State::Checked(_) | State::Encoded => 0,
        };
        self.buffer.len() + passing
    }

    fn usage(&self) -> Option<Usage> {
        self.usage
    }

    /// No keep-alive: nothing may be inserted into a body that is passed on.
    fn on_commit(&mut self) {}

    fn fail(&mut self, _message: &str) -> Option<Bytes> {
        None
    }
}

/// Returns whether the client gets the body in another dialect or form, so that it must be whole.
fn is_rewritten(negotiated: &NegotiatedCall, body: &[u8]) -> bool {
    negotiated.translation().is_some()
        || negotiated.call().stream.is_some()
        || is_unrequested_stream(negotiated, body)
}
