//! A whole answer.

use super::event::{Delta, Event, PartStart};
use super::part::Part;
use crate::Usage;

/// A whole answer. Translated ones have one candidate: a request for several is refused.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Response {
    /// The provider's id of it; empty if it gave none.
    pub id: String,
    /// The provider's name of the model; empty if it gave none.
    pub model: String,
    /// What it says.
    pub parts: Vec<Part>,
    /// Why it ended.
    pub finish: FinishReason,
    /// What it cost.
    pub usage: Option<Usage>,
}

/// Why an answer ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum FinishReason {
    /// The provider held something back, or broke off for its rules.
    ContentFilter,
    /// It was as long as it may be.
    Length,
    /// A reason that has no common word, as the provider has it.
    Other(String),
    /// The model would not answer.
    Refusal,
    /// The model was done.
    #[default]
    Stop,
    /// It came to one of the texts that end an answer; which, if the provider says so.
    StopSequence(Option<String>),
    /// The model waits for the results of the tools that it calls.
    ToolCalls,
}

impl Response {
    /// The same answer as a stream has it, each part in one piece.
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

fn split_part(part: &Part) -> (PartStart, Vec<Delta>) {
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
        Part::Audio(_) | Part::Document(_) | Part::Image(_) | Part::ToolResult(_) => {
            PartStart::Complete(part.clone())
        }
    };
    deltas.retain(|delta| !delta.is_empty());
    (part_start, deltas)
}
