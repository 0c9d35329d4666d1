//! Tests of the classes of single events. The goldens test whole streams.

use proptest::prelude::*;

use crate::openai_chat::observer;
use crate::{EventClass, Usage};

fn observe(data: &str) -> EventClass {
    observer().observe("", data.as_bytes())
}

fn delta(delta: &str) -> String {
    format!(r#"{{"id":"x","choices":[{{"index":0,"delta":{delta},"finish_reason":null}}]}}"#)
}

#[test]
fn classifies_every_kind_of_content() {
    for content in [
        r#"{"content":"a"}"#,
        r#"{"role":"assistant","content":" "}"#,
        r#"{"content":[{"type":"text","text":"a"}]}"#,
        r#"{"tool_calls":[{"index":0,"id":"c","function":{"name":"f","arguments":""}}]}"#,
        r#"{"function_call":{"name":"f"}}"#,
        r#"{"refusal":"no"}"#,
        r#"{"reasoning_content":"hm"}"#,
        r#"{"reasoning":"hm","content":""}"#,
        r#"{"audio":{"id":"a"}}"#,
        r#"{"images":[{"image_url":{"url":"data:"}}]}"#,
    ] {
        assert_eq!(observe(&delta(content)), EventClass::Content, "{content}");
    }
    assert_eq!(
        observe(r#"{"choices":[{"text":"a"}]}"#),
        EventClass::Content
    );
    assert_eq!(
        observe(r#"{"choices":[{"message":{"content":"a"}}]}"#),
        EventClass::Content
    );
    assert_eq!(
        observe(r#"{"choices":[{"delta":{},"finish_reason":"stop"}]}"#),
        EventClass::Content
    );
}

#[test]
fn classifies_empty_chunks_as_preamble() {
    for empty in [
        "{}",
        "null",
        r#"{"role":"assistant"}"#,
        r#"{"role":"assistant","content":"","refusal":null}"#,
        r#"{"role":"assistant","content":null,"reasoning_content":"","tool_calls":[ ],"function_call":{}}"#,
    ] {
        assert_eq!(observe(&delta(empty)), EventClass::Preamble, "{empty}");
    }
    for data in [
        "{}",
        r#"{"choices":[]}"#,
        r#"{"choices":null,"error":null}"#,
        r#"{"choices":[null]}"#,
        r#"{"choices":[{"index":0,"finish_reason":""}]}"#,
        r#"{"type":"ping","message":"still there"}"#,
    ] {
        assert_eq!(observe(data), EventClass::Preamble, "{data}");
    }
}

#[test]
fn classifies_invalid_chunks_as_malformed() {
    for data in [
        "",
        "{",
        "[]",
        "7",
        "\"a\"",
        "OK",
        r#"{"choices":{}}"#,
        r#"{"choices":[1]}"#,
        r#"{"choices":[]} x"#,
    ] {
        assert_eq!(observe(data), EventClass::Malformed, "{data}");
    }
}

#[test]
fn detects_errors_in_every_position() {
    let message = |name: &str, data: &str| match observer().observe(name, data.as_bytes()) {
        EventClass::Error(error) => error.message,
        other => format!("{other:?}"),
    };
    for data in [
        r#"{"error":{"message":"m"}}"#,
        r#"{"error":"m"}"#,
        r#"{"id":"x","error":{"code":502,"message":"m"},"choices":[{"delta":{"content":""},"finish_reason":"error"}]}"#,
        r#"{"choices":[{"error":{"message":"m"},"delta":{}}]}"#,
        r#"{"x_groq":{"id":"r","error":"m"},"choices":[{"delta":{},"finish_reason":"stop"}]}"#,
        r#"{"object":"error","message":"m","code":400}"#,
        r#"{"type":"error","message":"m"}"#,
        r#"[{"error":{"message":"m"}}]"#,
    ] {
        assert_eq!(message("", data), "m", "{data}");
    }
    assert_eq!(message("error", r#"{"message":"m"}"#), "m");
    assert_eq!(message("error", "boom"), "boom");
    assert!(message("", r#"{"choices":[{"finish_reason":"error"}]}"#).contains("reason"));
}

#[test]
fn completes_when_all_choices_finish() {
    let finish = |index: u32| {
        format!(r#"{{"choices":[{{"index":{index},"delta":{{}},"finish_reason":"stop"}}]}}"#)
    };
    let begin =
        |index: u32| format!(r#"{{"choices":[{{"index":{index},"delta":{{"content":"a"}}}}]}}"#);
    let mut observer = observer();
    assert!(!observer.completed());
    for (data, completed) in [
        (begin(0), false),
        (begin(1), false),
        (finish(1), false),
        (finish(0), true),
        (begin(4_000_000_000), false),
    ] {
        observer.observe("", data.as_bytes());
        assert_eq!(observer.completed(), completed, "{data}");
    }
    assert_eq!(observer.observe("", b"[DONE] "), EventClass::Done);
    assert!(observer.completed());
}

#[test]
fn reports_last_usage() {
    let mut observer = observer();
    for data in [
        r#"{"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":1}}"#,
        r#"{"choices":[],"x_groq":{"usage":{"prompt_tokens":2,"completion_tokens":2}}}"#,
        r#"{"choices":[{"index":0,"usage":{"prompt_tokens":3,"completion_tokens":4}}]}"#,
        r#"{"choices":[],"usage":null}"#,
    ] {
        observer.observe("", data.as_bytes());
    }
    assert_eq!(
        observer.usage(),
        Some(Usage {
            input: 3,
            output: 4,
            ..Usage::default()
        })
    );
}

#[test]
fn deep_nesting_does_not_overflow_stack() {
    let deep = "[".repeat(1 << 20);
    assert_eq!(observe(&deep), EventClass::Malformed);
    let nested = format!("{}{}", "[".repeat(1 << 16), "]".repeat(1 << 16));
    assert_eq!(
        observe(&delta(&format!(r#"{{"content":{nested}}}"#))),
        EventClass::Content
    );
}

proptest! {
    #[test]
    fn observe_never_panics(name in "[a-z]{0,5}", data in prop::collection::vec(any::<u8>(), 0..64), text in "[\\[\\]{}\",:a-z0-9\\\\ ]{0,48}") {
        let mut observer = observer();
        observer.observe(&name, &data);
        observer.observe(&name, text.as_bytes());
        let _ = crate::openai_chat::check_body(&data);
        let _ = crate::openai_chat::check_body(text.as_bytes());
    }
}
