//! A strategy for tests: objects with the member names of this dialect, and values of every kind.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

/// Returns a strategy for objects with member names of this dialect.
pub(crate) fn object() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[ -~é]{0,6}".prop_map(Value::from),
        prop::sample::select(STRINGS).prop_map(Value::from),
        Just(json!("data:image/png;base64,AA==")),
    ];
    let nested = leaf.prop_recursive(6, 64, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            members(inner),
        ]
    });
    members(nested)
}

fn members(inner: impl Strategy<Value = Value>) -> impl Strategy<Value = Value> {
    let member = (prop::sample::select(NAMES), inner);
    prop::collection::vec(member, 0..6).prop_map(|members| {
        let members = members
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value));
        Value::Object(members.collect::<Map<_, _>>())
    })
}

const NAMES: &[&str] = &[
    "annotations",
    "arguments",
    "choices",
    "content",
    "custom",
    "data",
    "delta",
    "error",
    "extra_content",
    "file",
    "finish_reason",
    "function",
    "function_call",
    "functions",
    "id",
    "image_url",
    "images",
    "index",
    "input",
    "input_audio",
    "message",
    "messages",
    "model",
    "n",
    "name",
    "prompt",
    "reasoning",
    "reasoning_content",
    "reasoning_details",
    "refusal",
    "response_format",
    "role",
    "span",
    "stop",
    "stream_options",
    "text",
    "thinking",
    "tool_call_id",
    "tool_calls",
    "tool_choice",
    "tools",
    "type",
    "url",
    "url_citation",
    "usage",
    "x_groq",
];

const STRINGS: &[&str] = &[
    "assistant",
    "custom",
    "error",
    "file",
    "function",
    "image_url",
    "input_audio",
    "json_schema",
    "reasoning.encrypted",
    "reasoning.text",
    "stop",
    "system",
    "text",
    "thinking",
    "tool",
    "tool_calls",
    "user",
];
