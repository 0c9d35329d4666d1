//! What a whole answer is read as and written as.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{decode_answer, encode_answer};
use crate::interlingua::{Response, Citation, FinishReason, Malformed, ResponseContext, Part, Signature, ToolCall};
use crate::openai_chat::thought::own;
use crate::{Dialect, Usage};

fn read(message: &Value, finish: &str) -> Response {
    let body = json!({
        "id": "a", "model": "b",
        "choices": [{"index": 0, "message": message, "finish_reason": finish}],
    });
    decode_answer(body.to_string().as_bytes()).unwrap()
}

fn write(answer: &Response, owed: &ResponseContext) -> Value {
    serde_json::from_slice(&encode_answer(answer, owed)).unwrap()
}

const ANSWERS: [&str; 8] = [
    include_str!("../../../../../tests/cases/dialects/text/openai-chat.answer.json"),
    include_str!("../../../../../tests/cases/dialects/parallel-tools/openai-chat.answer.json"),
    include_str!("../../../../../tests/cases/dialects/tool-results/openai-chat.answer.json"),
    include_str!("../../../../../tests/cases/dialects/images/openai-chat.answer.json"),
    include_str!("../../../../../tests/cases/dialects/system/openai-chat.answer.json"),
    include_str!("../../../../../tests/cases/dialects/reasoning/openai-chat.answer.json"),
    include_str!("../../../../../tests/cases/dialects/structured-output/openai-chat.answer.json"),
    include_str!("../../../../../tests/cases/dialects/usage/openai-chat.answer.json"),
];

#[test]
fn the_goldens_say_the_same_when_written() {
    for text in ANSWERS {
        let answer = decode_answer(text.as_bytes()).unwrap();
        let owed = ResponseContext {
            id: "x".to_owned(),
            created: 7,
            model: "m".to_owned(),
            ..ResponseContext::default()
        };
        let written = write(&answer, &owed);
        assert_eq!(written["id"], "chatcmpl-x");
        assert_eq!(written["object"], "chat.completion");
        assert_eq!(
            (&written["created"], &written["model"]),
            (&json!(7), &json!("m"))
        );
        let original: Value = serde_json::from_str(text).unwrap();
        let (message, expected) = (&written["choices"][0], &original["choices"][0]);
        assert_eq!(message["finish_reason"], expected["finish_reason"]);
        for member in [
            "content",
            "refusal",
            "tool_calls",
            "reasoning_content",
            "reasoning_details",
        ] {
            assert_eq!(
                message["message"][member], expected["message"][member],
                "{member}"
            );
        }
        for member in ["prompt_tokens", "completion_tokens", "total_tokens"] {
            assert_eq!(
                written["usage"][member], original["usage"][member],
                "{member}"
            );
        }
    }
}

#[test]
fn usage_is_read_and_written_with_its_details() {
    let answer = decode_answer(ANSWERS[7].as_bytes()).unwrap();
    let usage = Usage {
        input: 100,
        output: 50,
        cached_input: 40,
        reasoning: 30,
    };
    assert_eq!(answer.usage, Some(usage));
    let written = write(&answer, &ResponseContext::default());
    assert_eq!(
        written["usage"]["prompt_tokens_details"]["cached_tokens"],
        40
    );
    assert_eq!(
        written["usage"]["completion_tokens_details"]["reasoning_tokens"],
        30
    );
}

#[test]
fn providers_need_not_be_strict() {
    let call = json!({"function": {"name": "f", "arguments": {"a": 1}}});
    let message =
        json!({"content": null, "reasoning": "R", "tool_calls": [call, null, {"id": "x"}]});
    let answer = read(&message, "stop");
    let [Part::Reasoning(thought), Part::ToolCall(called)] = answer.parts.as_slice() else {
        panic!("{answer:?}");
    };
    assert_eq!(
        (thought.text.as_str(), &thought.signature),
        ("R", &Some(own("")))
    );
    let expected = ToolCall {
        id: "call_0".to_owned(),
        name: "f".to_owned(),
        arguments: r#"{"a":1}"#.to_owned(),
        signature: None,
    };
    assert_eq!(*called, expected);
    assert_eq!(answer.finish, FinishReason::ToolCalls);
    let old = read(
        &json!({"function_call": {"name": "f", "arguments": "{}"}}),
        "function_call",
    );
    assert!(matches!(&old.parts[..], [Part::ToolCall(call)] if call.id == "call_0"));
    let bare = decode_answer(br#"{"choices":[{"text":"x"}]}"#).unwrap();
    assert_eq!(
        (bare.parts, bare.finish),
        (vec![Part::text("x")], FinishReason::Stop)
    );
}

#[test]
fn what_is_no_completion_is_malformed() {
    for (body, what) in [
        (&b"\xff"[..], "it is not UTF-8"),
        (b"<html>", "it is not JSON"),
        (b"[]", "it is no object"),
        (b"{}", "it has no choices"),
        (br#"{"choices":[]}"#, "it has no choices"),
    ] {
        assert_eq!(decode_answer(body), Err(Malformed(what)));
    }
}

#[test]
fn a_refusal_is_read_and_written() {
    let answer = read(&json!({"content": null, "refusal": "No."}), "stop");
    assert_eq!(answer.parts, [Part::Refusal("No.".to_owned())]);
    assert_eq!(answer.finish, FinishReason::Refusal);
    let choice = &write(&answer, &ResponseContext::default())["choices"][0];
    assert_eq!(choice["finish_reason"], "stop");
    assert_eq!(
        choice["message"],
        json!({"role": "assistant", "content": null, "refusal": "No."})
    );
}

#[test]
fn citations_keep_their_places_in_the_joined_text() {
    let citation = |start, end| Citation {
        url: Some("https://a.example".to_owned()),
        title: None,
        quoted: None,
        span: Some((start, end)),
        raw: Value::Null,
    };
    let text = |text: &str, citations| Part::Text {
        text: text.to_owned(),
        citations,
    };
    let answer = Response {
        parts: vec![
            text("é.", vec![citation(0, 1)]),
            text("b", vec![citation(0, 1)]),
        ],
        ..Response::default()
    };
    let written = write(&answer, &ResponseContext::default());
    let message = &written["choices"][0]["message"];
    assert_eq!(message["content"], "é.b");
    let places = ["/annotations/0", "/annotations/1"].map(|path| {
        let cited = &message.pointer(path).unwrap()["url_citation"];
        (cited["start_index"].as_u64(), cited["end_index"].as_u64())
    });
    assert_eq!(places, [(Some(0), Some(1)), (Some(2), Some(3))]);
    let Part::Text { citations, .. } = &read(message, "stop").parts[0] else {
        panic!("{message}");
    };
    assert_eq!(citations[1].span, Some((2, 3)));
    assert_eq!(citations[1].title.as_deref(), Some("https://a.example"));
}

#[test]
fn custom_tools_and_signatures_of_calls_reach_the_client() {
    let signature = Signature {
        origin: Dialect::Gemini,
        data: "s".to_owned(),
    };
    let call = ToolCall {
        id: "1".to_owned(),
        name: "patch".to_owned(),
        arguments: r#"{"input":"a\nb"}"#.to_owned(),
        signature: Some(signature.clone()),
    };
    let answer = Response {
        parts: vec![Part::ToolCall(call.clone())],
        finish: FinishReason::ToolCalls,
        ..Response::default()
    };
    let owed = ResponseContext {
        custom_tools: vec!["patch".to_owned()],
        ..ResponseContext::default()
    };
    let written = write(&answer, &owed);
    let message = &written["choices"][0]["message"];
    let expected = json!([{
        "id": "1", "type": "custom", "custom": {"name": "patch", "input": "a\nb"},
        "extra_content": {"google": {"thought_signature": signature.encode_for(Dialect::OpenaiChat)}},
    }]);
    assert_eq!(message["tool_calls"], expected);
    assert_eq!(message["content"], Value::Null);
    assert_eq!(read(message, "tool_calls").parts, [Part::ToolCall(call)]);
}

#[test]
fn pictures_are_read_and_written_where_openrouter_has_them() {
    let image = json!({"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}});
    let answer = read(&json!({"content": "x", "images": [image]}), "stop");
    assert!(matches!(
        &answer.parts[..],
        [Part::Text { .. }, Part::Image(_)]
    ));
    let written = write(&answer, &ResponseContext::default());
    assert_eq!(written["choices"][0]["message"]["images"], json!([image]));
}

proptest! {
    #[test]
    fn no_answer_panics(body in prop::collection::vec(any::<u8>(), 0..64)) {
        let _ = decode_answer(&body).is_ok();
    }

    #[test]
    fn what_can_be_read_can_be_written(mut body in crate::openai_chat::shapes::object(), message in crate::openai_chat::shapes::object()) {
        body["choices"] = json!([{"message": message}]);
        if let Ok(answer) = decode_answer(body.to_string().as_bytes()) {
            let _ = write(&answer, &ResponseContext::default());
        }
    }
}
