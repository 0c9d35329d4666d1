//! Renders a message as one JSON object and as events.

use axum::body::Bytes;
use serde_json::{Value, json};

use super::DIALECT;
use crate::errors::sse_event;
use crate::request::ModelRequest;
use crate::response::{FinishReason, ModelResponse, ToolCall, pieces};
use crate::signature::sign;

/// Renders the response as one JSON object.
pub(crate) fn response_body(request: &ModelRequest, response: &ModelResponse) -> Value {
    let mut message = message(request, response);
    let mut content = Vec::new();
    if !response.reasoning.is_empty() {
        let thinking = visible_reasoning(request, response).concat();
        content.push(json!({ "type": "thinking", "thinking": thinking, "signature": sign(DIALECT, &thinking) }));
    }
    if !response.text.is_empty() {
        content.push(json!({ "type": "text", "text": response.text.concat() }));
    }
    let call = |call: &ToolCall| json!({ "type": "tool_use", "id": call_id(call), "name": call.name, "input": call.arguments });
    content.extend(response.calls.iter().map(call));
    message["content"] = Value::Array(content);
    let (stop_reason, sequence) = stop_reason(response);
    message["stop_reason"] = json!(stop_reason);
    message["stop_sequence"] = sequence;
    message["usage"] = usage(response, response.usage.output);
    message
}

fn message(request: &ModelRequest, response: &ModelResponse) -> Value {
    json!({
        "id": "msg_mock_1",
        "type": "message",
        "role": "assistant",
        "model": request.model,
        "content": [],
        "stop_reason": null,
        "stop_sequence": null,
        "usage": usage(response, 1),
    })
}

/// Returns the reasoning that the client may see: none with `"display": "omitted"`.
fn visible_reasoning<'a>(request: &ModelRequest, response: &'a ModelResponse) -> &'a [String] {
    if request.body["thinking"]["display"] == "omitted" {
        &[]
    } else {
        &response.reasoning
    }
}

fn call_id(call: &ToolCall) -> String {
    format!("toolu_mock_{}", call.number)
}

fn stop_reason(response: &ModelResponse) -> (&'static str, Value) {
    match &response.finish_reason {
        FinishReason::EndOfTurn => ("end_turn", Value::Null),
        FinishReason::ToolCalls => ("tool_use", Value::Null),
        FinishReason::Length => ("max_tokens", Value::Null),
        FinishReason::StopSequence(stop) => ("stop_sequence", json!(stop)),
    }
}

/// Renders the usage. Anthropic's `input_tokens` exclude the cached tokens.
fn usage(response: &ModelResponse, output: u64) -> Value {
    let tokens = response.usage;
    json!({
        "input_tokens": tokens.input - tokens.cached,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": tokens.cached,
        "output_tokens": output,
        "output_tokens_details": { "thinking_tokens": tokens.reasoning },
        "service_tier": "standard",
    })
}

/// Renders the response as events. The SSE event name equals the type in the data.
pub(crate) fn events(request: &ModelRequest, response: &ModelResponse) -> Vec<Bytes> {
    let mut events = vec![
        typed_event(&json!({ "type": "message_start", "message": message(request, response) })),
        typed_event(&json!({ "type": "ping" })),
    ];
    let mut index = 0;
    let mut block = |start: Value, deltas: Vec<Value>| {
        events.push(typed_event(
            &json!({ "type": "content_block_start", "index": index, "content_block": start }),
        ));
        for delta in deltas {
            events.push(typed_event(
                &json!({ "type": "content_block_delta", "index": index, "delta": delta }),
            ));
        }
        events.push(typed_event(
            &json!({ "type": "content_block_stop", "index": index }),
        ));
        index += 1;
    };
    if !response.reasoning.is_empty() {
        let pieces = visible_reasoning(request, response);
        let delta = |piece: &String| json!({ "type": "thinking_delta", "thinking": piece });
        let mut deltas: Vec<Value> = pieces.iter().map(delta).collect();
        let signature = sign(DIALECT, &pieces.concat());
        deltas.push(json!({ "type": "signature_delta", "signature": signature }));
        block(
            json!({ "type": "thinking", "thinking": "", "signature": "" }),
            deltas,
        );
    }
    if !response.text.is_empty() {
        let text_delta = |piece: &String| json!({ "type": "text_delta", "text": piece });
        block(
            json!({ "type": "text", "text": "" }),
            response.text.iter().map(text_delta).collect(),
        );
    }
    for call in &response.calls {
        let piece = |piece: String| json!({ "type": "input_json_delta", "partial_json": piece });
        // Anthropic's first delta of a tool call is empty, too.
        let deltas = std::iter::once(String::new()).chain(pieces(&call.arguments.to_string()));
        let start =
            json!({ "type": "tool_use", "id": call_id(call), "name": call.name, "input": {} });
        block(start, deltas.map(piece).collect());
    }
    let (stop_reason, sequence) = stop_reason(response);
    events.push(typed_event(&json!({
        "type": "message_delta",
        "delta": { "stop_reason": stop_reason, "stop_sequence": sequence },
        "usage": usage(response, response.usage.output),
    })));
    events.push(typed_event(&json!({ "type": "message_stop" })));
    events
}

fn typed_event(data: &Value) -> Bytes {
    sse_event(data["type"].as_str(), data)
}
