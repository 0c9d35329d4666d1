//! OpenAI's legacy Completions API.

use axum::body::Bytes;
use serde_json::{Value, json};

use super::directives::Directives;
use super::errors::sse_event;
use super::openai_chat::{COMPLETION_BODY, usage};
use super::openai_common::{parse_stop, violation_error};
use super::request::{ModelRequest, Output, RequestError, ToolChoice, Turn, estimate_tokens};
use super::response::{FinishReason, ModelResponse};

/// Parses the body of a completion request.
pub(super) fn parse_request(body: Value) -> Result<ModelRequest, RequestError> {
    COMPLETION_BODY.validate(&body, violation_error)?;
    let prompt = match &body["prompt"] {
        Value::Array(prompts) => prompts
            .iter()
            .filter_map(Value::as_str)
            .collect::<Vec<_>>()
            .join("\n"),
        prompt => prompt.as_str().unwrap_or_default().to_owned(),
    };
    if body["model"] == "" {
        return Err(RequestError::at(
            "model",
            "you must provide a model parameter",
        ));
    }
    let directives =
        Directives::read(&body, &prompt).map_err(|error| RequestError::at("mock", error))?;
    Ok(ModelRequest {
        model: body["model"].as_str().unwrap_or_default().to_owned(),
        stream: body["stream"] == Value::Bool(true),
        directives,
        system: String::new(),
        tools: Vec::new(),
        tool_choice: ToolChoice::Auto,
        parallel_tool_calls: false,
        calls_before: 0,
        tokens: estimate_tokens([prompt.as_str()]),
        turn: Turn::Prompt(prompt),
        media: Vec::new(),
        output: Output::Text,
        reasoning: false,
        tokens_max: body["max_tokens"].as_u64(),
        stop: parse_stop(&body["stop"]),
        include_usage: body["stream_options"]["include_usage"] == Value::Bool(true),
        candidate_count: body["n"].as_u64().unwrap_or(1),
        body,
    })
}

fn choice_object(text: &str, index: u64, finish_reason: Option<&str>) -> Value {
    json!({ "text": text, "index": index, "logprobs": null, "finish_reason": finish_reason })
}

fn finish_reason(response: &ModelResponse) -> &'static str {
    if response.finish_reason == FinishReason::Length {
        "length"
    } else {
        "stop"
    }
}

fn completion_object(request: &ModelRequest, choices: &[Value]) -> Value {
    json!({ "id": "cmpl-mock-1", "object": "text_completion", "created": 1,
        "model": request.model, "choices": choices })
}

/// Renders the response as one JSON object.
pub(super) fn response_body(request: &ModelRequest, response: &ModelResponse) -> Value {
    let text = response.text.concat();
    let choice = |index| choice_object(&text, index, Some(finish_reason(response)));
    let mut body = completion_object(
        request,
        &(0..request.candidate_count).map(choice).collect::<Vec<_>>(),
    );
    body["usage"] = usage(response);
    body
}

/// Renders the response as events, with `[DONE]` at the end.
pub(super) fn events(request: &ModelRequest, response: &ModelResponse) -> Vec<Bytes> {
    let mut events = Vec::new();
    for index in 0..request.candidate_count {
        let piece = |piece: &String| {
            sse_event(
                None,
                &completion_object(request, &[choice_object(piece, index, None)]),
            )
        };
        events.extend(response.text.iter().map(piece));
        events.push(sse_event(
            None,
            &completion_object(
                request,
                &[choice_object("", index, Some(finish_reason(response)))],
            ),
        ));
    }
    if request.include_usage {
        let mut last = completion_object(request, &[]);
        last["usage"] = usage(response);
        events.push(sse_event(None, &last));
    }
    events.push(Bytes::from_static(b"data: [DONE]\n\n"));
    events
}
