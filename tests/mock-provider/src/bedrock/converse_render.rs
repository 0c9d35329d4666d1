//! Renders a message as a response of Converse and as the events of ConverseStream.

use axum::body::Bytes;
use serde_json::{Value, json};

use crate::amazon_event_stream::event_message;
use crate::request::ModelRequest;
use crate::response::{FinishReason, ModelResponse, ToolCall, pieces};

/// Renders the response as one JSON object.
pub(super) fn response_body(_request: &ModelRequest, response: &ModelResponse) -> Value {
    let mut content = Vec::new();
    if !response.text.is_empty() {
        content.push(json!({ "text": response.text.concat() }));
    }
    let call = |call: &ToolCall| json!({ "toolUse": { "toolUseId": call_id(call), "name": call.name, "input": call.arguments } });
    content.extend(response.calls.iter().map(call));
    json!({
        "output": { "message": { "role": "assistant", "content": content } },
        "stopReason": stop_reason(response),
        "usage": usage(response),
        "metrics": { "latencyMs": 551 },
    })
}

/// Renders the response as messages of Amazon's event stream.
pub(super) fn events(_request: &ModelRequest, response: &ModelResponse) -> Vec<Bytes> {
    let mut events = vec![event_message(
        "messageStart",
        &json!({ "role": "assistant" }),
    )];
    let mut index = 0;
    if !response.text.is_empty() {
        for piece in &response.text {
            events.push(delta(index, &json!({ "text": piece })));
        }
        events.push(event_message(
            "contentBlockStop",
            &json!({ "contentBlockIndex": index }),
        ));
        index += 1;
    }
    for call in &response.calls {
        let start = json!({ "toolUse": { "toolUseId": call_id(call), "name": call.name } });
        events.push(event_message(
            "contentBlockStart",
            &json!({ "contentBlockIndex": index, "start": start }),
        ));
        for piece in pieces(&call.arguments.to_string()) {
            events.push(delta(index, &json!({ "toolUse": { "input": piece } })));
        }
        events.push(event_message(
            "contentBlockStop",
            &json!({ "contentBlockIndex": index }),
        ));
        index += 1;
    }
    events.push(event_message(
        "messageStop",
        &json!({ "stopReason": stop_reason(response) }),
    ));
    events.push(event_message(
        "metadata",
        &json!({ "usage": usage(response), "metrics": { "latencyMs": 551 } }),
    ));
    events
}

fn delta(index: u32, delta: &Value) -> Bytes {
    let event = json!({ "contentBlockIndex": index, "delta": delta, "p": "abcd" });
    event_message("contentBlockDelta", &event)
}

fn call_id(call: &ToolCall) -> String {
    format!("tooluse_mock_{}", call.number)
}

fn stop_reason(response: &ModelResponse) -> &'static str {
    match response.finish_reason {
        FinishReason::EndOfTurn => "end_turn",
        FinishReason::ToolCalls => "tool_use",
        FinishReason::Length => "max_tokens",
        FinishReason::StopSequence(_) => "stop_sequence",
    }
}

/// The input excludes the cached tokens.
fn usage(response: &ModelResponse) -> Value {
    let tokens = response.usage;
    json!({
        "inputTokens": tokens.input - tokens.cached,
        "cacheReadInputTokens": tokens.cached,
        "outputTokens": tokens.output,
        "totalTokens": tokens.total(),
    })
}
