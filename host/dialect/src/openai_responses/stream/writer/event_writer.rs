//! Writes the events of a client's stream.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::Value;

use crate::ir::Frame;
use crate::json::to_vec;

/// Numbers the events, and writes none after the last one: any event may exceed a limit, which ends the stream.
#[derive(Debug, Default)]
pub(super) struct EventWriter {
    pub(super) sequence_number: u64,
    pub(super) ended: bool,
}

impl EventWriter {
    /// Writes an event about the response, or with the location among its members.
    pub(super) fn send(
        &mut self,
        kind: &'static str,
        members: &EventMembers<'_>,
        out: &mut Vec<Frame>,
    ) {
        self.send_at(EventLocation::default(), kind, members, out);
    }

    /// Writes an event about an item.
    pub(super) fn send_at(
        &mut self,
        location: EventLocation<'_>,
        kind: &'static str,
        members: &EventMembers<'_>,
        out: &mut Vec<Frame>,
    ) {
        if self.ended {
            return;
        }
        let data = EventData {
            kind,
            sequence_number: self.sequence_number,
            location,
            members,
        };
        self.sequence_number += 1;
        out.push(Frame {
            name: Cow::Borrowed(kind),
            data: to_vec(&data),
        });
    }
}

/// Writes an event directly, without a tree: most events are only a few characters long.
#[derive(Serialize)]
struct EventData<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    sequence_number: u64,
    #[serde(flatten)]
    location: EventLocation<'a>,
    #[serde(flatten)]
    members: &'a EventMembers<'a>,
}

/// The members of an event, after those that all events have.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum EventMembers<'a> {
    Annotation {
        annotation_index: usize,
        annotation: &'a Value,
    },
    Arguments {
        name: &'a str,
        arguments: &'a str,
    },
    Delta {
        delta: &'a str,
    },
    Input {
        input: &'a str,
    },
    Item {
        output_index: usize,
        item: &'a Value,
    },
    Part {
        part: &'a Value,
    },
    Refusal {
        refusal: &'a str,
    },
    Response {
        response: &'a Value,
    },
    Summary {
        text: &'a str,
    },
    SummaryPart {
        part: SummaryPart<'a>,
    },
    /// Clients expect the probabilities, though there are none.
    Text {
        text: &'a str,
        logprobs: [(); 0],
    },
    TextDelta {
        delta: &'a str,
        logprobs: [(); 0],
    },
}

/// A summary of reasoning, or its beginning.
#[derive(Serialize)]
#[serde(tag = "type", rename = "summary_text")]
pub(super) struct SummaryPart<'a> {
    pub(super) text: &'a str,
}

/// The position of an event's subject.
#[derive(Default, Serialize)]
pub(super) struct EventLocation<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) item_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) output_index: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) summary_index: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) content_index: Option<usize>,
}

impl<'a> EventLocation<'a> {
    pub(super) fn of_item(id: &'a str, index: usize) -> Self {
        Self {
            item_id: Some(id),
            output_index: Some(index),
            ..Self::default()
        }
    }
}
