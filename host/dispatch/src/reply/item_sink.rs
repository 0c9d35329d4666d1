//! Writes the events of an executor without a dialect for the client: as a stream of the client's dialect, or as one
//! body of it.

use std::collections::VecDeque;

use bytes::Bytes;
use jackfield_dialect::ir::{Event, Response};
use jackfield_dialect::item_events::{ItemError, ItemReader};
use jackfield_dialect::{ResponseBuilder, Usage};

use super::frames::check_size;
use super::stream::{Polled, StreamError, judge};
use super::writer::StreamWriter;
use crate::negotiation::NegotiatedCall;
use crate::plan::Output;
use crate::port::Rejection;

/// Where an executor's events go.
pub(super) struct ItemSink {
    reader: ItemReader,
    target: Target,
}

enum Target {
    /// A stream of events.
    Stream(Box<StreamWriter>),
    /// One body.
    Body(Box<WholeAnswer>),
}

/// A response that is sent once it is whole.
struct WholeAnswer {
    negotiated: NegotiatedCall,
    builder: ResponseBuilder,
    /// How many bytes the builder holds.
    bytes: usize,
    usage: Option<Usage>,
}

/// Why events are not written.
pub(super) enum ItemSinkError {
    /// The plugin returned events that the contract does not allow.
    Plugin(ItemError),
    /// The response is an error, or too large.
    Stream(StreamError),
}

impl From<StreamError> for ItemSinkError {
    fn from(error: StreamError) -> Self {
        Self::Stream(error)
    }
}

impl ItemSink {
    pub(super) fn new(negotiated: &NegotiatedCall) -> Self {
        let call = negotiated.call();
        let writer = call
            .stream
            .and_then(|framing| StreamWriter::of_events(negotiated, framing));
        let target = match writer {
            Some(writer) => Target::Stream(Box::new(writer)),
            None => Target::Body(Box::new(WholeAnswer {
                negotiated: negotiated.clone(),
                builder: ResponseBuilder::default(),
                bytes: 0,
                usage: None,
            })),
        };
        Self {
            reader: ItemReader::new(call.dialect, &call.id),
            target,
        }
    }

    /// Writes the events of one output, and the end of the response if it has ended. What was written before an
    /// error is still for the client.
    ///
    /// # Errors
    /// When an event is not allowed, the response is an error, or it is too large.
    pub(super) fn write(
        &mut self,
        output: Output,
        ended: bool,
        queue: &mut VecDeque<Bytes>,
    ) -> Result<Polled, ItemSinkError> {
        let mut events = Vec::new();
        let mut read = Ok(());
        for event in output.events {
            read = self.reader.read(event, &mut events);
            if read.is_err() {
                break;
            }
        }
        if ended && read.is_ok() && output.failure.is_none() {
            read = self.reader.end(&mut events);
        }
        let is_complete = ended && read.is_ok() && output.failure.is_none();
        let polled = self.target.write(events, is_complete, queue)?;
        read.map_err(ItemSinkError::Plugin)?;
        if let Some(failure) = output.failure {
            return Err(StreamError::from(Rejection::Refused(failure)).into());
        }
        Ok(if ended { Polled::End } else { polled })
    }

    /// The writer of the stream, if the client gets one.
    pub(super) fn writer(&self) -> Option<&StreamWriter> {
        match &self.target {
            Target::Stream(writer) => Some(writer),
            Target::Body(_) => None,
        }
    }

    pub(super) fn writer_mut(&mut self) -> Option<&mut StreamWriter> {
        match &mut self.target {
            Target::Stream(writer) => Some(writer),
            Target::Body(_) => None,
        }
    }

    /// Returns how many bytes of the response are held.
    pub(super) fn held_bytes(&self) -> usize {
        let written = match &self.target {
            Target::Stream(writer) => writer.held_bytes(),
            Target::Body(answer) => answer.bytes,
        };
        self.reader.held_bytes() + written
    }

    /// Returns the usage last reported.
    pub(super) fn usage(&self) -> Option<Usage> {
        match &self.target {
            Target::Stream(writer) => writer.usage(),
            Target::Body(answer) => answer.usage,
        }
    }
}

impl Target {
    fn write(
        &mut self,
        events: Vec<Event>,
        is_complete: bool,
        queue: &mut VecDeque<Bytes>,
    ) -> Result<Polled, StreamError> {
        match self {
            Self::Stream(writer) => {
                let mut written = Vec::new();
                let class = writer.write_events(events, &mut written);
                if !written.is_empty() {
                    queue.push_back(written.into());
                }
                judge(class, || true)
            }
            Self::Body(answer) => {
                for event in events {
                    answer.bytes += event.held_bytes();
                    answer.builder.add(event);
                }
                check_size(answer.bytes)?;
                answer.usage = answer.builder.usage();
                if is_complete {
                    let response = std::mem::take(&mut answer.builder).finish();
                    queue.push_back(encode(&answer.negotiated, response.unwrap_or_default()));
                }
                Ok(Polled::Buffered)
            }
        }
    }
}

/// Writes a response for the client, and records its signatures.
fn encode(negotiated: &NegotiatedCall, response: Response) -> Bytes {
    let translation = negotiated.response_translation();
    let body: Bytes = translation
        .encode_response(response)
        .unwrap_or_default()
        .into();
    negotiated.recorder().record(&body);
    body
}
