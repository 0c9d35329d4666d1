//! Tests which chats are rejected, by the field in the error, and how responses are rendered.

use serde_json::{Value, json};

use super::*;
use crate::request::{RequestError, Turn};
use crate::response::ModelResponse;

fn user(text: &str) -> Value {
    json!({ "role": "user", "content": text })
}

/// Returns a minimal chat with `more` members, which override its own.
fn body(more: &Value) -> Value {
    let mut body = json!({ "model": "m", "messages": [user("hello")] });
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

fn function(more: &Value) -> Value {
    let mut function = json!({ "name": "f", "parameters": { "type": "object", "properties": {} } });
    for (name, value) in more.as_object().unwrap() {
        function[name] = value.clone();
    }
    json!({ "type": "function", "function": function })
}

fn call(id: &str) -> Value {
    json!({ "id": id, "type": "function", "function": { "name": "f", "arguments": "{}" } })
}

fn events_of(more: &Value) -> String {
    let request = parse_request(body(more)).unwrap();
    let events = events(&request, &ModelResponse::generate(&request, "key"));
    events
        .iter()
        .map(|event| String::from_utf8_lossy(event).into_owned())
        .collect()
}

#[test]
fn errors_name_the_invalid_field() {
    let tools = json!([function(&json!({}))]);
    for (more, field) in [
        (json!({ "x": 1 }), "x"),
        (json!({ "messages": [] }), "messages"),
        (
            json!({ "messages": [{ "role": "robot", "content": "" }] }),
            "messages[0].role",
        ),
        (
            json!({ "messages": [{ "role": "user" }] }),
            "messages[0].content",
        ),
        (
            json!({ "messages": [{ "role": "user", "content": "a", "y": 1 }] }),
            "messages[0].y",
        ),
        (
            json!({ "messages": [{ "role": "user", "content": [] }] }),
            "messages[0].content",
        ),
        (json!({ "temperature": 2.1 }), "temperature"),
        (json!({ "top_p": "1" }), "top_p"),
        (json!({ "max_tokens": 0 }), "max_tokens"),
        (
            json!({ "max_tokens": 1, "max_completion_tokens": 1 }),
            "max_tokens",
        ),
        (json!({ "stop": ["a", "b", "c", "d", "e"] }), "stop"),
        (
            json!({ "stream_options": { "include_usage": true } }),
            "stream_options",
        ),
        (json!({ "tool_choice": "auto" }), "tool_choice"),
        (
            json!({ "parallel_tool_calls": true }),
            "parallel_tool_calls",
        ),
        (json!({ "tools": [] }), "tools"),
        (
            json!({ "tools": [function(&json!({ "name": "a b" }))] }),
            "tools[0].function.name",
        ),
        (
            json!({ "tools": [function(&json!({ "strict": true }))] }),
            "tools[0].function.schema",
        ),
        (
            json!({ "tools": [function(&json!({ "z": 1 }))] }),
            "tools[0].function.z",
        ),
        (
            json!({ "tools": tools, "tool_choice": { "type": "function", "function": { "name": "g" } } }),
            "tool_choice",
        ),
        (
            json!({ "response_format": { "type": "json_object" } }),
            "messages",
        ),
        (
            json!({ "response_format": { "type": "json_schema" } }),
            "response_format.json_schema",
        ),
        (json!({ "mock": { "wrods": 1 } }), "mock"),
    ] {
        assert_eq!(rejection(&more).field, field, "{more}");
    }
}

#[test]
fn tool_results_must_follow_their_calls() {
    let calls =
        json!({ "role": "assistant", "content": null, "tool_calls": [call("a"), call("b")] });
    let response = |id: &str| json!({ "role": "tool", "tool_call_id": id, "content": "done" });
    let conversation = |messages: Value| json!({ "messages": messages });
    let whole = conversation(json!([user("x"), calls, response("b"), response("a")]));
    let results = vec!["done".to_owned(), "done".to_owned()];
    assert_eq!(
        parse_request(body(&whole)).unwrap().turn,
        Turn::Results(results)
    );
    for (messages, field) in [
        (json!([user("x"), calls, response("a")]), "messages[3]"),
        (
            json!([user("x"), calls, response("a"), user("y")]),
            "messages[3]",
        ),
        (
            json!([user("x"), response("a")]),
            "messages[1].tool_call_id",
        ),
        (
            json!([user("x"), calls, response("a"), response("a")]),
            "messages[3].tool_call_id",
        ),
        (
            json!([user("x"), { "role": "assistant" }]),
            "messages[1].content",
        ),
        (
            json!([user("x"), { "role": "assistant", "tool_calls": [] }]),
            "messages[1].tool_calls",
        ),
    ] {
        assert_eq!(
            rejection(&conversation(messages.clone())).field,
            field,
            "{messages}"
        );
    }
}

#[test]
fn rejects_invalid_images() {
    let part = |url: &str| {
        let part = json!({ "type": "image_url", "image_url": { "url": url } });
        json!({ "messages": [{ "role": "user", "content": [part] }] })
    };
    for url in [
        "data:image/png;base64,?",
        "data:image/tiff;base64,YWJj",
        "nowhere",
    ] {
        assert_eq!(
            rejection(&part(url)).field,
            "messages[0].content[0].image_url.url",
            "{url}"
        );
    }
    assert!(parse_request(body(&part("data:image/png;base64,YWJj"))).is_ok());
}

#[test]
fn stream_sends_call_deltas_and_ends_with_usage() {
    let stream_text = events_of(&json!({
        "stream": true, "stream_options": { "include_usage": true },
        "tools": [function(&json!({}))], "tool_choice": "required",
    }));
    assert!(
        stream_text.contains("\"finish_reason\":\"tool_calls\""),
        "{stream_text}"
    );
    assert!(
        stream_text.contains("\"arguments\":\"{}\""),
        "{stream_text}"
    );
    let end = stream_text.find("\"total_tokens\"").unwrap();
    assert!(
        stream_text[end..].ends_with("data: [DONE]\n\n"),
        "{stream_text}"
    );
}

#[test]
fn choices_have_an_index() {
    let stream_text = events_of(&json!({ "stream": true, "n": 2 }));
    assert_eq!(stream_text.matches("\"finish_reason\":\"stop\"").count(), 2);
    let request = parse_request(body(&json!({ "n": 2 }))).unwrap();
    let whole = response_body(&request, &ModelResponse::generate(&request, "key"));
    assert_eq!(whole["choices"][1]["index"], 1);
}
