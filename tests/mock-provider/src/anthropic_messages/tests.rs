//! Tests which Anthropic requests are rejected, by the field in the error, and how responses are rendered.

use serde_json::{Value, json};

use super::*;
use crate::request::RequestError;
use crate::response::ModelResponse;
use crate::signature::sign;

fn user(content: &Value) -> Value {
    json!({ "role": "user", "content": content })
}

fn assistant(content: &Value) -> Value {
    json!({ "role": "assistant", "content": content })
}

fn body(more: &Value) -> Value {
    let hello = user(&json!("hello"));
    let mut body = json!({ "model": "m", "max_tokens": 2048, "messages": [hello] });
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

fn conversation(messages: &Value) -> Value {
    json!({ "messages": messages })
}

fn tool() -> Value {
    json!({ "name": "f", "input_schema": { "type": "object" } })
}

fn call(id: &str) -> Value {
    json!({ "type": "tool_use", "id": id, "name": "f", "input": {} })
}

fn result(id: &str) -> Value {
    json!({ "type": "tool_result", "tool_use_id": id, "content": "done" })
}

#[test]
fn errors_name_the_invalid_field() {
    let thinking = json!({ "type": "enabled", "budget_tokens": 1024 });
    for (more, field) in [
        (json!({ "x": 1 }), "x"),
        (json!({ "temperature": 1.5 }), "temperature"),
        (json!({ "stop_sequences": "a" }), "stop_sequences"),
        (
            json!({ "system": [{ "type": "text", "text": "" }] }),
            "system",
        ),
        (
            json!({ "thinking": { "type": "enabled", "budget_tokens": 1023 } }),
            "thinking.budget_tokens",
        ),
        (
            json!({ "thinking": thinking, "max_tokens": 1024 }),
            "max_tokens",
        ),
        (
            json!({ "thinking": thinking, "temperature": 0.5 }),
            "temperature",
        ),
        (json!({ "thinking": thinking, "top_k": 5 }), "top_k"),
        (
            json!({ "thinking": thinking, "tools": [tool()], "tool_choice": { "type": "any" } }),
            "tool_choice",
        ),
        (json!({ "tool_choice": { "type": "auto" } }), "tool_choice"),
        (
            json!({ "tools": [tool()], "tool_choice": { "type": "tool", "name": "g" } }),
            "tool_choice.name",
        ),
        (json!({ "tools": [tool(), tool()] }), "tools.1.custom.name"),
        (
            json!({ "tools": [{ "name": "f" }] }),
            "tools.0.custom.input_schema",
        ),
        (
            json!({ "tools": [{ "name": "f", "input_schema": {} }] }),
            "tools.0.custom.input_schema.type",
        ),
        (
            json!({ "tools": [{ "name": "f", "input_schema": {}, "parameters": {} }] }),
            "tools.0.custom.parameters",
        ),
    ] {
        assert_eq!(rejection(&more).field, field, "{more}");
    }
    let mut unlimited = body(&json!({}));
    unlimited.as_object_mut().unwrap().remove("max_tokens");
    assert_eq!(
        parse_request(unlimited.clone()).unwrap_err().field,
        "max_tokens"
    );
    assert!(parse_count_request(unlimited).is_ok(), "a count needs none");
    assert_eq!(
        parse_count_request(body(&json!({}))).unwrap_err().field,
        "max_tokens"
    );
}

#[test]
fn rejects_invalid_conversations() {
    let text = |text: &str| json!(text);
    for (messages, field) in [
        (json!([]), "messages"),
        (json!([assistant(&text("a"))]), "messages.0.role"),
        (json!([user(&text(""))]), "messages.0"),
        (
            json!([user(&json!([{ "type": "text", "text": "" }]))]),
            "messages.0.content.0.text",
        ),
        (
            json!([user(&text("a")), assistant(&text("b "))]),
            "messages.1",
        ),
        (
            json!([{ "role": "tool", "content": "a" }]),
            "messages.0.role",
        ),
        (
            json!([user(&json!([call("a")]))]),
            "messages.0.content.0.type",
        ),
        (
            json!([user(&json!([result("a")]))]),
            "messages.0.content.0.tool_use_id",
        ),
        (
            json!([
                user(&text("a")),
                assistant(&json!([call("a")])),
                user(&text("b"))
            ]),
            "messages.2",
        ),
        (
            json!([user(&text("a")), assistant(&json!([call("a")]))]),
            "messages.1",
        ),
        (
            json!([user(&text("a")), assistant(&json!([call("a"), call("a")]))]),
            "messages.1.content.1.tool_use.id",
        ),
        (
            json!([user(&text("a")), assistant(&json!([call("a b")]))]),
            "messages.1.content.0.tool_use.id",
        ),
        (
            json!([
                user(&text("a")),
                assistant(&json!([call("a"), call("b")])),
                user(&json!([result("a")]))
            ]),
            "messages.2",
        ),
        (
            json!([
                user(&text("a")),
                assistant(&json!([call("a")])),
                user(&json!([{ "type": "text", "text": "b" }, result("a")]))
            ]),
            "messages.2.content.1",
        ),
    ] {
        assert_eq!(
            rejection(&conversation(&messages)).field,
            field,
            "{messages}"
        );
    }
}

#[test]
fn tool_results_may_come_in_any_order() {
    let text = |text: &str| json!(text);
    let whole = json!([
        user(&text("a")),
        assistant(&json!([call("a"), call("b")])),
        user(&json!([result("b"), result("a")]))
    ]);
    assert!(parse_request(body(&conversation(&whole))).is_ok());
}

#[test]
fn thinking_blocks_must_come_back_unchanged() {
    let thinking = |text: &str, signed: &str| json!({ "type": "thinking", "thinking": text, "signature": sign(DIALECT, signed) });
    let turns = |first: Value| {
        let mut more = conversation(&json!([
            user(&json!("a")),
            assistant(&json!([first, call("a")])),
            user(&json!([result("a")]))
        ]));
        more["thinking"] = json!({ "type": "enabled", "budget_tokens": 1024 });
        more
    };
    assert!(parse_request(body(&turns(thinking("hm", "hm")))).is_ok());
    let changed = rejection(&turns(thinking("hm!", "hm")));
    assert_eq!(changed.field, "messages.1.content.0.signature");
    let mut left_out = turns(json!({ "type": "text", "text": "b" }));
    assert_eq!(rejection(&left_out).field, "messages.1.content.0.type");
    left_out["thinking"] = json!({ "type": "adaptive" });
    assert!(parse_request(body(&left_out)).is_ok());
}

#[test]
fn rejects_invalid_images() {
    let image = |source: Value| {
        conversation(&json!([user(
            &json!([{ "type": "image", "source": source }])
        )]))
    };
    let source = |media_type: &str, data: &str| json!({ "type": "base64", "media_type": media_type, "data": data });
    let field = |source: Value| rejection(&image(source)).field;
    assert_eq!(
        field(source("image/png", "?")),
        "messages.0.content.0.image.source"
    );
    assert_eq!(
        field(source("image/tiff", "YWJj")),
        "messages.0.content.0.source.media_type"
    );
    assert!(parse_request(body(&image(source("image/png", "YWJj")))).is_ok());
}

#[test]
fn content_block_events_are_in_order() {
    let request = parse_request(body(
        &json!({ "stream": true, "thinking": { "type": "adaptive" } }),
    ))
    .unwrap();
    let event_names: Vec<String> = events(&request, &ModelResponse::generate(&request, "key"))
        .iter()
        .map(|event| {
            let text = String::from_utf8(event.to_vec()).unwrap();
            text.lines()
                .next()
                .unwrap()
                .trim_start_matches("event: ")
                .to_owned()
        })
        .collect();
    let mut expected = vec!["message_start", "ping", "content_block_start"];
    expected.extend(["content_block_delta"; 4]);
    expected.extend(["content_block_stop", "content_block_start"]);
    expected.extend(["content_block_delta"; 5]);
    expected.extend(["content_block_stop", "message_delta", "message_stop"]);
    assert_eq!(event_names, expected);
}

#[test]
fn omitted_thinking_still_has_a_signature() {
    let thinking = json!({ "thinking": { "type": "adaptive", "display": "omitted" } });
    let request = parse_request(body(&thinking)).unwrap();
    let whole = response_body(&request, &ModelResponse::generate(&request, "key"));
    let expected = json!({ "type": "thinking", "thinking": "", "signature": sign(DIALECT, "") });
    assert_eq!(whole["content"][0], expected);
}

#[test]
fn cached_tokens_are_reported_separately() {
    let request = parse_request(body(&json!({ "mock": { "cached_tokens": 2 } }))).unwrap();
    let usage = &response_body(&request, &ModelResponse::generate(&request, "key"))["usage"];
    assert_eq!(
        (&usage["input_tokens"], &usage["cache_read_input_tokens"]),
        (&json!(1), &json!(2))
    );
}
