//! A made-up provider with a format of its own, for executors that speak no dialect: `POST /acme/generate` with JSON, and
//! responses of lines, each a JSON object. A whole response is one line. A request becomes a body of Anthropic's API, so
//! that the rules of conversations are the same.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Response, Uri};
use serde_json::{Map, Value, json};

use crate::errors::{Api, ApiError};
use crate::request::{ModelRequest, RequestError, array_member};
use crate::response::{FinishReason, ModelResponse, ToolCall};
use crate::serve::{Endpoint, IncomingRequest};
use crate::{MockProvider, anthropic_messages};

/// Serves `POST /acme/generate`.
pub(super) async fn generate(
    State(provider): State<Arc<MockProvider>>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let endpoint = Endpoint {
        api: Api::Acme,
        parse: Box::new(|body| parse(&body)),
        response_body,
        events,
        stream_content_type: "application/x-ndjson",
    };
    let incoming = IncomingRequest { uri, headers, body };
    provider.serve(endpoint, incoming).await
}

/// The members of a request.
const MEMBERS: [&str; 7] = [
    "model", "stream", "system", "limit", "heat", "messages", "tools",
];

fn parse(body: &Value) -> Result<ModelRequest, RequestError> {
    let members = body.as_object().into_iter().flatten();
    for (name, _) in members {
        if !MEMBERS.contains(&name.as_str()) {
            return Err(RequestError::at(name, "acme knows no such member"));
        }
    }
    let mut messages: Vec<Value> = Vec::new();
    for (index, message) in array_member(body, "messages").iter().enumerate() {
        let (role, block) = block_of(message)
            .ok_or_else(|| RequestError::at(format!("messages[{index}]"), "it is no message"))?;
        match messages.last_mut() {
            Some(last) if last["role"] == role => {
                last["content"]
                    .as_array_mut()
                    .into_iter()
                    .for_each(|blocks| blocks.push(block.clone()));
            }
            _ => messages.push(json!({ "role": role, "content": [block] })),
        }
    }
    let mut request = Map::new();
    let mut put = |name: &str, value: &Value| {
        // What is empty counts as missing.
        if ![json!(null), json!(""), json!([])].contains(value) {
            request.insert(name.to_owned(), value.clone());
        }
    };
    put("model", &body["model"]);
    put("stream", &body["stream"]);
    put("system", &body["system"]);
    put("temperature", &body["heat"]);
    put("messages", &json!(messages));
    put(
        "max_tokens",
        &json!(body["limit"].as_u64().unwrap_or(TOKENS_DEFAULT)),
    );
    let tool = |tool: &Value| json!({ "name": tool["name"], "description": tool["about"], "input_schema": tool["schema"] });
    put(
        "tools",
        &array_member(body, "tools").iter().map(tool).collect(),
    );
    anthropic_messages::parse_request(Value::Object(request))
}

/// The limit of output where a request has none.
const TOKENS_DEFAULT: u64 = 4_096;

/// A message as a role and a block of Anthropic's API.
fn block_of(message: &Value) -> Option<(&'static str, Value)> {
    let text = || json!({ "type": "text", "text": message["text"] });
    match message["who"].as_str()? {
        "user" => Some(("user", text())),
        "model" if message["call"].is_object() => {
            let call = &message["call"];
            let block = json!({ "type": "tool_use", "id": call["id"], "name": call["tool"], "input": call["input"] });
            Some(("assistant", block))
        }
        "model" => Some(("assistant", text())),
        "tool" => {
            let block = json!({ "type": "tool_result", "tool_use_id": message["id"], "content": message["text"] });
            Some(("user", block))
        }
        _ => None,
    }
}

fn response_body(_request: &ModelRequest, response: &ModelResponse) -> Value {
    let mut line = end(response);
    if !response.reasoning.is_empty() {
        line["think"] = json!(response.reasoning.concat());
    }
    if !response.text.is_empty() {
        line["say"] = json!(response.text.concat());
    }
    if !response.calls.is_empty() {
        line["calls"] = response.calls.iter().map(call).collect();
    }
    line
}

fn events(_request: &ModelRequest, response: &ModelResponse) -> Vec<Bytes> {
    let reasoning = response
        .reasoning
        .iter()
        .map(|piece| json!({ "think": piece }));
    let text = response.text.iter().map(|piece| json!({ "say": piece }));
    let calls = response
        .calls
        .iter()
        .map(|it| json!({ "calls": [call(it)] }));
    let lines = reasoning.chain(text).chain(calls).chain([end(response)]);
    lines.map(|value| line(&value)).collect()
}

fn call(call: &ToolCall) -> Value {
    json!({ "id": format!("acme-{}", call.number), "tool": call.name, "input": call.arguments })
}

fn end(response: &ModelResponse) -> Value {
    let word = match response.finish_reason {
        FinishReason::EndOfTurn | FinishReason::StopSequence(_) => "done",
        FinishReason::ToolCalls => "call",
        FinishReason::Length => "limit",
    };
    json!({ "end": word, "in": response.usage.input, "out": response.usage.output })
}

/// Renders an error.
pub(super) fn error_body(error: &ApiError) -> Value {
    let problem = match error.status {
        401 | 403 => "bad-key",
        413 => "too-long",
        429 | 503 => "busy",
        500.. => "broken",
        _ => "bad-request",
    };
    let why = match &error.field {
        Some(field) => format!("{field}: {}", error.message),
        None => error.message.clone(),
    };
    let mut body = json!({ "problem": problem, "why": why });
    if let Some(seconds) = error.retry_after {
        body["wait"] = json!(seconds);
    }
    body
}

/// Renders a line.
pub(super) fn line(value: &Value) -> Bytes {
    Bytes::from(format!("{value}\n"))
}
