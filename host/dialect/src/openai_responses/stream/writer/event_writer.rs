//! Writes the events of a client's stream.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::Value;

use crate::ir::Frame;

/// Numbers the events, and writes none after the last one: any event may exceed a limit, which ends the stream.
#[derive(Debug, Default)]
pub(super) struct EventWriter {
    pub(super) sequence_number: u64,
    pub(super) ended: bool,
}

impl EventWriter {
    pub(super) fn send(&mut self, kind: &'static str, members: &Value, out: &mut Vec<Frame>) {
        self.send_at(EventLocation::default(), kind, members, out);
    }

    pub(super) fn send_at(
        &mut self,
        location: EventLocation<'_>,
        kind: &'static str,
        members: &Value,
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
            data: serde_json::to_vec(&data).unwrap_or_default(),
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
    members: &'a Value,
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
