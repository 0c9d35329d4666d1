//! Signatures in requests that are not translated: `encrypted_content` of reasoning items.

use serde_json::value::RawValue;

use crate::foreign_signatures::{SignatureEdit, SignatureMember, SignedPart};
use crate::json::{entries, items, members, string};

/// The members with signatures.
pub(super) const MEMBERS: &[SignatureMember] = &[SignatureMember {
    name: "encrypted_content",
    mark: None,
}];

/// Removes the reasoning items that are dropped. Without its encrypted content the provider would look for a
/// stored item of the same id (vercel/ai#7543).
pub(super) fn strip(root: &RawValue, edit: &mut SignatureEdit<'_>) {
    let root = entries(root);
    let Some(input) = root.iter().find(|entry| entry.is("input")) else {
        return;
    };
    let input = items(input.value, usize::MAX);
    let mut is_removed = vec![false; input.len()];
    // Whether the reasoning before the item was removed.
    let mut lacks_reasoning = edit.is_refused();
    for (index, item) in input.iter().enumerate() {
        let Ok(found) = members(item.get(), ["type", "role", "encrypted_content"]) else {
            continue;
        };
        let [kind, role, encrypted] = found.values;
        match kind.and_then(string).as_deref() {
            Some("reasoning") => {
                is_removed[index] = edit.drops(&SignedPart {
                    signature: encrypted.and_then(string),
                    json: item.get(),
                });
                lacks_reasoning = is_removed[index] || edit.is_refused();
            }
            Some("custom_tool_call" | "function_call") if lacks_reasoning => remove_id(item, edit),
            None | Some("message") => match role.and_then(string).as_deref() {
                Some("assistant") if lacks_reasoning => remove_id(item, edit),
                Some("assistant") => {}
                _ => lacks_reasoning = edit.is_refused(),
            },
            Some(_) => {}
        }
    }
    if is_removed.contains(&true) {
        edit.warn_dropped("input.reasoning");
        edit.text.remove_items(&input, &is_removed);
    }
}

/// Removes the id of an item. By the id the provider would find the reasoning that the item needs, and refuse the
/// request without it (VRSEN/agency-swarm#367).
fn remove_id(item: &RawValue, edit: &mut SignatureEdit<'_>) {
    let members = entries(item);
    if members.iter().any(|entry| entry.is("id")) {
        edit.text.remove_entries(&members, |entry| entry.is("id"));
    }
}
