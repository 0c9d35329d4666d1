//! Tests the rules of the responses, with chats.

use serde_json::json;

use super::*;
use crate::openai_chat::parse_request;

fn respond(body: &Value) -> ModelResponse {
    let mut whole = json!({ "model": "m", "messages": [{ "role": "user", "content": "hello" }] });
    for (name, value) in body.as_object().unwrap() {
        whole[name] = value.clone();
    }
    ModelResponse::generate(&parse_request(whole).unwrap(), "key")
}

fn respond_with_tools(text: &str, more: &Value) -> ModelResponse {
    let tool = |name: &str| {
        json!({ "type": "function", "function": { "name": name, "parameters": {
            "type": "object", "properties": { "city": { "type": "string" } }, "required": ["city"] } } })
    };
    let mut body = json!({
        "messages": [{ "role": "user", "content": text }],
        "tools": [tool("weather"), tool("clock")],
    });
    for (name, value) in more.as_object().unwrap() {
        body[name] = value.clone();
    }
    respond(&body)
}

fn call_names(response: &ModelResponse) -> Vec<&str> {
    response
        .calls
        .iter()
        .map(|call| call.name.as_str())
        .collect()
}

#[test]
fn counts_the_words_of_the_text() {
    let response = respond(&json!({}));
    assert_eq!(
        response.text.concat(),
        "key says: word-1 word-2 word-3 word-4"
    );
    assert_eq!(
        (
            response.usage.input,
            response.usage.output,
            response.usage.total()
        ),
        (3, 5, 8)
    );
    assert_eq!(respond(&json!({ "mock": { "words": 2 } })).text.len(), 2);
    let empty = respond(&json!({ "mock": { "empty": true } }));
    assert_eq!(
        (empty.text.len(), empty.usage.output, empty.finish_reason),
        (0, 0, FinishReason::EndOfTurn)
    );
}

#[test]
fn text_shows_system_prompt_and_media() {
    let image =
        json!({ "type": "image_url", "image_url": { "url": "data:image/png;base64,YWJj" } });
    let response = respond(&json!({ "messages": [
        { "role": "system", "content": "be kind" },
        { "role": "user", "content": [{ "type": "text", "text": "look" }, image] },
    ], "mock": { "words": 1 } }));
    assert_eq!(
        response.text.concat(),
        "key says: saw image image/png 3 bytes [system: be kind]"
    );
}

#[test]
fn calls_tools_on_request_or_when_forced() {
    assert_eq!(
        call_names(&respond_with_tools("hello", &json!({}))),
        [""; 0]
    );
    let called = respond_with_tools("use a tool", &json!({}));
    assert_eq!(
        (call_names(&called), &called.finish_reason),
        (vec!["weather"], &FinishReason::ToolCalls)
    );
    assert_eq!(called.calls[0].arguments, json!({ "city": "mock-city" }));
    assert_eq!(
        call_names(&respond_with_tools("use the clock tool", &json!({}))),
        ["clock"]
    );
    assert_eq!(
        call_names(&respond_with_tools("parallel tools", &json!({}))),
        ["weather", "clock"]
    );
    let single = json!({ "parallel_tool_calls": false });
    assert_eq!(
        call_names(&respond_with_tools("parallel tools", &single)),
        ["weather"]
    );
    assert_eq!(
        call_names(&respond_with_tools(
            "hello",
            &json!({ "tool_choice": "required" })
        )),
        ["weather"]
    );
    assert_eq!(
        call_names(&respond_with_tools(
            "a tool",
            &json!({ "tool_choice": "none" })
        )),
        [""; 0]
    );
    let named = json!({ "tool_choice": { "type": "function", "function": { "name": "clock" } } });
    assert_eq!(call_names(&respond_with_tools("hello", &named)), ["clock"]);
}

#[test]
fn calls_the_tool_named_in_the_text() {
    let called = respond_with_tools("mock:call clock {\"city\":\"Bern\"}", &json!({}));
    assert_eq!(
        (call_names(&called), &called.calls[0].arguments),
        (vec!["clock"], &json!({ "city": "Bern" }))
    );
}

#[test]
fn text_repeats_tool_results() {
    let call =
        json!({ "id": "c", "type": "function", "function": { "name": "f", "arguments": "{}" } });
    let response = respond(&json!({ "messages": [
        { "role": "user", "content": "tool" },
        { "role": "assistant", "tool_calls": [call] },
        { "role": "tool", "tool_call_id": "c", "content": "21 degrees" },
    ] }));
    assert_eq!(response.text.concat(), "key says: result 21 degrees");
}

#[test]
fn token_limit_and_stop_sequence_truncate_the_text() {
    let short = respond(&json!({ "max_tokens": 2 }));
    assert_eq!(
        (short.text.concat(), short.finish_reason),
        ("key says: word-1".to_owned(), FinishReason::Length)
    );
    let stopped = respond(&json!({ "stop": ["-2", "word-3"] }));
    assert_eq!(stopped.text.concat(), "key says: word-1 word");
    assert_eq!(
        stopped.finish_reason,
        FinishReason::StopSequence("-2".to_owned())
    );
}

#[test]
fn json_output_satisfies_its_schema() {
    let schema = json!({ "type": "object", "properties": { "n": { "type": "integer" } },
        "required": ["n"], "additionalProperties": false });
    let format = json!({ "type": "json_schema", "json_schema": { "name": "it", "schema": schema, "strict": true } });
    let response = respond(&json!({ "response_format": format }));
    assert_eq!(response.text.concat(), "{\"n\":7}");
}

#[test]
fn counts_reasoning_and_cached_tokens() {
    let response = respond(&json!({ "reasoning_effort": "low", "mock": { "cached_tokens": 2 } }));
    assert_eq!(
        (
            response.usage.reasoning,
            response.usage.output,
            response.usage.cached
        ),
        (3, 8, 2)
    );
    assert_eq!(
        respond(&json!({ "reasoning_effort": "none" }))
            .reasoning
            .len(),
        0
    );
}
