//! Names of tools that the provider got in another form than the client's.

use std::collections::BTreeMap;

use super::part::Part;
use super::response::Response;

/// The tools whose names were changed: the client's name by the one that the provider gets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ToolNames(BTreeMap<String, String>);

impl ToolNames {
    /// Returns the names for pairs of the client's name and the provider's.
    pub(crate) fn new(renamed: impl IntoIterator<Item = (String, String)>) -> Self {
        Self(
            renamed
                .into_iter()
                .map(|(client, provider)| (provider, client))
                .collect(),
        )
    }

    /// Replaces the provider's name of a tool by the client's.
    pub(crate) fn restore(&self, name: &mut String) {
        if let Some(original) = self.0.get(name.as_str()) {
            name.clone_from(original);
        }
    }

    /// Gives the calls of a response the client's names.
    pub(crate) fn apply(&self, response: &mut Response) {
        if self.0.is_empty() {
            return;
        }
        for part in &mut response.parts {
            if let Part::ToolCall(call) = part {
                self.restore(&mut call.name);
            }
        }
    }
}
