//! Content blocks of messages: Anthropic's as Converse's `ContentBlock`, and back.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jackfield_plugin::executor::Failure;
use serde_json::{Value, json};

/// Translates content: a text, or blocks. `documents` counts the documents of the request, whose names must differ.
///
/// # Errors
/// When Converse has nothing for a block.
pub(super) fn to_converse(content: &Value, documents: &mut u32) -> Result<Vec<Value>, Failure> {
    let blocks = match content {
        Value::String(text) => return Ok(text_block(text).into_iter().collect()),
        Value::Array(blocks) => blocks,
        _ => return Ok(Vec::new()),
    };
    let mut translated = Vec::with_capacity(blocks.len());
    for block in blocks {
        translated.extend(block_to_converse(block, documents)?);
    }
    Ok(translated)
}

/// A block of text. Converse refuses empty ones.
fn text_block(text: &str) -> Option<Value> {
    (!text.trim().is_empty()).then(|| json!({ "text": text }))
}

fn block_to_converse(block: &Value, documents: &mut u32) -> Result<Option<Value>, Failure> {
    let text = |name: &str| block[name].as_str().unwrap_or_default();
    Ok(match text("type") {
        "text" => text_block(text("text")),
        "image" => Some(json!({ "image": image(&block["source"])? })),
        "document" => {
            *documents += 1;
            Some(json!({ "document": document(block, *documents)? }))
        }
        "tool_use" => Some(json!({ "toolUse": {
            "toolUseId": block["id"], "name": block["name"], "input": block["input"],
        } })),
        "tool_result" => {
            let mut result = json!({
                "toolUseId": block["tool_use_id"],
                "content": to_converse(&block["content"], documents)?,
            });
            if block["is_error"] == true {
                result["status"] = json!("error");
            }
            Some(json!({ "toolResult": result }))
        }
        "thinking" => Some(json!({ "reasoningContent": { "reasoningText": {
            "text": block["thinking"], "signature": block["signature"],
        } } })),
        "redacted_thinking" => {
            Some(json!({ "reasoningContent": { "redactedContent": block["data"] } }))
        }
        other => return Err(unsupported(&format!("content of the type `{other}`"))),
    })
}

/// An `ImageBlock`. Its formats are the last words of the media types.
fn image(source: &Value) -> Result<Value, Failure> {
    if source["type"] != "base64" {
        return Err(unsupported("images by URL or file id"));
    }
    let media_type = source["media_type"].as_str().unwrap_or_default();
    let Some(format) = media_type.strip_prefix("image/") else {
        return Err(unsupported(&format!("images of the type `{media_type}`")));
    };
    Ok(json!({ "format": format, "source": { "bytes": source["data"] } }))
}

/// A `DocumentBlock`. Its name may have letters, digits and hyphens, and is shown to the model.
fn document(block: &Value, number: u32) -> Result<Value, Failure> {
    let source = &block["source"];
    let (format, bytes) = match source["type"].as_str() {
        Some("base64") if source["media_type"] == "application/pdf" => {
            ("pdf", source["data"].clone())
        }
        Some("text") => {
            let text = source["data"].as_str().unwrap_or_default();
            ("txt", json!(STANDARD.encode(text)))
        }
        _ => return Err(unsupported("documents that are neither PDF nor text")),
    };
    let name = format!("document-{number}");
    Ok(json!({ "format": format, "name": name, "source": { "bytes": bytes } }))
}

pub(super) fn unsupported(what: &str) -> Failure {
    Failure::invalid_request(format!(
        "the Converse API of Amazon Bedrock does not take {what}"
    ))
}

/// Translates a block of a response; `None` for one that Anthropic's API has nothing for.
pub(super) fn to_anthropic(block: &Value) -> Option<Value> {
    if let Some(text) = block.get("text") {
        return Some(json!({ "type": "text", "text": text }));
    }
    if let Some(call) = block.get("toolUse") {
        return Some(json!({
            "type": "tool_use", "id": call["toolUseId"], "name": call["name"], "input": call["input"],
        }));
    }
    let reasoning = block.get("reasoningContent")?;
    if let Some(data) = reasoning.get("redactedContent") {
        return Some(json!({ "type": "redacted_thinking", "data": data }));
    }
    let text = reasoning.get("reasoningText")?;
    let signature = text["signature"].as_str().unwrap_or_default();
    Some(json!({ "type": "thinking", "thinking": text["text"], "signature": signature }))
}
