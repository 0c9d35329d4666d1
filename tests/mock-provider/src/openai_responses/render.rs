//! Renders a response object and its items, for whole responses and for events.

use serde_json::{Value, json};

use super::DIALECT;
use super::tools::CallForm;
use crate::request::ModelRequest;
use crate::response::{FinishReason, ModelResponse};
use crate::signature::sign;

/// Renders the response as one JSON object.
pub(crate) fn response_body(request: &ModelRequest, response: &ModelResponse) -> Value {
    let mut output = Vec::new();
    if !response.reasoning.is_empty() {
        output.push(reasoning_item(request, &response.reasoning.concat()));
    }
    if !response.text.is_empty() {
        output.push(message_item(
            &response.text.concat(),
            final_status(response),
        ));
    }
    let item = |call| CallForm::of(call, &request.body).item(call, "completed");
    output.extend(response.calls.iter().map(item));
    finished_response(request, response, output)
}

/// Renders the response object after its end.
pub(super) fn finished_response(
    request: &ModelRequest,
    response: &ModelResponse,
    output: Vec<Value>,
) -> Value {
    let mut object = response_object(request, final_status(response));
    object["output"] = Value::Array(output);
    object["usage"] = usage(response);
    if response.finish_reason == FinishReason::Length {
        object["incomplete_details"] = json!({ "reason": "max_output_tokens" });
    } else {
        object["completed_at"] = json!(2);
    }
    object
}

/// Returns the status of the response after its end.
pub(super) fn final_status(response: &ModelResponse) -> &'static str {
    if response.finish_reason == FinishReason::Length {
        "incomplete"
    } else {
        "completed"
    }
}

/// Renders a response object without output. It repeats members of the request.
pub(super) fn response_object(request: &ModelRequest, status: &str) -> Value {
    let body = &request.body;
    let or = |name: &str, otherwise: Value| match body.get(name) {
        Some(value) if !value.is_null() => value.clone(),
        _ => otherwise,
    };
    let mut text = or("text", json!({}));
    if text.get("format").is_none() {
        text["format"] = json!({ "type": "text" });
    }
    json!({
        "id": "resp_mock_1",
        "object": "response",
        "created_at": 1,
        "completed_at": null,
        "status": status,
        "background": false,
        "error": null,
        "incomplete_details": null,
        "instructions": or("instructions", Value::Null),
        "max_output_tokens": or("max_output_tokens", Value::Null),
        "max_tool_calls": or("max_tool_calls", Value::Null),
        "model": request.model,
        "output": [],
        "parallel_tool_calls": request.parallel_tool_calls,
        "previous_response_id": null,
        "reasoning": or("reasoning", json!({ "effort": null, "summary": null })),
        "service_tier": "default",
        "store": or("store", json!(true)),
        "temperature": or("temperature", json!(1.0)),
        "text": text,
        "tool_choice": or("tool_choice", json!("auto")),
        "tools": or("tools", json!([])),
        "top_p": or("top_p", json!(1.0)),
        "truncation": or("truncation", json!("disabled")),
        "usage": null,
        "user": or("user", Value::Null),
        "metadata": or("metadata", json!({})),
    })
}

fn usage(response: &ModelResponse) -> Value {
    let tokens = response.usage;
    json!({
        "input_tokens": tokens.input,
        "input_tokens_details": { "cached_tokens": tokens.cached, "cache_write_tokens": 0 },
        "output_tokens": tokens.output,
        "output_tokens_details": { "reasoning_tokens": tokens.reasoning },
        "total_tokens": tokens.total(),
    })
}

/// Renders a reasoning item, with encrypted content if `include` requests it.
pub(super) fn reasoning_item(request: &ModelRequest, summary: &str) -> Value {
    let parts = if summary.is_empty() {
        json!([])
    } else {
        json!([summary_part(summary)])
    };
    let mut item = json!({ "type": "reasoning", "id": REASONING_ID, "summary": parts });
    let include = request.body["include"].as_array();
    let encrypted =
        include.is_some_and(|include| include.iter().any(|it| it == "reasoning.encrypted_content"));
    if encrypted {
        item["encrypted_content"] = json!(sign(DIALECT, &format!("{} thoughts", request.model)));
    }
    item
}

/// Renders a part of a summary.
pub(super) fn summary_part(text: &str) -> Value {
    json!({ "type": "summary_text", "text": text })
}

/// Renders a message item; it is empty while in progress.
pub(super) fn message_item(text: &str, status: &str) -> Value {
    let content = if status == "in_progress" {
        json!([])
    } else {
        json!([text_part(text)])
    };
    json!({ "type": "message", "id": MESSAGE_ID, "status": status, "role": "assistant", "content": content })
}

/// Renders a part of a message.
pub(super) fn text_part(text: &str) -> Value {
    json!({ "type": "output_text", "text": text, "annotations": [], "logprobs": [] })
}

/// The id of the message item.
pub(super) const MESSAGE_ID: &str = "msg_mock_1";

/// The id of the reasoning item.
pub(super) const REASONING_ID: &str = "rs_mock_1";
