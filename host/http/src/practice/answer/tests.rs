//! Tests of the rules, through a chat.

use serde_json::json;

use super::*;
use crate::practice::chat::check;

fn answer(body: &Value) -> Answer {
    let mut whole = json!({ "model": "m", "messages": [{ "role": "user", "content": "hello" }] });
    for (name, value) in body.as_object().unwrap() {
        whole[name] = value.clone();
    }
    Answer::to(&check(whole).unwrap(), "key")
}

fn tools(text: &str, more: &Value) -> Answer {
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
    answer(&body)
}

fn names(answer: &Answer) -> Vec<&str> {
    answer.calls.iter().map(|call| call.name.as_str()).collect()
}

#[test]
fn words_are_said_and_counted() {
    let said = answer(&json!({}));
    assert_eq!(said.text.concat(), "key says: word-1 word-2 word-3 word-4");
    assert_eq!(
        (said.tokens.input, said.tokens.output, said.tokens.total()),
        (3, 5, 8)
    );
    assert_eq!(answer(&json!({ "practice": { "words": 2 } })).text.len(), 2);
    let empty = answer(&json!({ "practice": { "empty": true } }));
    assert_eq!(
        (empty.text.len(), empty.tokens.output, empty.end),
        (0, 0, End::Done)
    );
}

#[test]
fn the_system_and_media_show_in_the_text() {
    let image =
        json!({ "type": "image_url", "image_url": { "url": "data:image/png;base64,YWJj" } });
    let said = answer(&json!({ "messages": [
        { "role": "system", "content": "be kind" },
        { "role": "user", "content": [{ "type": "text", "text": "look" }, image] },
    ], "practice": { "words": 1 } }));
    assert_eq!(
        said.text.concat(),
        "key says: saw image image/png 3 bytes [system: be kind]"
    );
}

#[test]
fn tools_are_called_when_the_text_says_so_or_they_are_forced() {
    assert_eq!(names(&tools("hello", &json!({}))), [""; 0]);
    let called = tools("use a tool", &json!({}));
    assert_eq!(
        (names(&called), &called.end),
        (vec!["weather"], &End::Calls)
    );
    assert_eq!(
        called.calls[0].arguments,
        json!({ "city": "practice-city" })
    );
    assert_eq!(names(&tools("use the clock tool", &json!({}))), ["clock"]);
    assert_eq!(
        names(&tools("parallel tools", &json!({}))),
        ["weather", "clock"]
    );
    let single = json!({ "parallel_tool_calls": false });
    assert_eq!(names(&tools("parallel tools", &single)), ["weather"]);
    assert_eq!(
        names(&tools("hello", &json!({ "tool_choice": "required" }))),
        ["weather"]
    );
    assert_eq!(
        names(&tools("a tool", &json!({ "tool_choice": "none" }))),
        [""; 0]
    );
    let named = json!({ "tool_choice": { "type": "function", "function": { "name": "clock" } } });
    assert_eq!(names(&tools("hello", &named)), ["clock"]);
}

#[test]
fn a_marked_text_names_the_call() {
    let called = tools("practice:call clock {\"city\":\"Bern\"}", &json!({}));
    assert_eq!(
        (names(&called), &called.calls[0].arguments),
        (vec!["clock"], &json!({ "city": "Bern" }))
    );
}

#[test]
fn results_are_repeated() {
    let call =
        json!({ "id": "c", "type": "function", "function": { "name": "f", "arguments": "{}" } });
    let said = answer(&json!({ "messages": [
        { "role": "user", "content": "tool" },
        { "role": "assistant", "tool_calls": [call] },
        { "role": "tool", "tool_call_id": "c", "content": "21 degrees" },
    ] }));
    assert_eq!(said.text.concat(), "key says: result 21 degrees");
}

#[test]
fn a_limit_and_a_stop_end_the_text() {
    let short = answer(&json!({ "max_tokens": 2 }));
    assert_eq!(
        (short.text.concat(), short.end),
        ("key says: word-1".to_owned(), End::Length)
    );
    let stopped = answer(&json!({ "stop": ["-2", "word-3"] }));
    assert_eq!(stopped.text.concat(), "key says: word-1 word");
    assert_eq!(stopped.end, End::Stop("-2".to_owned()));
}

#[test]
fn an_output_of_json_satisfies_its_schema() {
    let schema = json!({ "type": "object", "properties": { "n": { "type": "integer" } },
        "required": ["n"], "additionalProperties": false });
    let format = json!({ "type": "json_schema", "json_schema": { "name": "it", "schema": schema, "strict": true } });
    let said = answer(&json!({ "response_format": format }));
    assert_eq!(said.text.concat(), "{\"n\":7}");
}

#[test]
fn reasoning_and_the_cache_are_counted() {
    let thought = answer(&json!({ "reasoning_effort": "low", "practice": { "cached_tokens": 2 } }));
    assert_eq!(
        (
            thought.tokens.reasoning,
            thought.tokens.output,
            thought.tokens.cached
        ),
        (3, 8, 2)
    );
    assert_eq!(
        answer(&json!({ "reasoning_effort": "none" }))
            .reasoning
            .len(),
        0
    );
}
