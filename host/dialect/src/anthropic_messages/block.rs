//! The blocks that an answer is made of, both ways.

use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::{HERE, citation};
use crate::interlingua::{Citation, Part, Signature, Thought, ToolCall};
use crate::json::{is_void, items, members, string};

/// A block of an answer, or the beginning of one.
pub(super) enum Block {
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

impl Block {
    /// Reads a block; none if it is no object. What is missing is empty.
    pub(super) fn read(raw: &RawValue) -> Option<Self> {
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
        let said = |raw: Option<&RawValue>| raw.and_then(string).unwrap_or_default().into_owned();
        Some(match said(kind).as_str() {
            "redacted_thinking" => Self::Redacted(said(data)),
            "text" => Self::Text {
                text: said(text),
                citations: citations.map(values).unwrap_or_default(),
            },
            "thinking" => Self::Thinking {
                text: said(thinking),
                signature: said(signature),
            },
            "tool_use" => Self::ToolUse {
                id: said(id),
                name: said(name),
                input: input
                    .filter(|input| !is_void(input))
                    .map(|input| input.get().to_owned())
                    .unwrap_or_default(),
            },
            _ => Self::Other,
        })
    }

    /// The part that a whole block is; none for what has no common form, or says nothing.
    pub(super) fn into_part(self) -> Option<Part> {
        Some(match self {
            Self::Other => return None,
            Self::Redacted(data) => Part::Reasoning(Thought {
                text: String::new(),
                signature: Some(Signature::read(HERE, &data)),
                redacted: true,
            }),
            Self::Text { text, citations } => {
                if text.is_empty() {
                    return None;
                }
                let chars = Some(citation::chars(&text));
                let citations: Vec<Citation> = citations
                    .into_iter()
                    .map(|raw| citation::read(raw, chars))
                    .collect();
                Part::Text { text, citations }
            }
            Self::Thinking { text, signature } => Part::Reasoning(Thought {
                text,
                signature: (!signature.is_empty()).then(|| Signature::read(HERE, &signature)),
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

fn values(raw: &RawValue) -> Vec<Value> {
    let value = |raw: &&RawValue| serde_json::from_str(raw.get()).ok();
    items(raw, CITATIONS_MAX).iter().filter_map(value).collect()
}

/// A call's arguments as the object that the API demands.
pub(super) fn input_of(arguments: &str) -> Value {
    match serde_json::from_str(arguments) {
        Ok(input @ Value::Object(_)) => input,
        Ok(Value::Null) => Value::Object(Map::new()),
        _ if arguments.trim().is_empty() => Value::Object(Map::new()),
        _ => json!({"arguments": arguments}),
    }
}

/// A block that carries a call's signature to the client and back, before the call: at the call itself
/// the API has no place for one.
pub(super) fn call_signature(signature: &Signature) -> Value {
    let carried = Signature {
        origin: signature.origin,
        data: format!("{OF_A_CALL}{}", signature.data),
    };
    json!({"type": "redacted_thinking", "data": carried.written_in(HERE)})
}

/// Gives calls the signatures back that [`call_signature`] wrote before them.
pub(super) fn return_call_signatures(parts: &mut Vec<Part>) {
    let mut carried: Option<Signature> = None;
    parts.retain_mut(|part| match part {
        Part::Reasoning(thought) => match of_a_call(thought) {
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

fn of_a_call(thought: &Thought) -> Option<Signature> {
    let signature = thought.signature.as_ref().filter(|it| it.origin != HERE)?;
    let data = signature.data.strip_prefix(OF_A_CALL)?;
    Some(Signature {
        origin: signature.origin,
        data: data.to_owned(),
    })
}

/// Stands before a call's signature. No provider's record has a colon in it: they are base64.
const OF_A_CALL: &str = "call:";
/// The most citations read of one block: more than any answer has.
const CITATIONS_MAX: usize = 1_024;
