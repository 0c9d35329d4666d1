//! Writes a client's stream, in the sequence that the API documents
//! (<https://platform.openai.com/docs/api-reference/responses-streaming>).

mod event_writer;
mod part_buffer;

use std::borrow::Cow;

use serde_json::Value;

use self::event_writer::{EventLocation, EventMembers, EventWriter, SummaryPart};
use self::part_buffer::PartBuffer;
use crate::error_class::TranslatedError;
use crate::ir::tool_text;
use crate::ir::{
    Delta, Event, EventEncoder, FinishReason, Frame, Part, PartStart, ResponseContext,
};
use crate::limits::HELD_RESPONSE_BYTES_MAX;
use crate::openai_chat::OpenaiError;
use crate::openai_responses::error;
use crate::openai_responses::response::encode::{self, Ending, ItemKind};
use crate::openai_responses::response::item::{self, CallKind};
use crate::{ProviderError, Usage};

/// Writes the events of a client's stream.
#[must_use]
pub(crate) fn encoder(response_context: ResponseContext) -> Box<dyn EventEncoder> {
    Box::new(ResponsesWriter {
        writer: EventWriter::default(),
        response_context,
        started: false,
        output: Vec::new(),
        message: None,
        open: None,
        held_bytes: 0,
        finish: FinishReason::default(),
        usage: None,
    })
}

/// Adjacent texts are the content of one message; every other part is an item of its own.
#[derive(Debug)]
struct ResponsesWriter {
    writer: EventWriter,
    response_context: ResponseContext,
    started: bool,
    /// The complete items, which the last event repeats.
    output: Vec<Value>,
    /// The open message. It stays open between its texts.
    message: Option<OpenMessage>,
    /// The open part.
    open: Option<PartBuffer>,
    /// How many bytes of the response are held.
    held_bytes: usize,
    finish: FinishReason,
    usage: Option<Usage>,
}

#[derive(Debug)]
struct OpenMessage {
    id: String,
    content: Vec<Value>,
}

impl EventEncoder for ResponsesWriter {
    fn held_bytes(&self) -> usize {
        self.held_bytes
    }

    fn event(&mut self, event: &Event, out: &mut Vec<Frame>) {
        if self.writer.ended {
            return;
        }
        // This comes before `start`: a stream that fails at once is only `response.failed`.
        if let Event::Error(error) = event {
            self.fail(error, out);
            return;
        }
        self.start(out);
        match event {
            Event::PartStart(part_start) => self.begin(part_start, out),
            Event::Delta(delta) => self.delta(delta, out),
            Event::PartEnd => self.end(out),
            Event::Finish(finish) => self.finish = finish.clone(),
            Event::Usage(usage) => self.usage = Some(*usage),
            Event::Done => self.done(out),
            Event::Error(_) | Event::Start { .. } => {}
        }
    }
}

impl ResponsesWriter {
    fn start(&mut self, out: &mut Vec<Frame>) {
        if self.started {
            return;
        }
        self.started = true;
        for kind in ["response.created", "response.in_progress"] {
            let response = &encode::initial_response(&self.response_context);
            self.writer
                .send(kind, &EventMembers::Response { response }, out);
        }
    }

    fn begin(&mut self, part_start: &PartStart, out: &mut Vec<Frame>) {
        self.end(out);
        if !matches!(part_start, PartStart::Text | PartStart::Refusal) {
            self.close_message("completed", out);
        }
        match part_start {
            PartStart::Text => self.begin_content(PartBuffer::text(), out),
            PartStart::Refusal => self.begin_content(PartBuffer::refusal(), out),
            PartStart::Reasoning { redacted } => self.open = Some(PartBuffer::reasoning(*redacted)),
            PartStart::ToolCall {
                id,
                name,
                signature,
            } => {
                if let Some(signature) = signature {
                    let own = ItemKind::Reasoning.id(&self.response_context, self.output.len());
                    self.emit_item(encode::call_signature(&own, signature), out);
                }
                let kind = CallKind::of(name, &self.response_context);
                let own = ItemKind::of_call(kind).id(&self.response_context, self.output.len());
                let call = part_buffer::CallBuffer::new(own, id, name, kind);
                self.add(&call.item("in_progress", &self.response_context), out);
                self.open = Some(PartBuffer::Call(call));
            }
            PartStart::Complete(Part::Image(media)) => {
                let id = ItemKind::Image.id(&self.response_context, self.output.len());
                if let Some(item) = item::image_generation_call(&id, "completed", media) {
                    self.emit_item(item, out);
                }
            }
            // No item of an output can hold these.
            PartStart::Complete(_) => {}
        }
    }

    fn begin_content(&mut self, open: PartBuffer, out: &mut Vec<Frame>) {
        if self.message.is_none() {
            let id = ItemKind::Message.id(&self.response_context, self.output.len());
            self.add(&item::message(&id, "in_progress", &[]), out);
            let content = Vec::new();
            self.message = Some(OpenMessage { id, content });
        }
        let part = &open.content();
        let kind = "response.content_part.added";
        self.content_event(kind, &EventMembers::Part { part }, out);
        self.open = Some(open);
    }

    fn delta(&mut self, delta: &Delta, out: &mut Vec<Frame>) {
        let held = match delta {
            Delta::Arguments(text)
            | Delta::Reasoning(text)
            | Delta::Refusal(text)
            | Delta::Text(text) => text.len(),
            Delta::Signature(signature) => signature.data.len(),
            Delta::Citation(citation) => citation.raw.to_string().len(),
        };
        let Some(mut open) = self.open.take() else {
            return;
        };
        if !self.hold(held, out) {
            return;
        }
        let first = open.append(delta);
        match (&open, delta) {
            (PartBuffer::Text { .. }, Delta::Text(text)) => {
                let (delta, logprobs) = (text.as_str(), []);
                let members = EventMembers::TextDelta { delta, logprobs };
                self.content_event("response.output_text.delta", &members, out);
            }
            (PartBuffer::Text { annotations, .. }, Delta::Citation(_)) if first => {
                if let Some((annotation, before)) = annotations.split_last() {
                    let annotation_index = before.len();
                    let members = EventMembers::Annotation {
                        annotation_index,
                        annotation,
                    };
                    self.content_event("response.output_text.annotation.added", &members, out);
                }
            }
            (PartBuffer::Refusal { .. }, Delta::Refusal(delta)) => {
                let members = EventMembers::Delta { delta };
                self.content_event("response.refusal.delta", &members, out);
            }
            (PartBuffer::Reasoning(_), Delta::Reasoning(delta)) => {
                let id = self.next_id(ItemKind::Reasoning);
                if first {
                    self.add(&item::reasoning(&id, "", None), out);
                    let part = SummaryPart { text: "" };
                    let members = EventMembers::SummaryPart { part };
                    let kind = "response.reasoning_summary_part.added";
                    self.summary_event(kind, &id, &members, out);
                }
                let kind = "response.reasoning_summary_text.delta";
                self.summary_event(kind, &id, &EventMembers::Delta { delta }, out);
            }
            (PartBuffer::Call(call), Delta::Arguments(delta))
                if call.kind == CallKind::Function =>
            {
                let kind = "response.function_call_arguments.delta";
                let id = call.item_id.clone();
                self.item_event(kind, &id, &EventMembers::Delta { delta }, out);
            }
            _ => {}
        }
        self.open = Some(open);
    }

    fn end(&mut self, out: &mut Vec<Frame>) {
        match self.open.take() {
            None => {}
            Some(PartBuffer::Reasoning(reasoning)) => self.end_reasoning(&reasoning, out),
            Some(PartBuffer::Call(call)) => self.end_call(call, out),
            Some(open) => {
                let part = open.content();
                if let Some((kind, members)) = open.done_event() {
                    self.content_event(kind, &members, out);
                }
                let members = EventMembers::Part { part: &part };
                self.content_event("response.content_part.done", &members, out);
                if let Some(message) = &mut self.message {
                    message.content.push(part);
                }
            }
        }
    }

    fn end_reasoning(&mut self, reasoning: &part_buffer::ReasoningBuffer, out: &mut Vec<Frame>) {
        let id = self.next_id(ItemKind::Reasoning);
        let item = reasoning.item(&id);
        if reasoning.text.is_empty() {
            // Without text, nothing was sent yet; without a signature, there is nothing to send.
            if reasoning.signature.is_some() {
                self.emit_item(item, out);
            }
            return;
        }
        let text = &reasoning.text;
        let kind = "response.reasoning_summary_text.done";
        self.summary_event(kind, &id, &EventMembers::Summary { text }, out);
        let part = SummaryPart { text };
        let members = EventMembers::SummaryPart { part };
        let kind = "response.reasoning_summary_part.done";
        self.summary_event(kind, &id, &members, out);
        self.finish_item(item, out);
    }

    fn end_call(&mut self, mut call: part_buffer::CallBuffer, out: &mut Vec<Frame>) {
        let id = call.item_id.clone();
        match call.kind {
            CallKind::Custom => {
                let input = &tool_text::input_or_arguments(&call.call.arguments);
                if !input.is_empty() {
                    let kind = "response.custom_tool_call_input.delta";
                    self.item_event(kind, &id, &EventMembers::Delta { delta: input }, out);
                }
                let kind = "response.custom_tool_call_input.done";
                self.item_event(kind, &id, &EventMembers::Input { input }, out);
            }
            CallKind::Function => {
                let arguments = tool_text::arguments_or_empty(&call.call.arguments).to_owned();
                // A client may join the deltas only, so the `{}` for missing arguments is sent as a delta too.
                if arguments != call.call.arguments {
                    let kind = "response.function_call_arguments.delta";
                    let delta = &arguments;
                    self.item_event(kind, &id, &EventMembers::Delta { delta }, out);
                }
                let members = EventMembers::Arguments {
                    name: &call.call.name,
                    arguments: &arguments,
                };
                let kind = "response.function_call_arguments.done";
                self.item_event(kind, &id, &members, out);
                call.call.arguments = arguments;
            }
            // Its arguments are an object, which only the whole item has.
            CallKind::Search => {}
        }
        let item = call.item("completed", &self.response_context);
        self.finish_item(item, out);
    }

    fn close_message(&mut self, status: &str, out: &mut Vec<Frame>) {
        if let Some(message) = self.message.take() {
            let item = item::message(&message.id, status, &message.content);
            self.finish_item(item, out);
        }
    }

    fn done(&mut self, out: &mut Vec<Frame>) {
        self.end(out);
        let finish = std::mem::take(&mut self.finish);
        let ending = Ending::of(&finish);
        self.close_message(ending.status, out);
        let output = std::mem::take(&mut self.output);
        let response = &encode::final_response(&self.response_context, ending, output, self.usage);
        let kind = match ending.reason {
            None => "response.completed",
            Some(_) => "response.incomplete",
        };
        self.writer
            .send(kind, &EventMembers::Response { response }, out);
        self.writer.ended = true;
    }

    fn fail(&mut self, error: &ProviderError, out: &mut Vec<Frame>) {
        if self.writer.ended {
            return;
        }
        let code = error::code(error.class(None), error.code.as_deref());
        let response = encode::failed_response(&self.response_context, &code, &error.message);
        let translated = TranslatedError::new(&error::ERRORS, None, error);
        let body = translated.body();
        let error = OpenaiError::of(&body);
        out.push(Frame {
            name: Cow::Borrowed(error::FAILED),
            data: error::failed_event(self.writer.sequence_number, &response, &error),
        });
        self.writer.ended = true;
        self.output.clear();
    }

    /// Counts bytes that are held. Returns false and fails the stream at the limit.
    fn hold(&mut self, bytes: usize, out: &mut Vec<Frame>) -> bool {
        self.held_bytes = self.held_bytes.saturating_add(bytes);
        if self.held_bytes <= HELD_RESPONSE_BYTES_MAX {
            return true;
        }
        let message = "the answer is too long to be repeated whole at its end";
        self.fail(&ProviderError::from_message(message), out);
        false
    }

    fn add(&mut self, item: &Value, out: &mut Vec<Frame>) {
        let members = EventMembers::Item {
            output_index: self.output.len(),
            item,
        };
        self.writer
            .send("response.output_item.added", &members, out);
    }

    /// Writes an item that is complete from the beginning.
    fn emit_item(&mut self, item: Value, out: &mut Vec<Frame>) {
        if self.hold(item.to_string().len(), out) {
            self.add(&item, out);
            self.finish_item(item, out);
        }
    }

    fn finish_item(&mut self, item: Value, out: &mut Vec<Frame>) {
        let members = EventMembers::Item {
            output_index: self.output.len(),
            item: &item,
        };
        self.writer.send("response.output_item.done", &members, out);
        self.output.push(item);
    }

    fn next_id(&self, kind: ItemKind) -> String {
        kind.id(&self.response_context, self.output.len())
    }

    fn item_event(
        &mut self,
        kind: &'static str,
        id: &str,
        members: &EventMembers<'_>,
        out: &mut Vec<Frame>,
    ) {
        let location = EventLocation::of_item(id, self.output.len());
        self.writer.send_at(location, kind, members, out);
    }

    fn summary_event(
        &mut self,
        kind: &'static str,
        id: &str,
        members: &EventMembers<'_>,
        out: &mut Vec<Frame>,
    ) {
        let location = EventLocation {
            summary_index: Some(0),
            ..EventLocation::of_item(id, self.output.len())
        };
        self.writer.send_at(location, kind, members, out);
    }

    fn content_event(
        &mut self,
        kind: &'static str,
        members: &EventMembers<'_>,
        out: &mut Vec<Frame>,
    ) {
        if let Some(message) = &self.message {
            let location = EventLocation {
                content_index: Some(message.content.len()),
                ..EventLocation::of_item(&message.id, self.output.len())
            };
            self.writer.send_at(location, kind, members, out);
        }
    }
}
