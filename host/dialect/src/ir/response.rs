//! A whole response.

use super::event::{Delta, Event, Malformed, PartStart};
use super::finish_reason::FinishReason;
use super::part::{Part, ToolCall};
use crate::Usage;

/// A whole response. Translated responses have one candidate: a request for several is rejected.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Response {
    /// The provider's id of the response; empty if it sent none.
    pub id: String,
    /// The provider's name of the model; empty if it sent none.
    pub model: String,
    /// The parts.
    pub parts: Vec<Part>,
    /// Why it ended.
    pub finish: FinishReason,
    /// The usage, if the provider sent it.
    pub usage: Option<Usage>,
}

impl Response {
    /// Returns the response with a finish reason that agrees with its parts.
    ///
    /// # Errors
    /// If it ends in the middle of a call.
    pub(crate) fn check(mut self) -> Result<Self, Malformed> {
        let mut calls = self.parts.iter().filter_map(|part| match part {
            Part::ToolCall(call) => Some(call),
            _ => None,
        });
        let has_calls = calls.clone().next().is_some();
        self.finish = self.finish.reconcile(has_calls);
        if calls.any(ToolCall::is_cut) {
            let explained = self.finish.explain_cut_call();
            self.finish = explained.ok_or(Malformed("it ends in the middle of a tool call"))?;
        }
        Ok(self)
    }

    /// Returns the response as the events of a stream, each part in one piece.
    #[must_use]
    pub fn events(&self) -> Vec<Event> {
        let mut events = vec![Event::Start {
            id: self.id.clone(),
            model: self.model.clone(),
        }];
        for part in &self.parts {
            let (part_start, deltas) = split_part(part);
            events.push(Event::PartStart(part_start));
            events.extend(deltas.into_iter().map(Event::Delta));
            events.push(Event::PartEnd);
        }
        events.extend(self.usage.map(Event::Usage));
        events.push(Event::Finish(self.finish.clone()));
        events.push(Event::Done);
        events
    }
}

/// Splits a part into its beginning and its deltas. A part that is never streamed is all beginning.
pub(crate) fn split_part(part: &Part) -> (PartStart, Vec<Delta>) {
    let mut deltas = Vec::new();
    let part_start = match part {
        Part::Text { text, citations } => {
            deltas.push(Delta::Text(text.clone()));
            deltas.extend(citations.iter().cloned().map(Delta::Citation));
            PartStart::Text
        }
        Part::Reasoning(reasoning) => {
            deltas.push(Delta::Reasoning(reasoning.text.clone()));
            deltas.extend(reasoning.signature.clone().map(Delta::Signature));
            PartStart::Reasoning {
                redacted: reasoning.redacted,
            }
        }
        Part::Refusal(text) => {
            deltas.push(Delta::Refusal(text.clone()));
            PartStart::Refusal
        }
        Part::ToolCall(call) => {
            deltas.push(Delta::Arguments(call.arguments.clone()));
            PartStart::ToolCall {
                id: call.id.clone(),
                name: call.name.clone(),
                signature: call.signature.clone(),
            }
        }
        Part::Audio(_)
        | Part::CacheMark(_)
        | Part::Document(_)
        | Part::Image(_)
        | Part::ToolResult(_) => PartStart::Complete(part.clone()),
    };
    deltas.retain(|delta| !delta.is_empty());
    (part_start, deltas)
}
