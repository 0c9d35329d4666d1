//! A response that passes through its executor's plugin: split into frames for the plugin, and written
//! for the client from the frames that it returns.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use jackfield_dialect::Usage;

use super::frames::{FrameSplitter, check_size};
use super::item_sink::{ItemSink, ItemSinkError};
use super::plugin_output::{Blamed, OutputOrigin, WrongOutput};
use super::source::{Chunk, Source};
use super::stream::{Polled, ReplyStream, StreamError, judge};
use super::whole_body::translate_whole;
use super::writer::StreamWriter;
use crate::client_digest::ClientDigest;
use crate::context::CallContext;
use crate::limits::{CLOSE_TIMEOUT, KEEP_ALIVE_INTERVAL};
use crate::memory::HeldMemory;
use crate::negotiation::NegotiatedCall;
use crate::plan::{Frame, Output, Plan, ResponseMode};
use crate::plugin_fault::report_invalid_output;
use crate::port::{Executor, PluginFault, PluginReply};

/// A response on its way through a plugin.
pub(crate) struct PluginStream {
    source: Source,
    reply: Box<dyn PluginReply>,
    executor: Arc<dyn Executor>,
    client: ClientDigest,
    splitter: FrameSplitter,
    sink: OutputSink,
    output_origin: OutputOrigin,
    negotiated: NegotiatedCall,
    /// The client has the complete response.
    complete: bool,
    ended: bool,
    /// A further request that the plugin wants instead of frames.
    next: Option<Box<Plan>>,
    returned_frames: bool,
    /// The usage that the plugin reported, or that the body contains.
    usage: Option<Usage>,
    /// What [`Self::begin`] has polled.
    first_poll: Option<FirstPoll>,
}

struct FirstPoll {
    queue: VecDeque<Bytes>,
    polled: Polled,
}

/// The first result of a response through a plugin.
pub(crate) enum FirstStep {
    /// Output for the client.
    Output(Box<PluginStream>),
    /// One more round trip, whose response goes to the same plugin reply.
    NextRequest {
        plan: Box<Plan>,
        reply: Box<dyn PluginReply>,
    },
}

/// What the client gets.
enum OutputSink {
    /// A stream of events.
    Events(StreamWriter),
    /// One body, held back until it is whole.
    Body(BytesMut),
    /// The events of an executor without a dialect.
    Items(Box<ItemSink>),
}

impl OutputSink {
    fn new(negotiated: &NegotiatedCall) -> Self {
        if negotiated.is_common() {
            return Self::Items(Box::new(ItemSink::new(negotiated)));
        }
        match negotiated.call().stream {
            Some(framing) => Self::Events(StreamWriter::new(negotiated, framing)),
            None => Self::Body(BytesMut::new()),
        }
    }

    /// The writer of the client's stream, if it gets one.
    fn writer(&self) -> Option<&StreamWriter> {
        match self {
            Self::Events(writer) => Some(writer),
            Self::Items(items) => items.writer(),
            Self::Body(..) => None,
        }
    }
}

impl PluginStream {
    pub(crate) fn new(
        source: Source,
        executor: Arc<dyn Executor>,
        context: &CallContext,
        reply: Box<dyn PluginReply>,
        mode: ResponseMode,
        negotiated: &NegotiatedCall,
    ) -> Self {
        Self {
            source,
            reply,
            executor,
            client: context.client,
            splitter: FrameSplitter::new(mode),
            sink: OutputSink::new(negotiated),
            output_origin: OutputOrigin::default(),
            negotiated: negotiated.clone(),
            complete: false,
            ended: false,
            next: None,
            returned_frames: false,
            usage: None,
            first_poll: None,
        }
    }

    /// Polls until the plugin has returned frames, or has asked for one more round trip. `held` counts what it holds
    /// meanwhile.
    pub(crate) async fn begin(mut self, mut held: HeldMemory) -> Result<FirstStep, StreamError> {
        let mut queue = VecDeque::new();
        loop {
            let polled = self.poll(&mut queue).await?;
            held.resize(self.held_bytes())?;
            if let Some(plan) = self.next {
                let reply = self.reply;
                return Ok(FirstStep::NextRequest { plan, reply });
            }
            if polled != Polled::Buffered || self.returned_frames {
                self.first_poll = Some(FirstPoll { queue, polled });
                return Ok(FirstStep::Output(Box::new(self)));
            }
        }
    }

    fn write(
        &mut self,
        output: Output,
        queue: &mut VecDeque<Bytes>,
    ) -> Result<Polled, StreamError> {
        self.usage = output.usage.or(self.usage);
        self.returned_frames |= !(output.frames.is_empty() && output.events.is_empty());
        if output.next.is_some() {
            // The client may have these frames already, and a further response could not take them back.
            if self.returned_frames {
                let detail = "it planned a further request together with frames or after them";
                return Err(self.invalid_output(detail.to_owned()));
            }
            self.next = output.next;
            return Ok(Polled::Buffered);
        }
        match &mut self.sink {
            OutputSink::Items(items) => match items.write(output, self.ended, queue) {
                Ok(polled) => Ok(polled),
                Err(ItemSinkError::Stream(error)) => Err(error),
                Err(ItemSinkError::Plugin(error)) => Err(self.invalid_output(error.to_string())),
            },
            OutputSink::Events(writer) => {
                let polled = match write_events(writer, &output.frames, self.ended, queue) {
                    Ok(polled) => polled,
                    Err(wrong) => return Err(self.wrong_output(wrong)),
                };
                if polled == Polled::Complete && !self.complete {
                    self.complete = true;
                    self.source.end_within(CLOSE_TIMEOUT);
                }
                Ok(polled)
            }
            OutputSink::Body(body) => {
                for frame in &output.frames {
                    body.extend_from_slice(&frame.data);
                }
                if let Err(error) = check_size(body.len()) {
                    let returned = None;
                    return Err(self.wrong_output(WrongOutput::Content { error, returned }));
                }
                if !self.ended {
                    return Ok(Polled::Buffered);
                }
                let body = body.split().freeze();
                let whole = match translate_whole(&self.negotiated, body.clone()) {
                    Ok(whole) => whole,
                    Err(error) => {
                        let returned = Some(body);
                        return Err(self.wrong_output(WrongOutput::Content { error, returned }));
                    }
                };
                self.usage = self.usage.or(whole.usage);
                queue.push_back(whole.body);
                Ok(Polled::End)
            }
        }
    }
}

impl PluginStream {
    /// The plugin returned what the contract does not allow.
    fn invalid_output(&self, detail: String) -> StreamError {
        StreamError::Plugin(self.report(detail))
    }

    fn report(&self, detail: String) -> PluginFault {
        let call = &*self.negotiated.call().id;
        report_invalid_output(&*self.executor, self.client, Some(call), detail)
    }

    /// What the plugin returned cannot be written.
    fn wrong_output(&self, wrong: WrongOutput) -> StreamError {
        let returned = wrong.beginning();
        match self.output_origin.blame(wrong, &self.negotiated) {
            Blamed::Plugin(detail) => StreamError::InvalidOutput {
                fault: self.report(detail),
                returned,
            },
            Blamed::Provider(error) => error,
        }
    }
}

impl ReplyStream for PluginStream {
    async fn poll(&mut self, queue: &mut VecDeque<Bytes>) -> Result<Polled, StreamError> {
        if let Some(mut first) = self.first_poll.take() {
            queue.append(&mut first.queue);
            return Ok(first.polled);
        }
        if self.ended {
            return Ok(Polled::End);
        }
        let chunk = match self.source.next_chunk().await {
            Ok(Chunk::Bytes(chunk)) => Some(chunk),
            Ok(Chunk::End) => None,
            Ok(Chunk::Silence) => {
                if let Some(writer) = self.sink.writer() {
                    queue.push_back(writer.keep_alive());
                }
                return Ok(Polled::Buffered);
            }
            // The response was complete: a connection that breaks now loses nothing.
            Err(_) if self.complete => None,
            Err(error) => return Err(error.into()),
        };
        let last = chunk.is_none();
        let mut frames = Vec::new();
        self.splitter.split(chunk, &mut frames)?;
        if frames.is_empty() && !last {
            return Ok(Polled::Buffered);
        }
        let got = frames.iter().map(|frame| frame.data.clone()).collect();
        let output = self.reply.push(frames, last).await?;
        self.ended = last || output.done;
        let ended_first = output.done && !last;
        self.output_origin.note(got, &output.frames, ended_first);
        self.write(output, queue)
    }

    fn source(&self) -> &Source {
        &self.source
    }

    fn source_mut(&mut self) -> &mut Source {
        &mut self.source
    }

    fn held_bytes(&self) -> usize {
        let collected = match &self.sink {
            OutputSink::Events(writer) => writer.held_bytes(),
            OutputSink::Body(body) => body.len(),
            OutputSink::Items(items) => items.held_bytes(),
        };
        self.splitter.held_bytes() + collected
    }

    /// The plugin's figures count before those of the provider's events.
    fn usage(&self) -> Option<Usage> {
        match &self.sink {
            OutputSink::Events(writer) => self.usage.or_else(|| writer.usage()),
            OutputSink::Body(..) => self.usage,
            OutputSink::Items(items) => self.usage.or_else(|| items.usage()),
        }
    }

    fn on_commit(&mut self) {
        if self.sink.writer().is_some() {
            self.source.enable_keep_alive(KEEP_ALIVE_INTERVAL);
        }
    }

    fn fail(&mut self, message: &str) -> Option<Bytes> {
        match &mut self.sink {
            OutputSink::Events(writer) => Some(writer.fail(message)),
            OutputSink::Body(..) => None,
            OutputSink::Items(items) => items.writer_mut().map(|writer| writer.fail(message)),
        }
    }
}

fn write_events(
    writer: &mut StreamWriter,
    frames: &[Frame],
    ended: bool,
    queue: &mut VecDeque<Bytes>,
) -> Result<Polled, WrongOutput> {
    let mut written = Vec::new();
    let polled = write_frames(writer, frames, &mut written);
    if ended && polled.is_ok() {
        writer.finish(&mut written);
    }
    // Frames before one that fails are still the client's.
    if !written.is_empty() {
        queue.push_back(written.into());
    }
    match (polled?, ended, writer.completed()) {
        (polled, false, _) => Ok(polled),
        (_, true, true) => Ok(Polled::End),
        (_, true, false) => Err(WrongOutput::EndedEarly),
    }
}

fn write_frames(
    writer: &mut StreamWriter,
    frames: &[Frame],
    written: &mut Vec<u8>,
) -> Result<Polled, WrongOutput> {
    let mut polled = Polled::Buffered;
    for frame in frames {
        let class = writer.event(&frame.name, &frame.data, written);
        let judged = judge(class, || writer.completed());
        let judged = judged.map_err(|error| WrongOutput::Content {
            error,
            returned: Some(frame.data.clone()),
        });
        polled = polled.max(judged?);
    }
    Ok(polled)
}
