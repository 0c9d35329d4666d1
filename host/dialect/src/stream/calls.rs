//! What a provider says of its calls, compared with the calls that it sent.

use crate::ProviderError;
use crate::ir::{Delta, Event, Part, PartStart};
use crate::json::Completeness;

/// The calls of a stream.
#[derive(Debug, Default)]
pub(super) struct CallCheck {
    has_calls: bool,
    /// The arguments of the call that was read last.
    arguments: Completeness,
    /// Whether the arguments of a call were cut off.
    is_cut: bool,
}

impl CallCheck {
    /// Checks the events from `known` on, and corrects a finish reason that contradicts them. If the response ends in the
    /// middle of a call, an error replaces the end, and is returned.
    pub(super) fn check(&mut self, events: &mut Vec<Event>, known: usize) -> Option<ProviderError> {
        for at in known..events.len() {
            match events.get_mut(at)? {
                Event::PartStart(PartStart::ToolCall { .. }) => {
                    self.has_calls = true;
                    self.arguments = Completeness::default();
                }
                Event::PartStart(PartStart::Complete(Part::ToolCall(_))) => self.has_calls = true,
                Event::Delta(Delta::Arguments(text)) => self.arguments.push(text),
                Event::PartEnd => {
                    self.is_cut |= self.arguments.is_open();
                    self.arguments = Completeness::default();
                }
                Event::Finish(reason) => {
                    *reason = std::mem::take(reason).reconcile(self.has_calls);
                    if !self.is_cut {
                        continue;
                    }
                    let Some(explained) = reason.explain_cut_call() else {
                        let error = ProviderError::from_message(CUT_CALL);
                        events.truncate(at);
                        events.push(Event::Error(error.clone()));
                        return Some(error);
                    };
                    *reason = explained;
                }
                _ => {}
            }
        }
        None
    }
}

const CUT_CALL: &str = "the provider's response ended in the middle of a tool call";
