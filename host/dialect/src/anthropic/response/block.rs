//! Content blocks of responses.

use serde_json::value::RawValue;

use crate::anthropic::{DIALECT, citations};
use crate::ir::{Part, ReasoningPart, Signature, ToolCall};
use crate::json::{is_void, items, members};
use crate::limits::BLOCK_CITATIONS_MAX;
use crate::stream::Text;

/// A content block of a response, or the beginning of one in a stream. Its texts are not decoded.
pub(crate) enum ContentBlock<'a> {
    /// Of a tool that the provider runs itself, or of a kind that is unknown here.
    Other,
    Redacted(Text<'a>),
    Text {
        text: Text<'a>,
        citations: Vec<&'a RawValue>,
    },
    Thinking {
        text: Text<'a>,
        signature: Text<'a>,
    },
    ToolUse {
        id: Text<'a>,
        name: Text<'a>,
        /// `None` if there is no input, or nothing in it.
        input: Option<&'a RawValue>,
    },
}

impl<'a> ContentBlock<'a> {
    /// Reads a block; `None` if it is not an object. Missing members are empty.
    pub(crate) fn read(raw: &'a RawValue) -> Option<Self> {
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
        Some(match &*Text::from(kind).decode() {
            "redacted_thinking" => Self::Redacted(data.into()),
            "text" => Self::Text {
                text: text.into(),
                citations: citations
                    .map(|list| items(list, BLOCK_CITATIONS_MAX))
                    .unwrap_or_default(),
            },
            "thinking" => Self::Thinking {
                text: thinking.into(),
                signature: signature.into(),
            },
            "tool_use" => Self::ToolUse {
                id: id.into(),
                name: name.into(),
                input: input.filter(|input| !is_void(input)),
            },
            _ => Self::Other,
        })
    }

    /// The part that a whole block becomes; `None` for an empty text, and for what has no common form.
    pub(crate) fn into_part(self) -> Option<Part> {
        Some(match self {
            Self::Other => return None,
            Self::Redacted(data) => Part::Reasoning(ReasoningPart {
                text: String::new(),
                signature: Some(Signature::read(DIALECT, &data.decode())),
                redacted: true,
            }),
            Self::Text { text, citations } => {
                let text = text.decode().into_owned();
                if text.is_empty() {
                    return None;
                }
                let chars = Some(citations::char_count(&text));
                let values = citations
                    .iter()
                    .filter_map(|raw| serde_json::from_str(raw.get()).ok());
                Part::Text {
                    citations: values.map(|raw| citations::decode(raw, chars)).collect(),
                    text,
                }
            }
            Self::Thinking { text, signature } => {
                let signature = signature.decode();
                Part::Reasoning(ReasoningPart {
                    text: text.decode().into_owned(),
                    signature: (!signature.is_empty())
                        .then(|| Signature::read(DIALECT, &signature)),
                    redacted: false,
                })
            }
            Self::ToolUse { id, name, input } => Part::ToolCall(ToolCall {
                id: id.decode().into_owned(),
                name: name.decode().into_owned(),
                arguments: input.map_or("{}", RawValue::get).to_owned(),
                signature: None,
            }),
        })
    }
}

/// Returns the data of a block `redacted_thinking` that holds a call's signature, for the place before the
/// call: calls have no signatures in this API. The client sends it back.
pub(crate) fn call_signature_data(signature: &Signature) -> String {
    let carried = Signature {
        origin: signature.origin,
        data: format!("{CALL_PREFIX}{}", signature.data),
    };
    carried.encode_for(DIALECT)
}

/// Moves the signatures in blocks with [`call_signature_data`] back to their calls.
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

/// The prefix of a call's signature. Signatures of providers are base64, so they have no colon.
const CALL_PREFIX: &str = "call:";
