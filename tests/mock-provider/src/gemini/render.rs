//! Renders Gemini's responses: whole, and as chunks. A chunk has the format of a whole response.

use axum::body::Bytes;
use serde_json::{Value, json};

use super::DIALECT;
use crate::errors::sse_event;
use crate::request::ModelRequest;
use crate::response::{FinishReason, ModelResponse, ToolCall};
use crate::signature::sign;

/// Renders the response as one JSON object.
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

/// Renders the response as chunks.
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
    // Gemini sends the signature of a text at its end, in an empty part.
    let last = if response.text.is_empty() {
        json!({ "text": "" })
    } else {
        with_signature(json!({ "text": "" }), response, "text")
    };
    chunks.push(response_object(request, response, &[last], true));
    chunks
}

/// Renders the response as server-sent events, one per chunk.
pub(super) fn events(request: &ModelRequest, response: &ModelResponse) -> Vec<Bytes> {
    chunks(request, response)
        .iter()
        .map(|chunk| sse_event(None, chunk))
        .collect()
}

/// Renders the response as the pieces of one JSON array, one per chunk and one for the end.
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

/// Adds the signature of the reasoning, if there is any, to a part.
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
        // Gemini omits `parts` in an empty response.
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
        // Unique within a conversation, since a proxy may derive call ids from it.
        "responseId": format!("mock-{}", response.calls.first().map_or(0, |call| call.number)),
    })
}

/// Returns the finish reason. Gemini has none for function calls.
fn finish_reason(response: &ModelResponse) -> &'static str {
    match response.finish_reason {
        FinishReason::EndOfTurn | FinishReason::ToolCalls | FinishReason::StopSequence(_) => "STOP",
        FinishReason::Length => "MAX_TOKENS",
    }
}

/// Renders the usage. Gemini's `candidatesTokenCount` excludes the thoughts.
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
