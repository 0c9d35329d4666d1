//! Tests of the whole dialect, and their helpers. `cases.rs` uses `tests/cases/dialects`; the other files use
//! constructed input.

mod cases;
mod hostile;
mod losses;
mod round_trip;
mod streams;
mod tool_search;

use crate::traits::Traits;
use std::error::Error;
use std::fs;
use std::path::PathBuf;

use bytes::Bytes;
use serde_json::{Value, json};

use super::*;
use crate::ir::{
    Delta, Event, Part, PartStart, ReasoningPart, Request, Response, ResponseContext,
    TranslationError, TranslationReport,
};
use crate::sse::SseReader;
use crate::{BodyCheck, EventClass, RequestHead, Usage};

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

/// Reads one file of a case. Returns `None` if the case does not have it in this dialect.
fn file(case: &str, what: &str) -> Option<Vec<u8>> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/cases/dialects");
    fs::read(root.join(case).join(format!("{DIALECT}.{what}"))).ok()
}

/// Reads one file of a case. Fails if it does not exist.
fn case_file(case: &str, what: &str) -> Outcome<Vec<u8>> {
    file(case, what).ok_or_else(|| format!("{case} has no {what}").into())
}

fn decode(body: &[u8]) -> Outcome<(Request, Vec<String>)> {
    let mut report = TranslationReport::default();
    let request = decode_request(body, &RequestHead::read(body)?, &mut report)?;
    let fields = report.warnings().iter().map(|it| it.field.clone());
    Ok((request, fields.collect()))
}

fn decode_value(body: &Value) -> Outcome<(Request, Vec<String>)> {
    decode(&serde_json::to_vec(body)?)
}

/// Decodes a minimal request with these additional members.
fn with(members: &Value) -> Result<(Request, Vec<String>), TranslationError> {
    let mut body = json!({"model": "m", "input": "Hi"});
    for (name, value) in members.as_object().into_iter().flatten() {
        body[name] = value.clone();
    }
    let body = body.to_string();
    let mut report = TranslationReport::default();
    let head = RequestHead {
        model: "m".into(),
        stream: false,
    };
    let request = decode_request(body.as_bytes(), &head, &mut report)?;
    let fields = report.warnings().iter().map(|it| it.field.clone());
    Ok((request, fields.collect()))
}

fn encode(request: &Request) -> Outcome<(Value, Vec<String>)> {
    let mut report = TranslationReport::default();
    let body = encode_request(request, &Traits::everything(), &mut report)?;
    let fields = report.warnings().iter().map(|it| it.field.clone());
    Ok((serde_json::from_slice(&body)?, fields.collect()))
}

/// Decodes a stream that arrives in chunks of `size` bytes.
fn events(stream: &[u8], size: usize) -> Outcome<Vec<Event>> {
    let mut reader = SseReader::default();
    let mut decoder = decoder();
    let mut out = Vec::new();
    for chunk in stream.chunks(size) {
        reader.push(Bytes::copy_from_slice(chunk));
        while let Some(event) = reader.next_event()? {
            decoder.event(event.name(), &event.data, &mut out)?;
        }
    }
    if let Some(event) = reader.finish()? {
        decoder.event(event.name(), &event.data, &mut out)?;
    }
    decoder.finish(&mut out);
    Ok(out)
}

/// Decodes events with these data.
fn events_of(data: &[Value]) -> Outcome<Vec<Event>> {
    let mut decoder = decoder();
    let mut out = Vec::new();
    for data in data {
        decoder.event("", data.to_string().as_bytes(), &mut out)?;
    }
    decoder.finish(&mut out);
    Ok(out)
}

/// Builds a response from events, and checks their order. Also returns whether the stream ended.
fn collect_response(events: &[Event]) -> (Response, bool) {
    let mut response = Response::default();
    let (mut open, mut done) = (None::<Part>, false);
    for event in events {
        assert!(!done, "event after the end: {event:?}");
        match event {
            Event::Start { id, model } => {
                response.id.clone_from(id);
                response.model.clone_from(model);
            }
            Event::PartStart(part_start) => {
                assert!(open.is_none(), "two parts are open");
                open = Some(start_part(part_start));
            }
            Event::Delta(delta) => extend(open.as_mut(), delta),
            Event::PartEnd => response.parts.extend(open.take()),
            Event::Usage(usage) => response.usage = Some(*usage),
            Event::Finish(finish) => {
                assert!(open.is_none(), "a part is open at the finish reason");
                response.finish = finish.clone();
            }
            Event::Done => done = true,
            Event::Error(_) => return (response, false),
        }
    }
    (response, done)
}

fn start_part(part_start: &PartStart) -> Part {
    match part_start.clone() {
        PartStart::Text => Part::text(""),
        PartStart::Refusal => Part::Refusal(String::new()),
        PartStart::Reasoning { redacted } => Part::Reasoning(ReasoningPart {
            text: String::new(),
            signature: None,
            redacted,
        }),
        PartStart::ToolCall {
            id,
            name,
            signature,
        } => Part::ToolCall(crate::ir::ToolCall {
            id,
            name,
            arguments: String::new(),
            signature,
        }),
        PartStart::Complete(part) => part,
    }
}

fn extend(open: Option<&mut Part>, delta: &Delta) {
    match (open, delta) {
        (Some(Part::Text { text, .. }), Delta::Text(more))
        | (Some(Part::Refusal(text)), Delta::Refusal(more))
        | (Some(Part::Reasoning(ReasoningPart { text, .. })), Delta::Reasoning(more)) => {
            assert!(!more.is_empty(), "an empty delta");
            text.push_str(more);
        }
        (Some(Part::ToolCall(call)), Delta::Arguments(more)) => call.arguments.push_str(more),
        (Some(Part::Text { citations, .. }), Delta::Citation(citation)) => {
            citations.push(citation.clone());
        }
        (Some(Part::Reasoning(reasoning)), Delta::Signature(signature)) => {
            reasoning.signature = Some(signature.clone());
        }
        (open, delta) => panic!("{delta:?} in {open:?}"),
    }
}

/// Returns the events that stream a response. Each delta of text has one character.
fn stream_events(response: &Response) -> Vec<Event> {
    let mut out = vec![Event::Start {
        id: response.id.clone(),
        model: response.model.clone(),
    }];
    let pieces = |text: &str| text.chars().map(String::from).collect::<Vec<_>>();
    for part in response.parts.clone() {
        let (part_start, deltas) = match part {
            Part::Text { text, citations } => {
                let mut deltas: Vec<_> = pieces(&text).into_iter().map(Delta::Text).collect();
                deltas.extend(citations.into_iter().map(Delta::Citation));
                (PartStart::Text, deltas)
            }
            Part::Refusal(text) => {
                let deltas = pieces(&text).into_iter().map(Delta::Refusal).collect();
                (PartStart::Refusal, deltas)
            }
            Part::Reasoning(reasoning) => {
                let texts = pieces(&reasoning.text).into_iter().map(Delta::Reasoning);
                let signature = reasoning.signature.map(Delta::Signature);
                let redacted = reasoning.redacted;
                let deltas = texts.chain(signature).collect();
                (PartStart::Reasoning { redacted }, deltas)
            }
            Part::ToolCall(call) => {
                let texts = pieces(&call.arguments).into_iter().map(Delta::Arguments);
                let part_start = PartStart::ToolCall {
                    id: call.id,
                    name: call.name,
                    signature: call.signature,
                };
                (part_start, texts.collect())
            }
            whole => (PartStart::Complete(whole), Vec::new()),
        };
        out.push(Event::PartStart(part_start));
        out.extend(deltas.into_iter().map(Event::Delta));
        out.push(Event::PartEnd);
    }
    out.extend(response.usage.map(Event::Usage));
    out.push(Event::Finish(response.finish.clone()));
    out.push(Event::Done);
    out
}

/// Encodes events. Returns the name and the data of each frame.
fn frames(events: &[Event], response_context: ResponseContext) -> Outcome<Vec<(String, Value)>> {
    let mut encoder = encoder(response_context);
    let mut out = Vec::new();
    for event in events {
        encoder.event(event, &mut out);
    }
    let read = out.into_iter().map(|frame| {
        let data = serde_json::from_slice(&frame.data)?;
        Ok((frame.name.into_owned(), data))
    });
    read.collect()
}
