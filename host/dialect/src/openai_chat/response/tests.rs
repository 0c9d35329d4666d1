//! Tests of decoding and encoding whole responses.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::decode::decode_response;
use super::encode::encode_response;
use crate::ir::{
    Citation, FinishReason, Malformed, Part, Response, ResponseContext, Signature, ToolCall,
};
use crate::openai_chat::reasoning::own_signature;
use crate::{Dialect, Usage};

fn read(message: &Value, finish: &str) -> Response {
    let body = json!({
        "id": "a", "model": "b",
        "choices": [{"index": 0, "message": message, "finish_reason": finish}],
    });
    decode_response(body.to_string().as_bytes()).unwrap()
}

fn write(response: &Response, response_context: &ResponseContext) -> Value {
    serde_json::from_slice(&encode_response(response, response_context)).unwrap()
}

const RESPONSES: [&str; 8] = [
    include_str!("../../../../../tests/cases/dialects/text/openai-chat.response.json"),
    include_str!("../../../../../tests/cases/dialects/parallel-tools/openai-chat.response.json"),
    include_str!("../../../../../tests/cases/dialects/tool-results/openai-chat.response.json"),
    include_str!("../../../../../tests/cases/dialects/images/openai-chat.response.json"),
    include_str!("../../../../../tests/cases/dialects/system/openai-chat.response.json"),
    include_str!("../../../../../tests/cases/dialects/reasoning/openai-chat.response.json"),
    include_str!("../../../../../tests/cases/dialects/structured-output/openai-chat.response.json"),
    include_str!("../../../../../tests/cases/dialects/usage/openai-chat.response.json"),
];

#[test]
fn golden_responses_round_trip() {
    for text in RESPONSES {
        let response = decode_response(text.as_bytes()).unwrap();
        let response_context = ResponseContext {
            id: "x".to_owned(),
            created: 7,
            model: "m".to_owned(),
            ..ResponseContext::default()
        };
        let written = write(&response, &response_context);
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
fn usage_details_round_trip() {
    let response = decode_response(RESPONSES[7].as_bytes()).unwrap();
    let usage = Usage {
        input: 100,
        output: 50,
        cached_input: 40,
        cache_write_input: 0,
        reasoning: 30,
    };
    assert_eq!(response.usage, Some(usage));
    let written = write(&response, &ResponseContext::default());
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
fn accepts_lenient_provider_responses() {
    let call = json!({"function": {"name": "f", "arguments": {"a": 1}}});
    let message =
        json!({"content": null, "reasoning": "R", "tool_calls": [call, null, {"id": "x"}]});
    let response = read(&message, "stop");
    let [Part::Reasoning(reasoning), Part::ToolCall(called)] = response.parts.as_slice() else {
        panic!("{response:?}");
    };
    assert_eq!(
        (reasoning.text.as_str(), &reasoning.signature),
        ("R", &Some(own_signature("")))
    );
    let expected = ToolCall {
        id: "call_0".to_owned(),
        name: "f".to_owned(),
        arguments: r#"{"a":1}"#.to_owned(),
        signature: None,
    };
    assert_eq!(*called, expected);
    assert_eq!(response.finish, FinishReason::ToolCalls);
    let old = read(
        &json!({"function_call": {"name": "f", "arguments": "{}"}}),
        "function_call",
    );
    assert!(matches!(&old.parts[..], [Part::ToolCall(call)] if call.id == "call_0"));
    let bare = decode_response(br#"{"choices":[{"text":"x"}]}"#).unwrap();
    assert_eq!(
        (bare.parts, bare.finish),
        (vec![Part::text("x")], FinishReason::Stop)
    );
}

#[test]
fn rejects_malformed_completions() {
    for (body, what) in [
        (&b"<html>"[..], "it is not a completion"),
        (b"[]", "it is not a completion"),
        (b"{}", "it has no choices"),
        (br#"{"choices":[]}"#, "it has no choices"),
    ] {
        assert_eq!(decode_response(body), Err(Malformed(what)));
    }
}

#[test]
fn refusal_round_trips() {
    let response = read(&json!({"content": null, "refusal": "No."}), "stop");
    assert_eq!(response.parts, [Part::Refusal("No.".to_owned())]);
    assert_eq!(response.finish, FinishReason::Refusal);
    let choice = &write(&response, &ResponseContext::default())["choices"][0];
    assert_eq!(choice["finish_reason"], "stop");
    assert_eq!(
        choice["message"],
        json!({"role": "assistant", "content": null, "refusal": "No."})
    );
}

#[test]
fn citation_offsets_shift_with_joined_text() {
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
    let response = Response {
        parts: vec![
            text("é.", vec![citation(0, 1)]),
            text("b", vec![citation(0, 1)]),
        ],
        ..Response::default()
    };
    let written = write(&response, &ResponseContext::default());
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
fn writes_custom_tools_and_call_signatures() {
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
    let response = Response {
        parts: vec![Part::ToolCall(call.clone())],
        finish: FinishReason::ToolCalls,
        ..Response::default()
    };
    let response_context = ResponseContext {
        custom_tools: vec!["patch".to_owned()],
        ..ResponseContext::default()
    };
    let written = write(&response, &response_context);
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
fn images_round_trip_in_openrouter_form() {
    let image = json!({"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}});
    let response = read(&json!({"content": "x", "images": [image]}), "stop");
    assert!(matches!(
        &response.parts[..],
        [Part::Text { .. }, Part::Image(_)]
    ));
    let written = write(&response, &ResponseContext::default());
    assert_eq!(written["choices"][0]["message"]["images"], json!([image]));
}

proptest! {
    #[test]
    fn decode_response_never_panics(body in prop::collection::vec(any::<u8>(), 0..64)) {
        let _ = decode_response(&body).is_ok();
    }

    #[test]
    fn decoded_responses_can_be_encoded(mut body in crate::openai_chat::json_strategy::object(), message in crate::openai_chat::json_strategy::object()) {
        body["choices"] = json!([{"message": message}]);
        if let Ok(response) = decode_response(body.to_string().as_bytes()) {
            let _ = write(&response, &ResponseContext::default());
        }
    }
}
