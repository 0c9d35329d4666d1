//! The places up to which the API caches a prompt: it caches nothing without them
//! (<https://platform.claude.com/docs/en/build-with-claude/prompt-caching>).

use serde_json::{Value, json};

use crate::ir::{CacheMark, Part, Request, Role, TranslationReport, loss};
use crate::traits::Traits;

/// Encodes a mark. Five minutes are the default of the API.
fn encode(mark: CacheMark) -> Value {
    if mark.is_long {
        return json!({"type": "ephemeral", "ttl": "1h"});
    }
    json!({"type": "ephemeral"})
}

/// Returns the mark that is set at the tools, the instructions and the last turns; `None` if the client marks places
/// itself, if the provider needs none, or if the same prompt will hardly come again: a first turn without tools.
pub(super) fn automatic(request: &Request, traits: &Traits) -> Option<CacheMark> {
    let turns = request.turns.iter().map(|turn| &turn.parts);
    let mut parts = turns.chain([&request.system]).flatten();
    if parts.any(|part| matches!(part, Part::CacheMark(_))) {
        return None;
    }
    let continues = request
        .turns
        .iter()
        .any(|turn| turn.role == Role::Assistant);
    let repeats = traits.cache_marks && (continues || !request.tools.is_empty());
    request.cache.or_else(|| repeats.then(CacheMark::default))
}

/// Marks the last block that the API caches up to.
pub(super) fn mark(blocks: &mut [Value], mark: CacheMark) {
    let mut blocks = blocks.iter_mut().rev();
    let is_markable = |block: &&mut Value| {
        let kind = block["type"].as_str().unwrap_or_default();
        // A definition of a tool has no type. Thinking cannot be marked.
        !matches!(kind, "thinking" | "redacted_thinking")
    };
    if let Some(block) = blocks.find(is_markable) {
        block["cache_control"] = encode(mark);
    }
}

/// Marks the instructions, and the last two turns of the user: the one that the provider will have in its cache next time,
/// and the one that it has from the last time.
pub(super) fn mark_automatically(
    system: &mut [Value],
    turns: &mut [(Role, Vec<Value>)],
    wanted: CacheMark,
) {
    mark(system, wanted);
    let users = turns.iter_mut().rev().filter(|turn| turn.0 == Role::User);
    for (_, blocks) in users.take(TURNS_MARKED) {
        mark(blocks, wanted);
    }
}

/// Removes marks beyond the most that the API takes: the oldest of the conversation first.
pub(super) fn limit(
    system: &mut [Value],
    turns: &mut [(Role, Vec<Value>)],
    tools_marked: bool,
    report: &mut TranslationReport,
) {
    let blocks = turns.iter_mut().flat_map(|turn| &mut turn.1);
    let marked: Vec<&mut Value> = blocks
        .chain(system)
        .filter(|block| block.get("cache_control").is_some())
        .collect();
    let most = MARKS_MAX - usize::from(tools_marked);
    let excess = marked.len().saturating_sub(most);
    if excess > 0 {
        report.warn(
            loss::CACHE_CONTROL,
            "changed: only the last 4 places are sent",
        );
    }
    for block in marked.into_iter().take(excess) {
        if let Some(members) = block.as_object_mut() {
            members.shift_remove("cache_control");
        }
    }
}

/// The most marks of a request.
const MARKS_MAX: usize = 4;

/// How many turns of the user are marked. The API looks back over 20 blocks for what it has cached, and a turn may have
/// more: the results of many calls.
const TURNS_MARKED: usize = 2;
