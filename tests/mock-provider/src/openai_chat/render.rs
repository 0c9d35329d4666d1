//! Renders a chat completion as one JSON object and as chunks.

use axum::body::Bytes;
use serde_json::{Value, json};

use crate::errors::sse_event;
use crate::request::ModelRequest;
use crate::response::{FinishReason, ModelResponse, ToolCall, pieces};

/// Renders the response as one JSON object.
pub(crate) fn response_body(request: &ModelRequest, response: &ModelResponse) -> Value {
    let mut message =
        json!({ "role": "assistant", "content": response.text.concat(), "refusal": null });
    if !response.calls.is_empty() {
        message["tool_calls"] = response.calls.iter().map(tool_call_object).collect();
        if response.text.is_empty() {
            message["content"] = Value::Null;
        }
    }
    if !response.reasoning.is_empty() {
        message["reasoning_content"] = json!(response.reasoning.concat());
    }
    let choice = |index: u64| json!({ "index": index, "message": message, "logprobs": null, "finish_reason": finish_reason(response) });
    json!({
        "id": COMPLETION_ID,
        "object": "chat.completion",
        "created": 1,
        "model": request.model,
        "choices": (0..request.candidate_count).map(choice).collect::<Vec<_>>(),
        "usage": usage(response),
        "x_mock": { "served_by": response.served_by },
    })
}

fn tool_call_object(call: &ToolCall) -> Value {
    json!({
        "id": format!("call_mock_{}", call.number),
        "type": "function",
        "function": { "name": call.name, "arguments": call.arguments.to_string() },
    })
}

fn finish_reason(response: &ModelResponse) -> &'static str {
    match response.finish_reason {
        FinishReason::EndOfTurn | FinishReason::StopSequence(_) => "stop",
        FinishReason::ToolCalls => "tool_calls",
        FinishReason::Length => "length",
    }
}

/// Renders the usage, for chats and legacy completions.
pub(crate) fn usage(response: &ModelResponse) -> Value {
    let tokens = response.usage;
    json!({
        "prompt_tokens": tokens.input,
        "completion_tokens": tokens.output,
        "total_tokens": tokens.total(),
        "prompt_tokens_details": { "cached_tokens": tokens.cached, "audio_tokens": 0 },
        "completion_tokens_details": { "reasoning_tokens": tokens.reasoning, "audio_tokens": 0 },
    })
}

/// Renders the response as chunks, with `[DONE]` at the end.
pub(crate) fn events(request: &ModelRequest, response: &ModelResponse) -> Vec<Bytes> {
    let mut events = Vec::new();
    for index in 0..request.candidate_count {
        events.extend(choice_events(request, response, index));
    }
    if request.include_usage {
        let mut last = chunk(request, &json!([]));
        last["usage"] = usage(response);
        events.push(sse_event(None, &last));
    }
    events.push(Bytes::from_static(b"data: [DONE]\n\n"));
    events
}

fn choice_events(request: &ModelRequest, response: &ModelResponse, index: u64) -> Vec<Bytes> {
    let delta = |delta: Value, finish_reason: Option<&str>| {
        let choice = json!({ "index": index, "delta": delta, "finish_reason": finish_reason });
        sse_event(None, &chunk(request, &json!([choice])))
    };
    let mut events = vec![delta(json!({ "role": "assistant", "content": "" }), None)];
    let reasoning_delta = |piece: &String| delta(json!({ "reasoning_content": piece }), None);
    events.extend(response.reasoning.iter().map(reasoning_delta));
    events.extend(
        response
            .text
            .iter()
            .map(|piece| delta(json!({ "content": piece }), None)),
    );
    for (index, tool_call) in response.calls.iter().enumerate() {
        let mut start = tool_call_object(tool_call);
        start["index"] = json!(index);
        start["function"]["arguments"] = json!("");
        events.push(delta(json!({ "tool_calls": [start] }), None));
        let piece = |piece: String| {
            let call = json!({ "index": index, "function": { "arguments": piece } });
            delta(json!({ "tool_calls": [call] }), None)
        };
        events.extend(
            pieces(&tool_call.arguments.to_string())
                .into_iter()
                .map(piece),
        );
    }
    events.push(delta(json!({}), Some(finish_reason(response))));
    events
}

fn chunk(request: &ModelRequest, choices: &Value) -> Value {
    let mut chunk = json!({
        "id": COMPLETION_ID,
        "object": "chat.completion.chunk",
        "created": 1,
        "model": request.model,
        "choices": choices,
    });
    if request.include_usage {
        chunk["usage"] = Value::Null;
    }
    chunk
}

const COMPLETION_ID: &str = "mock-1";
