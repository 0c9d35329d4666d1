//! Tests of reading streams, and functions for the events that they expect.

mod calls;
mod decoding;
mod parts;
mod watching;

use serde_json::{Value, json};

use crate::ir::{Delta, Event, PartStart};
use crate::openai_chat::decoder;
use crate::openai_chat::reasoning::own_signature;

/// Decodes the deltas of one choice. Returns the events after the start.
fn deltas(deltas: &[Value]) -> Vec<Event> {
    let mut decoder = decoder();
    let mut out = Vec::new();
    for delta in deltas {
        let chunk = json!({"choices": [{"index": 0, "delta": delta}]});
        decoder
            .event("", chunk.to_string().as_bytes(), &mut out)
            .unwrap();
    }
    decoder.event("", b"[DONE]", &mut out).unwrap();
    out.split_off(1)
}

fn text(text: &str) -> Event {
    Event::Delta(Delta::Text(text.to_owned()))
}

fn reasoning(text: &str) -> Event {
    Event::Delta(Delta::Reasoning(text.to_owned()))
}

fn arguments(text: &str) -> Event {
    Event::Delta(Delta::Arguments(text.to_owned()))
}

fn signature(data: &str) -> Event {
    Event::Delta(Delta::Signature(own_signature(data)))
}

fn reasoning_start(redacted: bool) -> Event {
    Event::PartStart(PartStart::Reasoning { redacted })
}

fn call_start(id: &str, name: &str) -> Event {
    Event::PartStart(PartStart::ToolCall {
        id: id.to_owned(),
        name: name.to_owned(),
        signature: None,
    })
}

/// Joins neighbouring pieces of arguments.
fn merge_arguments(events: Vec<Event>) -> Vec<Event> {
    let mut joined: Vec<Event> = Vec::new();
    for event in events {
        match (joined.last_mut(), event) {
            (Some(Event::Delta(Delta::Arguments(text))), Event::Delta(Delta::Arguments(more))) => {
                text.push_str(&more);
            }
            (_, event) => joined.push(event),
        }
    }
    joined
}
