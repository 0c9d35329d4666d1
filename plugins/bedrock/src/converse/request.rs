//! The body of a request of Converse, from a body of Anthropic's API.

use jackfield_plugin::executor::{Body, Failure, HttpRequest, Payload, Target, client_body};
use serde_json::{Map, Value, json};

use super::content::{to_converse, unsupported};

/// Adds the client's request as a body of Converse.
///
/// # Errors
/// When the client's body is not JSON, or Converse cannot express it.
pub(crate) fn with_body(mut request: HttpRequest, target: &Target) -> Result<HttpRequest, Failure> {
    let body: Value = serde_json::from_slice(&client_body::read())
        .map_err(|error| Failure::invalid_request(format!("the body is not JSON: {error}")))?;
    let translated = translate(&body, &target.model)?;
    request.body = Body::Written(Payload::Text(translated.to_string()));
    Ok(request)
}

fn translate(body: &Value, model: &str) -> Result<Value, Failure> {
    let mut documents = 0;
    let mut translated = Map::new();
    let mut messages = Vec::new();
    for message in body["messages"].as_array().into_iter().flatten() {
        let content = to_converse(&message["content"], &mut documents)?;
        messages.push(json!({ "role": message["role"], "content": content }));
    }
    translated.insert("messages".to_owned(), Value::Array(messages));
    let system = to_converse(&body["system"], &mut documents)?;
    if !system.is_empty() {
        translated.insert("system".to_owned(), Value::Array(system));
    }
    let inference = inference_config(body);
    if !inference.is_empty() {
        translated.insert("inferenceConfig".to_owned(), Value::Object(inference));
    }
    if let Some(tools) = tool_config(body)? {
        translated.insert("toolConfig".to_owned(), tools);
    }
    if let Some(fields) = additional_fields(body, model) {
        translated.insert("additionalModelRequestFields".to_owned(), fields);
    }
    Ok(Value::Object(translated))
}

/// The parameters that all models have (`InferenceConfiguration`).
fn inference_config(body: &Value) -> Map<String, Value> {
    let names = [
        ("max_tokens", "maxTokens"),
        ("temperature", "temperature"),
        ("top_p", "topP"),
        ("stop_sequences", "stopSequences"),
    ];
    let found = names.into_iter().filter_map(|(from, to)| {
        let value = body.get(from).filter(|value| !value.is_null())?;
        Some((to.to_owned(), value.clone()))
    });
    found.collect()
}

/// Parameters of one family of models: Claude's as they are, and Nova's (Amazon Nova user guide, request schema).
fn additional_fields(body: &Value, model: &str) -> Option<Value> {
    let top_k = body.get("top_k").filter(|value| !value.is_null());
    if model.contains("amazon.nova") {
        return top_k.map(|top_k| json!({ "inferenceConfig": { "topK": top_k } }));
    }
    if !model.contains("anthropic.") {
        return None;
    }
    let mut fields = Map::new();
    for name in ["top_k", "thinking"] {
        if let Some(value) = body.get(name).filter(|value| !value.is_null()) {
            fields.insert(name.to_owned(), value.clone());
        }
    }
    (!fields.is_empty()).then_some(Value::Object(fields))
}

/// The tools and the choice among them.
fn tool_config(body: &Value) -> Result<Option<Value>, Failure> {
    let mut tools = Vec::new();
    for tool in body["tools"].as_array().into_iter().flatten() {
        if !matches!(tool["type"].as_str(), None | Some("custom")) {
            return Err(unsupported(&format!("tools of the type {}", tool["type"])));
        }
        let mut specification =
            json!({ "name": tool["name"], "inputSchema": { "json": tool["input_schema"] } });
        // Converse refuses an empty description.
        if let Some(description) = tool["description"].as_str().filter(|it| !it.is_empty()) {
            specification["description"] = json!(description);
        }
        tools.push(json!({ "toolSpec": specification }));
    }
    let choice = &body["tool_choice"];
    let choice = match choice["type"].as_str() {
        // Converse has no choice of no tool. Earlier calls need the tools, though.
        Some("none") if !has_tool_blocks(body) => return Ok(None),
        Some("any") => Some(json!({ "any": {} })),
        Some("tool") => Some(json!({ "tool": { "name": choice["name"] } })),
        Some("auto") => Some(json!({ "auto": {} })),
        _ => None,
    };
    if tools.is_empty() {
        return Ok(None);
    }
    let mut config = json!({ "tools": tools });
    if let Some(choice) = choice {
        config["toolChoice"] = choice;
    }
    Ok(Some(config))
}

fn has_tool_blocks(body: &Value) -> bool {
    let messages = body["messages"].as_array().into_iter().flatten();
    let blocks = messages.filter_map(|message| message["content"].as_array());
    blocks
        .flatten()
        .any(|block| block["type"] == "tool_use" || block["type"] == "tool_result")
}
