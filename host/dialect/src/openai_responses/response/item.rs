//! The items of an output: a provider's are decoded leniently, a client's are encoded.

use serde_json::{Map, Value, json};

use crate::ir::tool_text;
use crate::ir::{
    Citation, ClientTool, Malformed, Media, MediaSource, Part, ReasoningPart, ResponseContext,
    Signature, ToolCall,
};
use crate::json;
use crate::openai_responses::reasoning::{self, Mark};
use crate::openai_responses::request::decode::input::{SUMMARY_SEPARATOR, media_type};
use crate::openai_responses::{citations, tools};

/// Decodes an item of a provider. `index` is its index in the output; `signature` is for the next call
/// (the provider may be another Jackfield).
pub(crate) fn decode(
    item: &Value,
    index: usize,
    signature: &mut Option<Signature>,
    out: &mut Vec<Part>,
) -> Result<(), Malformed> {
    match text(item, "type").unwrap_or_default() {
        "message" => {
            let content = item.get("content").and_then(Value::as_array);
            out.extend(
                content
                    .into_iter()
                    .flatten()
                    .filter_map(decode_content_part),
            );
        }
        "reasoning" => match decode_signature(item) {
            Some((found, Some(Mark::Call))) => *signature = Some(found),
            signed => out.extend(decode_reasoning(item, signed).map(Part::Reasoning)),
        },
        "function_call" | "custom_tool_call" => {
            let signature = signature.take();
            let call = call(item, index)?;
            out.push(Part::ToolCall(ToolCall { signature, ..call }));
        }
        "image_generation_call" => out.extend(decode_image(item)),
        // The messages after the calls of a provider's own tools hold the outcome.
        _ => {}
    }
    Ok(())
}

fn decode_content_part(part: &Value) -> Option<Part> {
    let member = |name: &str| text(part, name).filter(|text| !text.is_empty());
    match text(part, "type")? {
        "refusal" => Some(Part::Refusal(member("refusal")?.to_owned())),
        _ => Some(Part::Text {
            text: member("text")?.to_owned(),
            citations: citations::decode_all(part.get("annotations")),
        }),
    }
}

fn decode_reasoning(
    item: &Value,
    signed: Option<(Signature, Option<Mark>)>,
) -> Option<ReasoningPart> {
    let (signature, mark) = signed.unzip();
    let text = summary(item, "summary").or_else(|| summary(item, "content"));
    (text.is_some() || signature.is_some()).then(|| ReasoningPart {
        text: text.unwrap_or_default(),
        signature,
        redacted: mark.flatten() == Some(Mark::Redacted),
    })
}

/// Decodes the signature of a reasoning item.
pub(crate) fn decode_signature(item: &Value) -> Option<(Signature, Option<Mark>)> {
    let encrypted = text(item, "encrypted_content").filter(|it| !it.is_empty())?;
    Some(reasoning::decode(text(item, "id"), encrypted))
}

fn summary(item: &Value, name: &str) -> Option<String> {
    let parts = item.get(name)?.as_array()?.iter();
    let texts: Vec<&str> = parts.filter_map(|part| text(part, "text")).collect();
    let joined = texts.join(SUMMARY_SEPARATOR);
    (!joined.is_empty()).then_some(joined)
}

/// Decodes a call with its arguments.
pub(crate) fn call(item: &Value, index: usize) -> Result<ToolCall, Malformed> {
    let member = |name: &str| text(item, name).filter(|id| !id.is_empty());
    let id = member("call_id").or_else(|| member("id"));
    let name = member("name").ok_or(Malformed::UNNAMED_CALL)?;
    let name = match member("namespace") {
        Some(namespace) => tools::qualified_name(namespace, name),
        None => name.to_owned(),
    };
    Ok(ToolCall {
        id: id.map_or_else(|| format!("call_{index}"), str::to_owned),
        name,
        arguments: decode_arguments(item),
        signature: None,
    })
}

/// Decodes the arguments of a call, or the input of a custom tool; empty if there are none.
pub(crate) fn decode_arguments(item: &Value) -> String {
    let input = || text(item, "input").map(|input| json!({"input": input}).to_string());
    let arguments = text(item, "arguments").map(str::to_owned);
    arguments.or_else(input).unwrap_or_default()
}

/// Decodes the image of a finished `image_generation_call`.
pub(crate) fn decode_image(item: &Value) -> Option<Part> {
    let data = text(item, "result").filter(|data| !data.is_empty())?;
    Some(Part::Image(Media {
        media_type: Some(media_type(text(item, "output_format"))),
        source: MediaSource::base64(data.to_owned())?,
        detail: None,
        title: None,
    }))
}

/// Returns a member that is a string.
pub(crate) fn text<'v>(value: &'v Value, name: &str) -> Option<&'v str> {
    value.get(name)?.as_str()
}

/// Encodes a message of the assistant.
pub(crate) fn message(id: &str, status: &str, content: &[Value]) -> Value {
    json!({
        "id": id,
        "type": "message",
        "status": status,
        "role": "assistant",
        "content": content,
    })
}

/// Encodes a text inside a message.
pub(crate) fn output_text(text: &str, annotations: &[Value]) -> Value {
    json!({"type": "output_text", "text": text, "annotations": annotations, "logprobs": []})
}

/// Encodes the citations of a text, as far as this dialect has them.
pub(crate) fn annotations(text: &str, citations: &[Citation]) -> Vec<Value> {
    if citations.is_empty() {
        return Vec::new();
    }
    let length = text.chars().count();
    let written = citations.iter();
    written
        .filter_map(|citation| citations::encode(citation, length))
        .collect()
}

/// Encodes a refusal inside a message.
pub(crate) fn refusal(text: &str) -> Value {
    json!({"type": "refusal", "refusal": text})
}

/// Encodes a reasoning item.
pub(crate) fn reasoning(id: &str, text: &str, encrypted: Option<&str>) -> Value {
    let summary = if text.is_empty() {
        Vec::new()
    } else {
        vec![json!({"type": "summary_text", "text": text})]
    };
    json!({
        "id": id,
        "type": "reasoning",
        "summary": summary,
        "encrypted_content": encrypted,
    })
}

/// Encodes a tool call, with the kind and the namespace of the client's tool.
pub(crate) fn tool_call(
    id: &str,
    status: &str,
    call: &ToolCall,
    response_context: &ResponseContext,
) -> Value {
    let mut out = Map::new();
    let mut put = |name: &str, value: &str| out.insert(name.to_owned(), value.into());
    let kind = CallKind::of(&call.name, response_context);
    put("id", id);
    put("type", kind.item_type());
    put("status", status);
    put("call_id", &call.id);
    if kind == CallKind::Search {
        put("execution", "client");
        let arguments = json::parse(&call.arguments).ok();
        let arguments = arguments.filter(Value::is_object);
        out.insert(
            "arguments".to_owned(),
            arguments.unwrap_or_else(|| json!({})),
        );
        return Value::Object(out);
    }
    match response_context.client_tools.get(&call.name) {
        Some(ClientTool::Namespaced { namespace, name }) => {
            put("name", name);
            put("namespace", namespace);
        }
        Some(ClientTool::Search) | None => {
            put("name", &call.name);
        }
    }
    if kind == CallKind::Custom {
        put("input", &tool_text::input_or_arguments(&call.arguments));
    } else {
        put("arguments", &call.arguments);
    }
    Value::Object(out)
}

/// The kind of the client's tool that a call is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CallKind {
    Custom,
    Function,
    /// The client's search for tools.
    Search,
}

impl CallKind {
    pub(crate) fn of(name: &str, response_context: &ResponseContext) -> Self {
        let mut custom = response_context.custom_tools.iter();
        match response_context.client_tools.get(name) {
            Some(ClientTool::Search) => Self::Search,
            _ if custom.any(|custom| custom == name) => Self::Custom,
            _ => Self::Function,
        }
    }

    const fn item_type(self) -> &'static str {
        match self {
            Self::Custom => "custom_tool_call",
            Self::Function => "function_call",
            Self::Search => "tool_search_call",
        }
    }
}

/// Encodes an image as the result of the image tool; `None` if it is not inline.
pub(crate) fn image_generation_call(id: &str, status: &str, media: &Media) -> Option<Value> {
    let MediaSource::Base64(data) = &media.source else {
        return None;
    };
    let media_type = media.media_type.as_deref().unwrap_or("image/png");
    let format = media_type.strip_prefix("image/")?;
    Some(json!({
        "id": id,
        "type": "image_generation_call",
        "status": status,
        "output_format": format,
        "result": data,
    }))
}
