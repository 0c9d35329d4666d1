//! An answer that passes through its executor: cut into frames for the guest, and written in the
//! client's dialect from the frames that it returns.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use jackfield_dialect::sse::Reader;
use jackfield_dialect::{Observed, Usage};
use memchr::memchr;

use crate::call;
use crate::classify;
use crate::exchange::{Broke, Step};
use crate::limits::{CLOSING, WHOLE_ANSWER_BYTES_MAX};
use crate::plan::{Frame, Framing, Output, Plan, Response};
use crate::port::{Executor, FaultKind, PluginFault, Rejection, Reply};
use crate::source::{Came, Source};
use crate::told::Told;
use crate::writer::Writer;

/// An answer on its way through a guest.
pub(crate) struct Guided {
    pub(crate) source: Source,
    reply: Box<dyn Reply>,
    executor: Arc<dyn Executor>,
    cutter: Cutter,
    shape: Shape,
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
pub(crate) enum Begun {
    /// With something for the client.
    Answer(Box<Guided>, Step),
    /// With one more round trip, whose answer is for the same reply.
    Next(Box<Plan>, Box<dyn Reply>),
}

/// What the client is owed.
enum Shape {
    /// A stream of events.
    Events(Writer),
    /// One body, held back until it is whole.
    Body(Box<Told>, BytesMut),
}

impl Guided {
    pub(crate) fn new(
        source: Source,
        executor: Arc<dyn Executor>,
        reply: Box<dyn Reply>,
        response: Response,
        (told, stream): (&Told, Option<call::Framing>),
    ) -> Self {
        let shape = match stream {
            Some(framing) => Shape::Events(told.writer(framing)),
            None => Shape::Body(Box::new(told.clone()), BytesMut::new()),
        };
        let cutter = Cutter::new(response);
        Self {
            source,
            reply,
            executor,
            cutter,
            shape,
            complete: false,
            ended: false,
            next: None,
            returned_frames: false,
            usage: None,
        }
    }

    /// Pulls until the guest has returned something, or asked for one more round trip.
    pub(crate) async fn begin(mut self, out: &mut VecDeque<Bytes>) -> Result<Begun, Broke> {
        loop {
            let step = self.step(out).await?;
            if let Some(plan) = self.next {
                return Ok(Begun::Next(plan, self.reply));
            }
            if step != Step::Held || self.returned_frames {
                return Ok(Begun::Answer(Box::new(self), step));
            }
        }
    }

    pub(crate) async fn step(&mut self, out: &mut VecDeque<Bytes>) -> Result<Step, Broke> {
        if self.ended {
            return Ok(Step::Over);
        }
        let chunk = match self.source.came().await {
            Ok(Came::Bytes(chunk)) => Some(chunk),
            Ok(Came::End) => None,
            Ok(Came::Silence) => {
                if let Shape::Events(writer) = &self.shape {
                    out.push_back(writer.keep_alive());
                }
                return Ok(Step::Held);
            }
            // How a provider closes that has said all is its own business.
            Err(_) if self.complete => None,
            Err(stopped) => return Err(stopped.into()),
        };
        let last = chunk.is_none();
        let mut frames = Vec::new();
        self.cutter.cut(chunk, &mut frames)?;
        if frames.is_empty() && !last {
            return Ok(Step::Held);
        }
        let output = self.reply.push(frames, last).await.map_err(broke)?;
        self.ended = last || output.done;
        self.take(output, out)
    }

    /// What the answer cost, as far as it is known.
    pub(crate) fn usage(&self) -> Option<Usage> {
        match &self.shape {
            Shape::Events(writer) => self.usage.or_else(|| writer.usage()),
            Shape::Body(..) => self.usage,
        }
    }

    /// Ends a committed stream with an error; none where there are no words for it.
    pub(crate) fn fail(&mut self, message: &str) -> Option<Bytes> {
        match &mut self.shape {
            Shape::Events(writer) => Some(writer.fail(message)),
            Shape::Body(..) => None,
        }
    }

    fn take(&mut self, output: Output, out: &mut VecDeque<Bytes>) -> Result<Step, Broke> {
        self.usage = output.usage.or(self.usage);
        self.returned_frames |= !output.frames.is_empty();
        if output.next.is_some() {
            if self.returned_frames {
                return Err(self.nonsense("it asked for a further request beside or after frames"));
            }
            self.next = output.next;
            return Ok(Step::Held);
        }
        match &mut self.shape {
            Shape::Events(writer) => {
                let step = events(writer, &output.frames, self.ended, out)?;
                if step == Step::Complete && !self.complete {
                    self.complete = true;
                    self.source.end_within(CLOSING);
                }
                Ok(step)
            }
            Shape::Body(told, body) => {
                gather(body, &output.frames)?;
                if !self.ended {
                    return Ok(Step::Held);
                }
                let whole = told.whole(body.split().freeze())?;
                self.usage = self.usage.or(whole.usage);
                out.push_back(whole.body);
                Ok(Step::Over)
            }
        }
    }

    fn nonsense(&self, detail: &str) -> Broke {
        let plugin = self.executor.plugin().clone();
        tracing::warn!(%plugin, detail, "plugin answered nonsense");
        self.executor.note_fault();
        Broke::Plugin(PluginFault {
            plugin,
            kind: FaultKind::Nonsense,
            detail: detail.to_owned(),
        })
    }
}

fn events(
    writer: &mut Writer,
    frames: &[Frame],
    ended: bool,
    out: &mut VecDeque<Bytes>,
) -> Result<Step, Broke> {
    let mut written = Vec::new();
    let step = write(writer, frames, &mut written);
    if ended && step.is_ok() {
        writer.finish(&mut written);
    }
    // What came before a frame that must not go on still does.
    if !written.is_empty() {
        out.push_back(written.into());
    }
    match (step?, ended, writer.completed()) {
        (step, false, _) => Ok(step),
        (_, true, true) => Ok(Step::Over),
        (_, true, false) => Err(Broke::useless("the stream ended before it was complete")),
    }
}

fn write(writer: &mut Writer, frames: &[Frame], written: &mut Vec<u8>) -> Result<Step, Broke> {
    let mut step = Step::Held;
    for frame in frames {
        match writer.event(&frame.name, &frame.data, written) {
            Observed::Content if step == Step::Held => step = Step::Content,
            Observed::Content | Observed::Preamble => {}
            Observed::Done if writer.completed() => step = Step::Complete,
            Observed::Done => return Err(Broke::useless("the stream was empty")),
            Observed::Error(error) => return Err(Broke::Failed(classify::inside(error))),
            Observed::Malformed => return Err(Broke::useless("the stream made no sense")),
        }
    }
    Ok(step)
}

fn gather(body: &mut BytesMut, frames: &[Frame]) -> Result<(), Broke> {
    frames
        .iter()
        .for_each(|frame| body.extend_from_slice(&frame.data));
    bounded(body.len())
}

fn bounded(bytes: usize) -> Result<(), Broke> {
    if bytes <= WHOLE_ANSWER_BYTES_MAX {
        return Ok(());
    }
    let most = WHOLE_ANSWER_BYTES_MAX >> 20;
    Err(Broke::useless(&format!(
        "the answer is larger than {most} MiB"
    )))
}

pub(crate) fn broke(rejection: Rejection) -> Broke {
    match rejection {
        Rejection::Refused(refusal) => Broke::Failed(refusal.failure),
        Rejection::Fault(fault) => Broke::Plugin(fault),
    }
}

/// Cuts bytes into frames, never depending on how they were split.
enum Cutter {
    Lines(BytesMut),
    Raw,
    Sse(Box<Reader>),
    Whole(BytesMut),
}

impl Cutter {
    fn new(response: Response) -> Self {
        match response {
            Response::Frames(Framing::Lines) => Self::Lines(BytesMut::new()),
            Response::Frames(Framing::Raw) => Self::Raw,
            Response::Frames(Framing::Sse) => Self::Sse(Box::default()),
            // A relayed answer never gets here; as one frame it would still be right.
            Response::Whole | Response::Relay => Self::Whole(BytesMut::new()),
        }
    }

    /// Takes a chunk, or the end, and gives the frames that are complete.
    fn cut(&mut self, chunk: Option<Bytes>, frames: &mut Vec<Frame>) -> Result<(), Broke> {
        match (self, chunk) {
            (Self::Raw, Some(chunk)) => frames.push(unnamed(chunk)),
            (Self::Raw, None) => {}
            (Self::Whole(held), Some(chunk)) => {
                held.extend_from_slice(&chunk);
                bounded(held.len())?;
            }
            (Self::Whole(held), None) => frames.push(unnamed(held.split().freeze())),
            (Self::Lines(held), Some(chunk)) => {
                let mut chunk = chunk;
                while let Some(end) = memchr(b'\n', &chunk) {
                    held.extend_from_slice(&chunk.split_to(end + 1));
                    frames.push(line(held.split()));
                }
                held.extend_from_slice(&chunk);
                bounded(held.len())?;
            }
            (Self::Lines(held), None) if held.is_empty() => {}
            (Self::Lines(held), None) => frames.push(line(held.split())),
            (Self::Sse(reader), chunk) => cut_events(reader, chunk, frames)?,
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

fn cut_events(
    reader: &mut Reader,
    chunk: Option<Bytes>,
    frames: &mut Vec<Frame>,
) -> Result<(), Broke> {
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
            Err(error) => return Err(Broke::useless(&error.to_string())),
        }
    }
}

#[cfg(test)]
mod tests;
