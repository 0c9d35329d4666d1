//! A whole answer.

use super::event::{Begun, Delta, Event};
use super::part::Part;
use crate::Usage;

/// A whole answer. Translated ones have one candidate: a request for several is refused.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answer {
    /// The provider's id of it; empty if it gave none.
    pub id: String,
    /// The provider's name of the model; empty if it gave none.
    pub model: String,
    /// What it says.
    pub parts: Vec<Part>,
    /// Why it ended.
    pub finish: Finish,
    /// What it cost.
    pub usage: Option<Usage>,
}

/// Why an answer ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Finish {
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

impl Answer {
    /// The same answer as a stream has it, each part in one piece.
    #[must_use]
    pub fn events(&self) -> Vec<Event> {
        let mut events = vec![Event::Start {
            id: self.id.clone(),
            model: self.model.clone(),
        }];
        for part in &self.parts {
            let (begun, deltas) = pieces(part);
            events.push(Event::Begin(begun));
            events.extend(deltas.into_iter().map(Event::Delta));
            events.push(Event::End);
        }
        events.extend(self.usage.map(Event::Usage));
        events.push(Event::Finish(self.finish.clone()));
        events.push(Event::Done);
        events
    }
}

fn pieces(part: &Part) -> (Begun, Vec<Delta>) {
    let mut deltas = Vec::new();
    let begun = match part {
        Part::Text { text, citations } => {
            deltas.push(Delta::Text(text.clone()));
            deltas.extend(citations.iter().cloned().map(Delta::Citation));
            Begun::Text
        }
        Part::Reasoning(thought) => {
            deltas.push(Delta::Reasoning(thought.text.clone()));
            deltas.extend(thought.signature.clone().map(Delta::Signature));
            Begun::Reasoning {
                redacted: thought.redacted,
            }
        }
        Part::Refusal(text) => {
            deltas.push(Delta::Refusal(text.clone()));
            Begun::Refusal
        }
        Part::ToolCall(call) => {
            deltas.push(Delta::Arguments(call.arguments.clone()));
            Begun::ToolCall {
                id: call.id.clone(),
                name: call.name.clone(),
                signature: call.signature.clone(),
            }
        }
        Part::Audio(_) | Part::Document(_) | Part::Image(_) | Part::ToolResult(_) => {
            Begun::Whole(part.clone())
        }
    };
    deltas.retain(|delta| !delta.is_empty());
    (begun, deltas)
}
