//! An answer that passes through its executor: cut into frames for the guest, and written in the
//! client's dialect from the frames that it returns.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use jackfield_dialect::sse::SseReader;
use jackfield_dialect::{EventClass, Usage};
use memchr::memchr;

use crate::call;
use crate::classify;
use crate::limits::{CLOSE_TIMEOUT, WHOLE_RESPONSE_BYTES_MAX};
use crate::negotiation::TranslatedCall;
use crate::plan::{Frame, Framing, Output, Plan, ResponseMode};
use crate::port::{Executor, FaultKind, PluginFault, PluginReply, Rejection};
use crate::reply::source::{Chunk, Source};
use crate::reply::writer::StreamWriter;
use crate::reply::{Polled, StreamError};

/// An answer on its way through a guest.
pub(crate) struct PluginStream {
    pub(crate) source: Source,
    reply: Box<dyn PluginReply>,
    executor: Arc<dyn Executor>,
    splitter: FrameSplitter,
    sink: OutputSink,
    /// The client has all that it is owed.
    complete: bool,
    ended: bool,
    /// A plan that the guest asked for instead of frames.
    next: Option<Box<Plan>>,
    returned_frames: bool,
    /// What the guest, or else the answer itself, says that it cost.
    usage: Option<Usage>,
}

/// How an answer through a guest begins.
pub(crate) enum FirstStep {
    /// With something for the client.
    Output(Box<PluginStream>, Polled),
    /// With one more round trip, whose answer is for the same reply.
    NextRequest(Box<Plan>, Box<dyn PluginReply>),
}

/// What the client is owed.
enum OutputSink {
    /// A stream of events.
    Events(StreamWriter),
    /// One body, held back until it is whole.
    Body(Box<TranslatedCall>, BytesMut),
}

impl PluginStream {
    pub(crate) fn new(
        source: Source,
        executor: Arc<dyn Executor>,
        reply: Box<dyn PluginReply>,
        mode: ResponseMode,
        (translation, stream): (&TranslatedCall, Option<call::StreamFraming>),
    ) -> Self {
        let sink = match stream {
            Some(framing) => OutputSink::Events(translation.writer(framing)),
            None => OutputSink::Body(Box::new(translation.clone()), BytesMut::new()),
        };
        let splitter = FrameSplitter::new(mode);
        Self {
            source,
            reply,
            executor,
            splitter,
            sink,
            complete: false,
            ended: false,
            next: None,
            returned_frames: false,
            usage: None,
        }
    }

    /// Pulls until the guest has returned something, or asked for one more round trip.
    pub(crate) async fn begin(
        mut self,
        out: &mut VecDeque<Bytes>,
    ) -> Result<FirstStep, StreamError> {
        loop {
            let polled = self.poll(out).await?;
            if let Some(plan) = self.next {
                return Ok(FirstStep::NextRequest(plan, self.reply));
            }
            if polled != Polled::Buffered || self.returned_frames {
                return Ok(FirstStep::Output(Box::new(self), polled));
            }
        }
    }

    pub(crate) async fn poll(&mut self, out: &mut VecDeque<Bytes>) -> Result<Polled, StreamError> {
        if self.ended {
            return Ok(Polled::End);
        }
        let chunk = match self.source.next_chunk().await {
            Ok(Chunk::Bytes(chunk)) => Some(chunk),
            Ok(Chunk::End) => None,
            Ok(Chunk::Silence) => {
                if let OutputSink::Events(writer) = &self.sink {
                    out.push_back(writer.keep_alive());
                }
                return Ok(Polled::Buffered);
            }
            // How a provider closes that has said all is its own business.
            Err(_) if self.complete => None,
            Err(error) => return Err(error.into()),
        };
        let last = chunk.is_none();
        let mut frames = Vec::new();
        self.splitter.split(chunk, &mut frames)?;
        if frames.is_empty() && !last {
            return Ok(Polled::Buffered);
        }
        let output = self.reply.push(frames, last).await.map_err(stream_error)?;
        self.ended = last || output.done;
        self.take(output, out)
    }

    /// What the answer cost, as far as it is known.
    pub(crate) fn usage(&self) -> Option<Usage> {
        match &self.sink {
            OutputSink::Events(writer) => self.usage.or_else(|| writer.usage()),
            OutputSink::Body(..) => self.usage,
        }
    }

    /// Ends a committed stream with an error; none where there are no words for it.
    pub(crate) fn fail(&mut self, message: &str) -> Option<Bytes> {
        match &mut self.sink {
            OutputSink::Events(writer) => Some(writer.fail(message)),
            OutputSink::Body(..) => None,
        }
    }

    fn take(&mut self, output: Output, out: &mut VecDeque<Bytes>) -> Result<Polled, StreamError> {
        self.usage = output.usage.or(self.usage);
        self.returned_frames |= !output.frames.is_empty();
        if output.next.is_some() {
            if self.returned_frames {
                return Err(
                    self.invalid_output("it asked for a further request beside or after frames")
                );
            }
            self.next = output.next;
            return Ok(Polled::Buffered);
        }
        match &mut self.sink {
            OutputSink::Events(writer) => {
                let polled = write_events(writer, &output.frames, self.ended, out)?;
                if polled == Polled::Complete && !self.complete {
                    self.complete = true;
                    self.source.end_within(CLOSE_TIMEOUT);
                }
                Ok(polled)
            }
            OutputSink::Body(translation, body) => {
                append_frames(body, &output.frames)?;
                if !self.ended {
                    return Ok(Polled::Buffered);
                }
                let whole = translation.translate_whole(body.split().freeze())?;
                self.usage = self.usage.or(whole.usage);
                out.push_back(whole.body);
                Ok(Polled::End)
            }
        }
    }

    fn invalid_output(&self, detail: &str) -> StreamError {
        let plugin = self.executor.plugin().clone();
        tracing::warn!(%plugin, detail, "plugin answered nonsense");
        self.executor.note_fault();
        StreamError::Plugin(PluginFault {
            plugin,
            kind: FaultKind::InvalidOutput,
            detail: detail.to_owned(),
        })
    }
}

fn write_events(
    writer: &mut StreamWriter,
    frames: &[Frame],
    ended: bool,
    out: &mut VecDeque<Bytes>,
) -> Result<Polled, StreamError> {
    let mut written = Vec::new();
    let polled = write_frames(writer, frames, &mut written);
    if ended && polled.is_ok() {
        writer.finish(&mut written);
    }
    // What came before a frame that must not go on still does.
    if !written.is_empty() {
        out.push_back(written.into());
    }
    match (polled?, ended, writer.completed()) {
        (polled, false, _) => Ok(polled),
        (_, true, true) => Ok(Polled::End),
        (_, true, false) => Err(StreamError::invalid_response(
            "the stream ended before it was complete",
        )),
    }
}

fn write_frames(
    writer: &mut StreamWriter,
    frames: &[Frame],
    written: &mut Vec<u8>,
) -> Result<Polled, StreamError> {
    let mut polled = Polled::Buffered;
    for frame in frames {
        match writer.event(&frame.name, &frame.data, written) {
            EventClass::Content if polled == Polled::Buffered => polled = Polled::Content,
            EventClass::Content | EventClass::Preamble => {}
            EventClass::Done if writer.completed() => polled = Polled::Complete,
            EventClass::Done => return Err(StreamError::invalid_response("the stream was empty")),
            EventClass::Error(error) => {
                return Err(StreamError::Upstream(classify::stream_error(error)));
            }
            EventClass::Malformed => {
                return Err(StreamError::invalid_response("the stream made no sense"));
            }
        }
    }
    Ok(polled)
}

fn append_frames(body: &mut BytesMut, frames: &[Frame]) -> Result<(), StreamError> {
    frames
        .iter()
        .for_each(|frame| body.extend_from_slice(&frame.data));
    check_size(body.len())
}

fn check_size(bytes: usize) -> Result<(), StreamError> {
    if bytes <= WHOLE_RESPONSE_BYTES_MAX {
        return Ok(());
    }
    let limit_mib = WHOLE_RESPONSE_BYTES_MAX >> 20;
    Err(StreamError::invalid_response(&format!(
        "the answer is larger than {limit_mib} MiB"
    )))
}

pub(crate) fn stream_error(rejection: Rejection) -> StreamError {
    match rejection {
        Rejection::Refused(refusal) => StreamError::Upstream(refusal.failure),
        Rejection::Fault(fault) => StreamError::Plugin(fault),
    }
}

/// Cuts bytes into frames, never depending on how they were split.
enum FrameSplitter {
    Lines(BytesMut),
    Raw,
    Sse(Box<SseReader>),
    Whole(BytesMut),
}

impl FrameSplitter {
    fn new(mode: ResponseMode) -> Self {
        match mode {
            ResponseMode::Frames(Framing::Lines) => Self::Lines(BytesMut::new()),
            ResponseMode::Frames(Framing::Raw) => Self::Raw,
            ResponseMode::Frames(Framing::Sse) => Self::Sse(Box::default()),
            // A relayed answer never gets here; as one frame it would still be right.
            ResponseMode::Whole | ResponseMode::Relay => Self::Whole(BytesMut::new()),
        }
    }

    /// Takes a chunk, or the end, and gives the frames that are complete.
    fn split(&mut self, chunk: Option<Bytes>, frames: &mut Vec<Frame>) -> Result<(), StreamError> {
        match (self, chunk) {
            (Self::Raw, Some(chunk)) => frames.push(unnamed(chunk)),
            (Self::Raw, None) => {}
            (Self::Whole(buffer), Some(chunk)) => {
                buffer.extend_from_slice(&chunk);
                check_size(buffer.len())?;
            }
            (Self::Whole(buffer), None) => frames.push(unnamed(buffer.split().freeze())),
            (Self::Lines(buffer), Some(chunk)) => {
                let mut chunk = chunk;
                while let Some(end) = memchr(b'\n', &chunk) {
                    buffer.extend_from_slice(&chunk.split_to(end + 1));
                    frames.push(line(buffer.split()));
                }
                buffer.extend_from_slice(&chunk);
                check_size(buffer.len())?;
            }
            (Self::Lines(buffer), None) if buffer.is_empty() => {}
            (Self::Lines(buffer), None) => frames.push(line(buffer.split())),
            (Self::Sse(reader), chunk) => split_events(reader, chunk, frames)?,
        }
        Ok(())
    }
}

fn unnamed(data: Bytes) -> Frame {
    Frame {
        name: String::new(),
        data,
    }
}

fn line(mut line: BytesMut) -> Frame {
    let end = line.strip_suffix(b"\n").unwrap_or(&line);
    let length = end.strip_suffix(b"\r").unwrap_or(end).len();
    line.truncate(length);
    unnamed(line.freeze())
}

fn split_events(
    reader: &mut SseReader,
    chunk: Option<Bytes>,
    frames: &mut Vec<Frame>,
) -> Result<(), StreamError> {
    let mut ended = false;
    match chunk {
        Some(chunk) => reader.push(chunk),
        None => ended = true,
    }
    loop {
        let event = if ended {
            reader.finish()
        } else {
            reader.next_event()
        };
        match event {
            Ok(Some(event)) => {
                frames.push(Frame {
                    name: event.name().to_owned(),
                    data: event.data.clone(),
                });
            }
            Ok(None) => return Ok(()),
            Err(error) => return Err(StreamError::invalid_response(&error.to_string())),
        }
    }
}

#[cfg(test)]
mod tests;
