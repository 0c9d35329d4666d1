//! Gemini's answers: whole, and as the chunks of a stream, which are answers of their own.

use axum::body::Bytes;
use serde_json::{Value, json};

use super::DIALECT;
use crate::errors::sse_event;
use crate::request::ModelRequest;
use crate::response::{FinishReason, ModelResponse, ToolCall};
use crate::signature::sign;

/// The whole answer.
pub(super) fn response_body(request: &ModelRequest, response: &ModelResponse) -> Value {
    let mut parts = Vec::new();
    if !response.reasoning.is_empty() {
        parts.push(json!({ "text": response.reasoning.concat(), "thought": true }));
    }
    if !response.text.is_empty() {
        parts.push(with_signature(
            json!({ "text": response.text.concat() }),
            response,
            "text",
        ));
    }
    parts.extend(function_calls(request, response));
    response_object(request, response, &parts, true)
}

/// The chunks of the answer.
fn chunks(request: &ModelRequest, response: &ModelResponse) -> Vec<Value> {
    let mut chunks = Vec::new();
    let mut chunk = |part: Value| chunks.push(response_object(request, response, &[part], false));
    for piece in &response.reasoning {
        chunk(json!({ "text": piece, "thought": true }));
    }
    for piece in &response.text {
        chunk(json!({ "text": piece }));
    }
    function_calls(request, response)
        .into_iter()
        .for_each(&mut chunk);
    // The signature of a text comes at its end, in a part that is empty otherwise.
    let last = if response.text.is_empty() {
        json!({ "text": "" })
    } else {
        with_signature(json!({ "text": "" }), response, "text")
    };
    chunks.push(response_object(request, response, &[last], true));
    chunks
}

/// The answer's chunks as events.
pub(super) fn events(request: &ModelRequest, response: &ModelResponse) -> Vec<Bytes> {
    chunks(request, response)
        .iter()
        .map(|chunk| sse_event(None, chunk))
        .collect()
}

/// The answer's chunks as the items of one array. The last of these is only its end.
pub(super) fn array_items(request: &ModelRequest, response: &ModelResponse) -> Vec<Bytes> {
    let chunks = chunks(request, response);
    let item = |(index, chunk): (usize, &Value)| {
        let before = if index == 0 { "[" } else { ",\r\n" };
        Bytes::from(format!("{before}{chunk}\n"))
    };
    let mut items: Vec<Bytes> = chunks.iter().enumerate().map(item).collect();
    items.push(Bytes::from_static(b"]\n"));
    items
}

/// Reasoning is signed on the first call, or at the end of the text.
fn with_signature(mut part: Value, response: &ModelResponse, what: &str) -> Value {
    if !response.reasoning.is_empty() {
        part["thoughtSignature"] =
            json!(sign(DIALECT, &format!("{what} of {}", response.served_by)));
    }
    part
}

fn function_calls(request: &ModelRequest, response: &ModelResponse) -> Vec<Value> {
    let part = |(index, call): (usize, &ToolCall)| {
        let mut function_call = json!({ "name": call.name, "args": call.arguments });
        if request.directives.call_ids {
            function_call["id"] = json!(format!("mock-{}", call.number));
        }
        let part = json!({ "functionCall": function_call });
        if index == 0 {
            with_signature(part, response, &call.name)
        } else {
            part
        }
    };
    response.calls.iter().enumerate().map(part).collect()
}

fn response_object(
    request: &ModelRequest,
    response: &ModelResponse,
    parts: &[Value],
    last: bool,
) -> Value {
    let candidate = |index: u64| {
        let mut candidate = json!({ "index": index });
        // An answer with nothing in it has no parts.
        candidate["content"] = if parts.is_empty() {
            json!({ "role": "model" })
        } else {
            json!({ "role": "model", "parts": parts })
        };
        if last {
            candidate["finishReason"] = json!(finish_reason(response));
        }
        candidate
    };
    json!({
        "candidates": (0..request.candidate_count).map(candidate).collect::<Vec<_>>(),
        "usageMetadata": usage(response),
        "modelVersion": request.model,
        // As unique within a conversation as the real ones are: ids of calls may be made of it.
        "responseId": format!("mock-{}", response.calls.first().map_or(0, |call| call.number)),
    })
}

/// A call of a function ends an answer like any other.
fn finish_reason(response: &ModelResponse) -> &'static str {
    match response.finish_reason {
        FinishReason::EndOfTurn | FinishReason::ToolCalls | FinishReason::StopSequence(_) => "STOP",
        FinishReason::Length => "MAX_TOKENS",
    }
}

/// Thoughts are counted apart from the candidates.
fn usage(response: &ModelResponse) -> Value {
    let tokens = response.usage;
    let mut usage = json!({
        "promptTokenCount": tokens.input,
        "candidatesTokenCount": tokens.output - tokens.reasoning,
        "totalTokenCount": tokens.total(),
    });
    if tokens.reasoning > 0 {
        usage["thoughtsTokenCount"] = json!(tokens.reasoning);
    }
    if tokens.cached > 0 {
        usage["cachedContentTokenCount"] = json!(tokens.cached);
    }
    usage
}
