//! Signatures in requests that are not translated: `encrypted_content` of reasoning items.

use std::borrow::Cow;
use std::sync::LazyLock;

use serde_json::value::RawValue;

use crate::foreign_signatures::{SignatureEdit, SignatureMembers, SignedPart};
use crate::json::{entries, items, members, string};

/// The members with signatures.
pub(super) static MEMBERS: LazyLock<[SignatureMembers; 1]> = LazyLock::new(|| {
    [SignatureMembers::new(
        &["encrypted_content"],
        "encrypted_content",
    )]
});

/// Removes the reasoning items that are dropped. Without its encrypted content the provider would look for a
/// stored item of the same id (vercel/ai#7543).
pub(super) fn strip(root: &RawValue, edit: &mut SignatureEdit<'_>) {
    let root = entries(root);
    let Some(input) = root.iter().find(|entry| entry.is("input")) else {
        return;
    };
    let input = items(input.value, usize::MAX);
    let mut is_removed = Vec::with_capacity(input.len());
    let kinds: Vec<TurnItem> = input.iter().map(|item| TurnItem::of(item)).collect();
    for turn in kinds.chunk_by(|_, next| *next != TurnItem::Input) {
        let at = is_removed.len();
        let items = &input[at..at + turn.len()];
        is_removed.extend(strip_turn(items, turn, edit));
    }
    if is_removed.contains(&true) {
        edit.warn_dropped("input.reasoning");
        edit.text.remove_items(&input, &is_removed);
    } else if !edit.text.is_empty() {
        edit.warn_dropped("input.id");
    }
}

/// What an item is, as far as signatures concern it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum TurnItem {
    /// A call or a message of the model.
    Output,
    /// A message of the user or the developer: it begins a turn.
    Input,
    /// Results of calls, and all other items.
    Other,
    Reasoning,
}

impl TurnItem {
    fn of(item: &RawValue) -> Self {
        let Ok(found) = members(item.get(), ["type", "role"]) else {
            return Self::Other;
        };
        let [kind, role] = found.values.map(|value| value.and_then(string));
        match (kind.as_deref(), role.as_deref()) {
            (Some("reasoning"), _) => Self::Reasoning,
            (Some("custom_tool_call" | "function_call"), _) => Self::Output,
            (None | Some("message"), Some("assistant")) => Self::Output,
            (None | Some("message"), Some(_)) => Self::Input,
            _ => Self::Other,
        }
    }
}

/// Returns which items of a turn are removed, and removes ids that depend on them.
fn strip_turn(turn: &[&RawValue], kinds: &[TurnItem], edit: &mut SignatureEdit<'_>) -> Vec<bool> {
    let reasoning = |item: &RawValue| {
        let found = members(item.get(), ["encrypted_content"]).ok();
        let text = found.and_then(|found| string(found.values[0]?));
        text.filter(|text| !text.is_empty())
            .map(|text| text.into_owned())
    };
    let signatures: Vec<Option<String>> = turn.iter().map(|item| reasoning(item)).collect();
    let mut is_removed: Vec<bool> = turn
        .iter()
        .zip(kinds.iter().zip(&signatures))
        .map(|(item, (kind, signature))| {
            let part = SignedPart {
                signature: signature.as_deref().map(Cow::Borrowed),
                json: item.get(),
            };
            *kind == TurnItem::Reasoning && edit.drops(&part)
        })
        .collect();
    if !is_removed.contains(&true) && !edit.is_refused() {
        return is_removed;
    }
    // Another provider's turn: what it has without encrypted content is not stored at this one, either.
    let mut lacks_reasoning = edit.is_refused();
    for (index, item) in turn.iter().enumerate() {
        match kinds[index] {
            TurnItem::Reasoning => {
                is_removed[index] |= signatures[index].is_none();
                lacks_reasoning = is_removed[index];
            }
            TurnItem::Output if lacks_reasoning => remove_id(item, edit),
            TurnItem::Input | TurnItem::Other | TurnItem::Output => {}
        }
    }
    is_removed
}

/// Removes the id of an item. By the id the provider would find the reasoning that the item needs, and refuse the
/// request without it (VRSEN/agency-swarm#367).
fn remove_id(item: &RawValue, edit: &mut SignatureEdit<'_>) {
    let members = entries(item);
    if members.iter().any(|entry| entry.is("id")) {
        edit.text.remove_entries(&members, |entry| entry.is("id"));
    }
}
