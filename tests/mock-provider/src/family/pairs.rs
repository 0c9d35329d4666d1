//! Calls of tools and their results: which ones lack their counterpart.

use std::collections::HashSet;

use serde::Deserialize;
use serde_json::Value;

/// What a rule looks for, by the dialect of the messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Pairing {
    /// A call of an assistant's message that no `tool` message right after it responds to.
    ChatCall,
    /// A `tool` message without a call in the assistant's message before it.
    ChatResult,
    /// A `tool_use` block without a `tool_result` in the next message.
    ClaudeCall,
    /// A `tool_result` block without a `tool_use` in the message before it.
    ClaudeResult,
    /// A `model` turn with calls that is not right after a `user` turn.
    GeminiOrder,
    /// A `model` turn with calls that the next turn has another number of responses for.
    GeminiCount,
    /// A call in the input of OpenAI's responses without an output.
    ResponsesCall,
    /// An output without a call.
    ResponsesResult,
}

/// Returns the id that lacks its counterpart, or the index of the turn; `None` if all is paired. `value` is
/// the list of messages, contents or items.
pub(super) fn unpaired(pairing: Pairing, value: &Value) -> Option<String> {
    let list = value.as_array()?;
    match pairing {
        Pairing::ChatCall => (0..list.len()).find_map(|at| {
            let results = list[at + 1..].iter().take_while(|it| it["role"] == "tool");
            let results: HashSet<&str> = results
                .filter_map(|it| it["tool_call_id"].as_str())
                .collect();
            missing(chat_calls(&list[at]), &results)
        }),
        Pairing::ChatResult => (0..list.len()).find_map(|at| {
            let id = (list[at]["role"] == "tool").then_some(list[at]["tool_call_id"].as_str())?;
            let caller = list[..at].iter().rev().find(|it| it["role"] != "tool");
            let known: HashSet<&str> = caller
                .map(chat_calls)
                .unwrap_or_default()
                .into_iter()
                .collect();
            missing(id.into_iter().collect(), &known)
        }),
        Pairing::ClaudeCall => (0..list.len()).find_map(|at| {
            let results = list
                .get(at + 1)
                .map(|it| blocks(it, "tool_result", "tool_use_id"));
            let results = results.unwrap_or_default().into_iter().collect();
            missing(blocks(&list[at], "tool_use", "id"), &results)
        }),
        Pairing::ClaudeResult => (0..list.len()).find_map(|at| {
            let calls = at
                .checked_sub(1)
                .map(|before| blocks(&list[before], "tool_use", "id"));
            let calls = calls.unwrap_or_default().into_iter().collect();
            missing(blocks(&list[at], "tool_result", "tool_use_id"), &calls)
        }),
        Pairing::GeminiOrder => (0..list.len()).find_map(|at| {
            let calls = parts(&list[at], "functionCall");
            let before = at.checked_sub(1).map(|before| &list[before]["role"]);
            let in_order = before.is_some_and(|role| role == "user" || role == "function");
            (calls > 0 && !in_order).then(|| at.to_string())
        }),
        Pairing::GeminiCount => (0..list.len()).find_map(|at| {
            let calls = parts(&list[at], "functionCall");
            let results = list
                .get(at + 1)
                .map_or(0, |it| parts(it, "functionResponse"));
            (calls > 0 && calls != results).then(|| at.to_string())
        }),
        Pairing::ResponsesCall => missing(
            items(list, "_call"),
            &items(list, "_call_output").into_iter().collect(),
        ),
        Pairing::ResponsesResult => missing(
            items(list, "_call_output"),
            &items(list, "_call").into_iter().collect(),
        ),
    }
}

fn missing(ids: Vec<&str>, known: &HashSet<&str>) -> Option<String> {
    let missing = ids.into_iter().find(|id| !known.contains(id));
    missing.map(str::to_owned)
}

fn chat_calls(message: &Value) -> Vec<&str> {
    let calls = message["tool_calls"].as_array();
    let ids = calls
        .into_iter()
        .flatten()
        .filter_map(|call| call["id"].as_str());
    ids.collect()
}

fn blocks<'a>(message: &'a Value, kind: &str, id: &str) -> Vec<&'a str> {
    let blocks = message["content"].as_array().into_iter().flatten();
    let blocks = blocks.filter(|block| block["type"] == kind);
    blocks.filter_map(|block| block[id].as_str()).collect()
}

fn parts(turn: &Value, member: &str) -> usize {
    let parts = turn["parts"].as_array().into_iter().flatten();
    parts.filter(|part| part.get(member).is_some()).count()
}

/// The ids of items of functions and custom tools.
fn items<'a>(list: &'a [Value], suffix: &str) -> Vec<&'a str> {
    let is_of = |item: &&Value| {
        let kind = item["type"].as_str().unwrap_or_default();
        ["function", "custom_tool"]
            .iter()
            .any(|tool| kind == format!("{tool}{suffix}"))
    };
    let ids = list
        .iter()
        .filter(is_of)
        .filter_map(|item| item["call_id"].as_str());
    ids.collect()
}
