//! The blocks that an answer is made of, both ways.

use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use crate::anthropic::{DIALECT, citations};
use crate::ir::{Citation, Part, ReasoningPart, Signature, ToolCall};
use crate::json::{is_void, items, members, string};

/// A block of an answer, or the beginning of one.
pub(crate) enum ContentBlock {
    /// Of a tool that the provider runs itself, or of a kind unknown here.
    Other,
    Redacted(String),
    Text {
        text: String,
        citations: Vec<Value>,
    },
    Thinking {
        text: String,
        signature: String,
    },
    ToolUse {
        id: String,
        name: String,
        /// As JSON text; empty if there is none, or nothing in it.
        input: String,
    },
}

impl ContentBlock {
    /// Reads a block; none if it is no object. What is missing is empty.
    pub(crate) fn read(raw: &RawValue) -> Option<Self> {
        let names = [
            "type",
            "text",
            "citations",
            "thinking",
            "signature",
            "data",
            "id",
            "name",
            "input",
        ];
        let [
            kind,
            text,
            citations,
            thinking,
            signature,
            data,
            id,
            name,
            input,
        ] = members(raw.get(), names).ok()?.values;
        let text_or_empty =
            |raw: Option<&RawValue>| raw.and_then(string).unwrap_or_default().into_owned();
        Some(match text_or_empty(kind).as_str() {
            "redacted_thinking" => Self::Redacted(text_or_empty(data)),
            "text" => Self::Text {
                text: text_or_empty(text),
                citations: citations.map(citation_values).unwrap_or_default(),
            },
            "thinking" => Self::Thinking {
                text: text_or_empty(thinking),
                signature: text_or_empty(signature),
            },
            "tool_use" => Self::ToolUse {
                id: text_or_empty(id),
                name: text_or_empty(name),
                input: input
                    .filter(|input| !is_void(input))
                    .map(|input| input.get().to_owned())
                    .unwrap_or_default(),
            },
            _ => Self::Other,
        })
    }

    /// The part that a whole block is; none for what has no common form, or says nothing.
    pub(crate) fn into_part(self) -> Option<Part> {
        Some(match self {
            Self::Other => return None,
            Self::Redacted(data) => Part::Reasoning(ReasoningPart {
                text: String::new(),
                signature: Some(Signature::read(DIALECT, &data)),
                redacted: true,
            }),
            Self::Text { text, citations } => {
                if text.is_empty() {
                    return None;
                }
                let chars = Some(citations::char_count(&text));
                let citations: Vec<Citation> = citations
                    .into_iter()
                    .map(|raw| citations::decode(raw, chars))
                    .collect();
                Part::Text { text, citations }
            }
            Self::Thinking { text, signature } => Part::Reasoning(ReasoningPart {
                text,
                signature: (!signature.is_empty()).then(|| Signature::read(DIALECT, &signature)),
                redacted: false,
            }),
            Self::ToolUse { id, name, input } => Part::ToolCall(ToolCall {
                id,
                name,
                arguments: if input.is_empty() {
                    "{}".to_owned()
                } else {
                    input
                },
                signature: None,
            }),
        })
    }
}

fn citation_values(raw: &RawValue) -> Vec<Value> {
    let value = |raw: &&RawValue| serde_json::from_str(raw.get()).ok();
    items(raw, CITATIONS_MAX).iter().filter_map(value).collect()
}

/// A call's arguments as the object that the API demands.
pub(crate) fn arguments_object(arguments: &str) -> Value {
    match serde_json::from_str(arguments) {
        Ok(input @ Value::Object(_)) => input,
        Ok(Value::Null) => Value::Object(Map::new()),
        _ if arguments.trim().is_empty() => Value::Object(Map::new()),
        _ => json!({"arguments": arguments}),
    }
}

/// A block that carries a call's signature to the client and back, before the call: at the call itself
/// the API has no place for one.
pub(crate) fn call_signature_block(signature: &Signature) -> Value {
    let carried = Signature {
        origin: signature.origin,
        data: format!("{CALL_PREFIX}{}", signature.data),
    };
    json!({"type": "redacted_thinking", "data": carried.encode_for(DIALECT)})
}

/// Gives calls the signatures back that [`call_signature_block`] wrote before them.
pub(crate) fn restore_call_signatures(parts: &mut Vec<Part>) {
    let mut carried: Option<Signature> = None;
    parts.retain_mut(|part| match part {
        Part::Reasoning(reasoning) => match parse_call_signature(reasoning) {
            None => true,
            found => {
                carried = found;
                false
            }
        },
        Part::ToolCall(call) => {
            call.signature = carried.take();
            true
        }
        _ => true,
    });
}

fn parse_call_signature(reasoning: &ReasoningPart) -> Option<Signature> {
    let signature = reasoning
        .signature
        .as_ref()
        .filter(|it| it.origin != DIALECT)?;
    let data = signature.data.strip_prefix(CALL_PREFIX)?;
    Some(Signature {
        origin: signature.origin,
        data: data.to_owned(),
    })
}

/// Stands before a call's signature. No provider's record has a colon in it: they are base64.
const CALL_PREFIX: &str = "call:";
/// The most citations read of one block: more than any answer has.
const CITATIONS_MAX: usize = 1_024;
