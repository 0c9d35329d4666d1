//! Tests which Responses requests are rejected, by the field in the error, and the events of a response.

use serde_json::{Value, json};

use super::*;
use crate::request::{RequestError, Turn};
use crate::response::ModelResponse;
use crate::signature::sign;

fn body(more: &Value) -> Value {
    let mut body = json!({ "model": "m", "input": "hello" });
    for (name, value) in more.as_object().unwrap() {
        body[name] = value.clone();
    }
    body
}

fn rejection(more: &Value) -> RequestError {
    match parse_request(body(more)) {
        Err(rejection) => rejection,
        Ok(_) => panic!("this passed: {more}"),
    }
}

fn events_of(more: &Value) -> Vec<Value> {
    let request = parse_request(body(more)).unwrap();
    let read = |event: &axum::body::Bytes| {
        let text = String::from_utf8(event.to_vec()).unwrap();
        let (name, data) = text.split_once('\n').unwrap();
        let data: Value =
            serde_json::from_str(data.trim().strip_prefix("data: ").unwrap()).unwrap();
        assert_eq!(name.strip_prefix("event: "), data["type"].as_str());
        data
    };
    events(&request, &ModelResponse::generate(&request, "key"))
        .iter()
        .map(read)
        .collect()
}

#[test]
fn errors_name_the_invalid_field() {
    let tool = json!({ "type": "function", "name": "f", "parameters": {} });
    for (more, field) in [
        (json!({ "messages": [] }), "messages"),
        (json!({ "input": [] }), "input"),
        (json!({ "max_output_tokens": 15 }), "max_output_tokens"),
        (json!({ "max_tokens": 16 }), "max_tokens"),
        (json!({ "include": ["thoughts"] }), "include[0]"),
        (
            json!({ "reasoning": { "effort": "much" } }),
            "reasoning.effort",
        ),
        (json!({ "tool_choice": "required" }), "tool_choice"),
        (json!({ "tools": [{ "name": "f" }] }), "tools[0].type"),
        (
            json!({ "tools": [{ "type": "function", "function": { "name": "f" } }] }),
            "tools[0].function",
        ),
        (
            json!({ "tools": [tool], "tool_choice": { "type": "function", "name": "g" } }),
            "tool_choice",
        ),
        (
            json!({ "text": { "format": { "type": "json_schema", "name": "a" } } }),
            "text.format.schema",
        ),
        (
            json!({ "text": { "format": { "type": "json_schema", "name": "a", "schema": {}, "strict": true } } }),
            "text.format.schema",
        ),
        (
            json!({ "previous_response_id": "resp_1" }),
            "previous_response_id",
        ),
        (
            json!({ "input": [{ "role": "tool", "content": "a" }] }),
            "input[0].role",
        ),
        (json!({ "input": [{ "type": "other" }] }), "input[0].type"),
        (
            json!({ "input": [{ "role": "user", "content": [{ "type": "text", "text": "a" }] }] }),
            "input[0].content[0].type",
        ),
        (
            json!({ "input": [{ "role": "assistant", "content": [{ "type": "input_text", "text": "a" }] }] }),
            "input[0].content[0].type",
        ),
        (
            json!({ "input": [{ "type": "item_reference", "id": "msg_1" }] }),
            "input[0].id",
        ),
    ] {
        assert_eq!(rejection(&more).field, field, "{more}");
    }
}

#[test]
fn calls_and_outputs_must_match() {
    let call = json!({ "type": "function_call", "id": "fc_1", "call_id": "a", "name": "f", "arguments": "{}" });
    let output = json!({ "type": "function_call_output", "call_id": "a", "output": "done" });
    let whole = json!({ "input": [{ "role": "user", "content": "x" }, call, output] });
    assert_eq!(
        parse_request(body(&whole)).unwrap().turn,
        Turn::Results(vec!["done".to_owned()])
    );
    assert_eq!(rejection(&json!({ "input": [call] })).field, "input");
    assert_eq!(
        rejection(&json!({ "input": [output] })).field,
        "input[0].call_id"
    );
    let mut odd = call;
    odd["id"] = json!("call_1");
    assert_eq!(
        rejection(&json!({ "input": [odd, output] })).field,
        "input[0].id"
    );
}

#[test]
fn encrypted_reasoning_must_come_back_unchanged() {
    let reasoning = |encrypted: &str| {
        let item = json!({ "type": "reasoning", "id": "rs_x", "summary": [], "encrypted_content": encrypted });
        json!({ "input": [item, { "role": "user", "content": "x" }] })
    };
    assert!(parse_request(body(&reasoning(&sign(DIALECT, "m thoughts")))).is_ok());
    let field = rejection(&reasoning(&sign("gemini", "m thoughts"))).field;
    assert_eq!(field, "input[0].encrypted_content");
    let unknown = json!({ "input": [{ "type": "reasoning", "id": "rs_x", "summary": [] }] });
    assert_eq!(rejection(&unknown).status, 404);
}

#[test]
fn events_are_numbered_and_end_with_the_full_response() {
    let tool = json!({ "type": "function", "name": "f", "parameters": { "type": "object" } });
    let events = events_of(
        &json!({ "stream": true, "tools": [tool], "tool_choice": "required",
        "reasoning": { "summary": "auto" } }),
    );
    let numbers: Vec<u64> = events
        .iter()
        .map(|it| it["sequence_number"].as_u64().unwrap())
        .collect();
    assert_eq!(numbers, (0..events.len() as u64).collect::<Vec<_>>());
    let types: Vec<&str> = events
        .iter()
        .map(|it| it["type"].as_str().unwrap())
        .collect();
    let expected = [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.reasoning_summary_part.added",
        "response.reasoning_summary_text.delta",
        "response.reasoning_summary_text.delta",
        "response.reasoning_summary_text.delta",
        "response.reasoning_summary_text.done",
        "response.reasoning_summary_part.done",
        "response.output_item.done",
        "response.output_item.added",
        "response.function_call_arguments.delta",
        "response.function_call_arguments.done",
        "response.output_item.done",
        "response.completed",
    ];
    assert_eq!(types, expected);
    let last = &events.last().unwrap()["response"];
    let kinds: Vec<&str> = last["output"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["type"].as_str().unwrap())
        .collect();
    assert_eq!(kinds, ["reasoning", "function_call"]);
    assert_eq!(
        last["usage"]["output_tokens_details"]["reasoning_tokens"],
        3
    );
}

#[test]
fn truncated_response_is_incomplete() {
    let events =
        events_of(&json!({ "stream": true, "max_output_tokens": 16, "mock": { "words": 20 } }));
    let last = events.last().unwrap();
    assert_eq!(last["type"], "response.incomplete");
    assert_eq!(
        last["response"]["incomplete_details"]["reason"],
        "max_output_tokens"
    );
}
