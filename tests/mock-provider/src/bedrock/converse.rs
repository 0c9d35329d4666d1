//! Parses requests of Converse: its schema and its own rules here, then the rules of conversations that it shares with
//! Anthropic's API, as a body of that.

use serde_json::{Map, Value, json};

use super::converse_schema::BODY;
use crate::anthropic_messages;
use crate::request::{ModelRequest, RequestError, array_member};

/// Parses a request to a model.
pub(super) fn parse(body: &Value, model: &str, stream: bool) -> Result<ModelRequest, RequestError> {
    BODY.validate(body, |violation| {
        RequestError::at(violation.dot_path(), violation.description())
    })?;
    check_tools(body)?;
    let mut messages = Vec::new();
    for (index, message) in array_member(body, "messages").iter().enumerate() {
        let blocks = array_member(message, "content");
        let content = blocks.iter().enumerate().map(|(place, block)| {
            let field = format!("messages.{index}.content.{place}");
            content_block(&field, block)
        });
        let content: Result<Vec<Value>, RequestError> = content.collect();
        messages.push(json!({ "role": message["role"], "content": content? }));
    }
    let inference = &body["inferenceConfig"];
    let mut request = Map::new();
    let mut put = |name: &str, value: Value| {
        if !value.is_null() {
            request.insert(name.to_owned(), value);
        }
    };
    put("model", json!(model));
    put("stream", json!(stream));
    put("messages", json!(messages));
    put("temperature", inference["temperature"].clone());
    put("top_p", inference["topP"].clone());
    put("stop_sequences", inference["stopSequences"].clone());
    let tokens_max = inference["maxTokens"].as_u64();
    put("max_tokens", json!(tokens_max.unwrap_or(TOKENS_DEFAULT)));
    let system = array_member(body, "system").iter();
    let system: Vec<Value> = system
        .filter(|block| block["text"].is_string())
        .map(|block| json!({ "type": "text", "text": block["text"] }))
        .collect();
    put(
        "system",
        if system.is_empty() {
            Value::Null
        } else {
            json!(system)
        },
    );
    let tools = array_member(&body["toolConfig"], "tools").iter();
    let tools: Vec<Value> = tools.map(|tool| tool_of(&tool["toolSpec"])).collect();
    put(
        "tools",
        if tools.is_empty() {
            Value::Null
        } else {
            json!(tools)
        },
    );
    put(
        "tool_choice",
        tool_choice(&body["toolConfig"]["toolChoice"]),
    );
    anthropic_messages::parse_request(Value::Object(request))
}

/// The limit of output where a request has none.
const TOKENS_DEFAULT: u64 = 4_096;

/// Checks that messages with tool blocks have tools, as Converse demands.
fn check_tools(body: &Value) -> Result<(), RequestError> {
    let messages = array_member(body, "messages").iter();
    let mut blocks = messages.flat_map(|message| array_member(message, "content"));
    let uses_tools =
        blocks.any(|block| block.get("toolUse").is_some() || block.get("toolResult").is_some());
    let has_tools = !array_member(&body["toolConfig"], "tools").is_empty();
    if body.get("toolConfig").is_some() && !has_tools {
        return Err(RequestError::at(
            "toolConfig.tools",
            "Member must have length greater than or equal to 1",
        ));
    }
    if uses_tools && !has_tools {
        let message = "The toolConfig field must be defined when using toolUse and toolResult content blocks.";
        return Err(RequestError::at("", message));
    }
    Ok(())
}

/// Returns a block as Anthropic's API has it.
fn content_block(field: &str, block: &Value) -> Result<Value, RequestError> {
    let members: Vec<(&String, &Value)> = block.as_object().into_iter().flatten().collect();
    let [(kind, value)] = members.as_slice() else {
        return Err(RequestError::at(field, "a union has exactly one member"));
    };
    Ok(match kind.as_str() {
        "text" if value.as_str().is_some_and(|text| text.trim().is_empty()) => {
            let message = "The text field in the ContentBlock object is blank. Add text to the text field, and try again.";
            return Err(RequestError::at(field, message));
        }
        "text" => json!({ "type": "text", "text": value }),
        "image" => {
            let format = value["format"].as_str().unwrap_or_default();
            json!({ "type": "image", "source": {
                "type": "base64", "media_type": format!("image/{format}"), "data": value["source"]["bytes"],
            } })
        }
        "document" => json!({ "type": "document", "source": {
            "type": "base64", "media_type": "application/pdf", "data": value["source"]["bytes"],
        } }),
        "toolUse" => json!({
            "type": "tool_use", "id": value["toolUseId"], "name": value["name"], "input": value["input"],
        }),
        "toolResult" => {
            let inner = array_member(value, "content").iter();
            let inner: Result<Vec<Value>, RequestError> =
                inner.map(|block| content_block(field, block)).collect();
            json!({
                "type": "tool_result", "tool_use_id": value["toolUseId"], "content": inner?,
                "is_error": value["status"] == "error",
            })
        }
        "reasoningContent" if value.get("redactedContent").is_some() => {
            json!({ "type": "redacted_thinking", "data": value["redactedContent"] })
        }
        "reasoningContent" => json!({
            "type": "thinking",
            "thinking": value["reasoningText"]["text"],
            "signature": value["reasoningText"]["signature"],
        }),
        other => return Err(RequestError::at(field, format!("this mock has no {other}"))),
    })
}

fn tool_of(specification: &Value) -> Value {
    let mut tool = json!({
        "name": specification["name"], "input_schema": specification["inputSchema"]["json"],
    });
    if specification["description"].is_string() {
        tool["description"] = specification["description"].clone();
    }
    tool
}

fn tool_choice(choice: &Value) -> Value {
    if choice.get("any").is_some() {
        return json!({ "type": "any" });
    }
    match choice.get("tool") {
        Some(tool) => json!({ "type": "tool", "name": tool["name"] }),
        None => Value::Null,
    }
}
