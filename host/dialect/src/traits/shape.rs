//! Shapes a request for a provider: what its traits refuse is changed in the common form, each change with a
//! warning. What is left to the encoders is only how something is written.

mod conversation;
mod members;
mod tools;

pub(super) use conversation::instructions_in_user_turn;

use super::Traits;
use crate::ir::{Request, ToolNames, TranslationReport};

impl Request {
    /// Shapes the request for a provider with these traits. Returns the names of tools that it changed, which the
    /// response has to get back.
    pub fn shape(&mut self, traits: &Traits, report: &mut TranslationReport) -> ToolNames {
        members::shape(self, traits, report);
        tools::shape_tools(self, traits, report);
        let names = tools::rename(self, traits, report);
        tools::replace_ids(self, traits, report);
        conversation::shape(self, traits, report);
        names
    }
}

/// The warning for ids of calls.
pub(super) const IDS_CHANGED: &str = "changed: to ids in the form that the provider takes";

#[cfg(test)]
mod tests;
