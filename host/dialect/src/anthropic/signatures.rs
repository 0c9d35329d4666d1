//! Signatures in requests that are not translated: of `thinking` blocks, and the data of `redacted_thinking`.

use std::borrow::Cow;
use std::sync::LazyLock;

use serde_json::value::RawValue;

use crate::foreign_signatures::{SignatureEdit, SignatureMembers, SignedPart};
use crate::json::{Entry, entries, items, members, string};

/// The members with signatures. Images have a member `data`, too.
pub(super) static MEMBERS: LazyLock<[SignatureMembers; 2]> = LazyLock::new(|| {
    [
        SignatureMembers::new(&["signature"], "signature"),
        SignatureMembers::new(&["data"], "data").only_with("redacted_thinking"),
    ]
});

/// Whether a model refuses thinking without a signature. Claude does; other models that are served in this dialect
/// return such blocks, and take them back (anomalyco/opencode#6418: GLM and MiniMax, then Claude).
pub(super) fn refuses_empty(model: &str) -> bool {
    model.to_ascii_lowercase().contains("claude")
}

/// Removes the blocks that are dropped, and thinking for the call where the API would demand a removed block.
pub(super) fn strip(root: &RawValue, edit: &mut SignatureEdit<'_>) {
    let root_entries = entries(root);
    let Some(messages) = root_entries.iter().find(|entry| entry.is("messages")) else {
        return;
    };
    let messages = items(messages.value, usize::MAX);
    let outlines: Vec<MessageOutline> = messages
        .iter()
        .map(|message| strip_message(message, edit))
        .collect();
    if outlines.iter().any(|outline| outline.removed > 0) {
        edit.warn_dropped("messages.thinking");
    }
    // A message without content is an error.
    let is_empty = |outline: &MessageOutline| outline.removed > 0 && outline.remaining == 0;
    let empty: Vec<bool> = outlines.iter().map(is_empty).collect();
    if empty.contains(&true) {
        edit.text.remove_items(&messages, &empty);
    }
    if lacks_thinking(&outlines, edit.is_refused()) && has_budget(&root_entries) {
        switch_thinking_off(&root_entries, edit);
    }
}

/// What a message holds, without the removed blocks.
#[derive(Clone, Copy, Default)]
struct MessageOutline {
    role: Speaker,
    removed: usize,
    remaining: usize,
    has_thinking: bool,
    has_calls: bool,
    has_results: bool,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Speaker {
    Assistant,
    /// Instructions, which are no turn.
    #[default]
    System,
    User,
}

fn strip_message(message: &RawValue, edit: &mut SignatureEdit<'_>) -> MessageOutline {
    let mut outline = MessageOutline::default();
    let Ok(found) = members(message.get(), ["role", "content"]) else {
        return outline;
    };
    let [role, content] = found.values;
    outline.role = match role.and_then(string).as_deref() {
        Some("assistant") => Speaker::Assistant,
        Some("user") => Speaker::User,
        _ => Speaker::System,
    };
    let blocks = content.map_or_else(Vec::new, |content| items(content, usize::MAX));
    let mut is_removed = Vec::with_capacity(blocks.len());
    for block in &blocks {
        let Ok(found) = members(block.get(), ["type", "signature", "data"]) else {
            is_removed.push(false);
            continue;
        };
        let [kind, signature, data] = found.values;
        let kind = kind.and_then(string).unwrap_or_default();
        let signature = match (&*kind, outline.role) {
            ("thinking", Speaker::Assistant) => Some(signature),
            ("redacted_thinking", Speaker::Assistant) => Some(data),
            _ => None,
        };
        outline.has_calls |= kind == "tool_use";
        outline.has_results |= kind == "tool_result";
        let drops = signature.is_some_and(|signature| {
            edit.drops(&SignedPart {
                // Without the member it is as good as empty.
                signature: Some(signature.and_then(string).unwrap_or(Cow::Borrowed(""))),
                json: block.get(),
            })
        });
        outline.has_thinking |= signature.is_some() && !drops;
        outline.removed += usize::from(drops);
        outline.remaining += usize::from(!drops);
        is_removed.push(drops);
    }
    if outline.removed > 0 && outline.remaining > 0 {
        edit.text.remove_items(&blocks, &is_removed);
    }
    outline
}

/// Whether the last turn holds results of calls whose own turn has no thinking: it was removed, or the provider
/// refused the request.
fn lacks_thinking(outlines: &[MessageOutline], is_refused: bool) -> bool {
    let mut is_changed = is_refused;
    let mut turns = outlines.iter().rev().filter(|turn| {
        is_changed |= turn.removed > 0;
        let is_removed = turn.removed > 0 && turn.remaining == 0;
        turn.role != Speaker::System && !is_removed
    });
    // The API joins neighbours of one role.
    let (mut has_results, mut calling) = (false, MessageOutline::default());
    let mut last = turns.next();
    while let Some(turn) = last.filter(|turn| turn.role == Speaker::User) {
        has_results |= turn.has_results;
        last = turns.next();
    }
    while let Some(turn) = last.filter(|turn| turn.role == Speaker::Assistant) {
        calling.has_calls |= turn.has_calls;
        calling.has_thinking |= turn.has_thinking;
        last = turns.next();
    }
    has_results && calling.has_calls && !calling.has_thinking && is_changed
}

/// Whether the request has a thinking budget. With adaptive thinking the API demands no block.
fn has_budget(root: &[Entry<'_>]) -> bool {
    let thinking = root.iter().rev().find(|entry| entry.is("thinking"));
    let kind = thinking.and_then(|thinking| {
        let [kind] = members(thinking.value.get(), ["type"]).ok()?.values;
        string(kind?)
    });
    kind.as_deref() == Some("enabled")
}

/// Removes the thinking budget, and the edits of the context that are errors without thinking
/// (`clear_thinking_20251015`: anthropics/claude-code#11971).
fn switch_thinking_off(root: &[Entry<'_>], edit: &mut SignatureEdit<'_>) {
    let what = "dropped: the reasoning before the last tool call is missing";
    edit.report.warn("thinking", what);
    let mut drops_context_edits = false;
    let context = root.iter().find(|entry| entry.is("context_management"));
    if let Some(context) = context
        && let Ok(found) = members(context.value.get(), ["edits"])
        && let [Some(list)] = found.values
    {
        let list = items(list, usize::MAX);
        let clears: Vec<bool> = list.iter().map(|item| clears_thinking(item)).collect();
        if clears.contains(&true) {
            edit.report
                .warn("context_management", "changed: thinking is off");
            drops_context_edits = !clears.contains(&false);
            edit.text.remove_items(&list, &clears);
        }
    }
    edit.text.remove_entries(root, |entry| {
        entry.is("thinking") || (drops_context_edits && entry.is("context_management"))
    });
}

fn clears_thinking(context_edit: &RawValue) -> bool {
    let kind = members(context_edit.get(), ["type"]).ok();
    let kind = kind.and_then(|found| string(found.values[0]?));
    kind.is_some_and(|kind| kind.starts_with("clear_thinking"))
}
