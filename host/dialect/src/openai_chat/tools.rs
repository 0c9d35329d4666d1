//! Tool calls, and the words of the tool choice.

use serde_json::{Map, Value, json};

use crate::ir::tool_text::{arguments_or_empty, input, input_object};
use crate::ir::{Signature, ToolCall, ToolChoice};
use crate::openai_chat::DIALECT;

/// Decodes the signature in a call's `extra_content`. Google's own endpoint of this dialect has it there
/// (<https://ai.google.dev/gemini-api/docs/thought-signatures>).
pub(crate) fn signature(extra: &Value) -> Option<Signature> {
    let text = extra.get("google")?.get("thought_signature")?.as_str()?;
    Some(Signature::read(DIALECT, text))
}

/// Encodes the `extra_content` of a call, for a signature of any dialect.
pub(crate) fn extra_content(signature: &Signature) -> Value {
    let text = signature.encode_for(DIALECT);
    json!({"google": {"thought_signature": text}})
}

/// Decodes a provider's call, the one at `index`; `None` if it has no name.
pub(crate) fn decode(call: &Value, index: usize) -> Option<ToolCall> {
    let text = |value: &Value, name: &str| Some(value.get(name)?.as_str()?.to_owned());
    let function = call.get("function").filter(|it| it.is_object());
    let custom = call.get("custom").filter(|it| it.is_object());
    let id = text(call, "id").filter(|id| !id.is_empty());
    let arguments = match (function, custom) {
        (None, Some(custom)) => input_object(&text(custom, "input").unwrap_or_default()),
        (Some(function), _) => match function.get("arguments") {
            // Ollama's own API has an object here, and so have some providers that imitate it.
            Some(object @ Value::Object(_)) => object.to_string(),
            _ => text(function, "arguments").unwrap_or_default(),
        },
        (None, None) => return None,
    };
    Some(ToolCall {
        id: id.unwrap_or_else(|| generated_id(index)),
        name: text(function.or(custom)?, "name").filter(|name| !name.is_empty())?,
        arguments,
        signature: call.get("extra_content").and_then(signature),
    })
}

/// Returns an id for a call whose provider sends none.
pub(crate) fn generated_id(index: usize) -> String {
    format!("call_{index}")
}

/// Decodes the deprecated `function_call` of a message.
pub(crate) fn decode_function_call(message: &Map<String, Value>) -> Option<ToolCall> {
    let function = message.get("function_call").filter(|it| it.is_object())?;
    decode(&json!({"function": function}), 0)
}

/// Encodes a call. `extra` becomes its `extra_content`.
pub(crate) fn encode(call: &ToolCall, custom: bool, extra: Option<Value>) -> Value {
    let ToolCall {
        id,
        name,
        arguments,
        ..
    } = call;
    let mut written = match custom.then(|| input(arguments)).flatten() {
        Some(input) => {
            json!({"id": id, "type": "custom", "custom": {"name": name, "input": input}})
        }
        None => json!({
            "id": id,
            "type": "function",
            "function": {"name": name, "arguments": arguments_or_empty(arguments)},
        }),
    };
    if let Some(extra) = extra {
        written["extra_content"] = extra;
    }
    written
}

/// The words of `tool_choice`. A choice of certain tools is an object.
pub(crate) const CHOICES: &[(&str, ToolChoice)] = &[
    ("auto", ToolChoice::Auto),
    ("none", ToolChoice::None),
    ("required", ToolChoice::Required),
];
