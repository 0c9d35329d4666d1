//! Tests of encoding requests, and of decoding them again.

use crate::traits::Traits;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::encode_request;
use crate::ir::{
    Citation, Effort, Format, Media, MediaSource, Part, Reasoning, ReasoningPart, Request, Role,
    Sampling, Signature, Tool, ToolCall, ToolChoice, ToolKind, ToolResult, TranslationError,
    TranslationReport, Turn,
};
use crate::openai_chat::decode_request;
use crate::openai_chat::reasoning::own_signature;
use crate::{Dialect, RequestHead};

mod strategy;

fn write(request: &Request) -> (Result<Value, TranslationError>, Vec<String>) {
    let mut report = TranslationReport::default();
    let written = encode_request(request, &Traits::everything(), &mut report);
    let written = written.map(|body| serde_json::from_slice(&body).unwrap());
    let warned = report.into_warnings().into_iter().map(|it| it.field);
    (written, warned.collect())
}

fn read(body: &[u8]) -> Request {
    let mut report = TranslationReport::default();
    let head = RequestHead::read(body).unwrap();
    let request = decode_request(body, &head, &mut report).unwrap();
    assert!(report.warnings().is_empty(), "{report:?}");
    request
}

fn request_with(role: Role, part: Part) -> Request {
    Request {
        turns: vec![Turn {
            role,
            parts: vec![part],
        }],
        ..Request::default()
    }
}

fn media(media_type: &str, source: MediaSource) -> Media {
    Media {
        media_type: Some(media_type.to_owned()),
        source,
        detail: None,
        title: None,
    }
}

const REQUESTS: [&str; 9] = [
    include_str!("../../../../../../tests/cases/dialects/text/openai-chat.request.json"),
    include_str!("../../../../../../tests/cases/dialects/streamed-text/openai-chat.request.json"),
    include_str!("../../../../../../tests/cases/dialects/parallel-tools/openai-chat.request.json"),
    include_str!("../../../../../../tests/cases/dialects/streamed-tools/openai-chat.request.json"),
    include_str!("../../../../../../tests/cases/dialects/tool-results/openai-chat.request.json"),
    include_str!("../../../../../../tests/cases/dialects/images/openai-chat.request.json"),
    include_str!("../../../../../../tests/cases/dialects/system/openai-chat.request.json"),
    include_str!("../../../../../../tests/cases/dialects/reasoning/openai-chat.request.json"),
    include_str!(
        "../../../../../../tests/cases/dialects/structured-output/openai-chat.request.json"
    ),
];

#[test]
fn golden_requests_round_trip() {
    for text in REQUESTS {
        let (written, warned) = write(&read(text.as_bytes()));
        let expected: Value = serde_json::from_str(text).unwrap();
        assert_eq!(written.unwrap(), expected);
        assert!(warned.is_empty(), "{warned:?}");
    }
}

#[test]
fn warns_of_unsupported_settings() {
    let plain = Request::default;
    let mut cases = Vec::from([
        (plain(), "top_k"),
        (plain(), "temperature"),
        (plain(), "stop"),
        (plain(), "tool_choice"),
        (plain(), "reasoning.max_tokens"),
        (plain(), "reasoning"),
    ]);
    cases[0].0.sampling.top_k = Some(1);
    cases[1].0.sampling.temperature = Some(3.0);
    cases[2].0.stop = vec!["x".to_owned(); 5];
    cases[3].0.tool_choice = Some(ToolChoice::Required);
    cases[4].0.reasoning = Some(Reasoning {
        budget_tokens: Some(9),
        ..Reasoning::default()
    });
    cases[5].0.reasoning = Some(Reasoning {
        shown: Some(true),
        ..Reasoning::default()
    });
    assert_warned(cases);
}

#[test]
fn warns_of_dropped_parts() {
    let foreign = Signature {
        origin: Dialect::AnthropicMessages,
        data: "s".to_owned(),
    };
    let reasoning = ReasoningPart {
        text: "x".to_owned(),
        signature: Some(foreign.clone()),
        redacted: false,
    };
    let call = ToolCall {
        id: "1".to_owned(),
        name: "f".to_owned(),
        arguments: String::new(),
        signature: Some(foreign),
    };
    let image = || Part::Image(media("image/png", MediaSource::Url("u".to_owned())));
    let cited = Part::Text {
        text: "x".to_owned(),
        citations: vec![Citation {
            url: None,
            title: None,
            quoted: None,
            span: None,
            raw: Value::Null,
        }],
    };
    assert_warned(vec![
        (
            request_with(Role::Assistant, Part::Reasoning(reasoning)),
            "reasoning_content",
        ),
        (
            request_with(Role::Assistant, Part::ToolCall(call)),
            "extra_content",
        ),
        (request_with(Role::Assistant, cited), "annotations"),
        (request_with(Role::Assistant, image()), "messages.content"),
        (request_with(Role::System, image()), "system"),
    ]);
}

fn assert_warned(cases: Vec<(Request, &str)>) {
    for (mut request, field) in cases {
        request.system.push(Part::text("x"));
        let (written, warned) = write(&request);
        assert!(written.is_ok(), "{field}");
        assert_eq!(warned, [field]);
    }
}

#[test]
fn writes_empty_content_beside_reasoning() {
    let reasoning = ReasoningPart {
        text: "x".to_owned(),
        signature: Some(own_signature("")),
        redacted: false,
    };
    let written = write(&request_with(Role::Assistant, Part::Reasoning(reasoning))).0;
    let expected = json!([{"role": "assistant", "content": "", "reasoning_content": "x"}]);
    assert_eq!(written.unwrap()["messages"], expected);
}

#[test]
fn rejects_unsupported_documents() {
    let file = Part::Document(media("application/pdf", MediaSource::File("f".to_owned())));
    let (written, _) = write(&request_with(Role::User, file));
    assert_eq!(written.unwrap_err().field, "file");
    let url = Part::Document(media("application/pdf", MediaSource::Url("u".to_owned())));
    let (written, _) = write(&request_with(Role::User, url));
    assert_eq!(written.unwrap_err().field, "file");
}

#[test]
fn moves_media_of_tool_results_to_user_message() {
    let result = Part::ToolResult(ToolResult {
        call_id: "1".to_owned(),
        name: None,
        parts: vec![
            Part::text("A"),
            Part::Image(media("image/png", MediaSource::Base64("AA==".to_owned()))),
        ],
        is_error: true,
    });
    let mut request = request_with(Role::User, result);
    request.turns[0].parts.push(Part::text("B"));
    let (written, warned) = write(&request);
    assert_eq!(warned, ["is_error", "tool_result"]);
    let expected = json!([
        {"role": "tool", "tool_call_id": "1", "content": "Error: A"},
        {"role": "user", "content": [
            {"type": "text", "text": "From the result of the tool call 1:"},
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}},
            {"type": "text", "text": "B"},
        ]},
    ]);
    assert_eq!(written.unwrap()["messages"], expected);
}

#[test]
fn writes_empty_arguments_as_object() {
    let call = ToolCall {
        id: "1".to_owned(),
        name: "f".to_owned(),
        arguments: String::new(),
        signature: None,
    };
    let (written, _) = write(&request_with(Role::Assistant, Part::ToolCall(call)));
    let message = &written.unwrap()["messages"][0];
    assert_eq!(message["content"], Value::Null);
    assert_eq!(message["tool_calls"][0]["function"]["arguments"], "{}");
}

#[test]
fn writes_custom_tool_input() {
    let call = |arguments: &str| {
        let mut request = request_with(
            Role::Assistant,
            Part::ToolCall(ToolCall {
                id: "1".to_owned(),
                name: "patch".to_owned(),
                arguments: arguments.to_owned(),
                signature: None,
            }),
        );
        request.tools.push(Tool {
            name: "patch".to_owned(),
            description: None,
            kind: ToolKind::Custom(None),
            strict: None,
        });
        write(&request).0.unwrap()["messages"][0]["tool_calls"][0].clone()
    };
    let custom = json!({"id": "1", "type": "custom", "custom": {"name": "patch", "input": "x"}});
    assert_eq!(call(r#"{"input":"x"}"#), custom);
    assert_eq!(call(r#"{"input":7}"#)["type"], "function");
}

#[test]
fn stream_always_requests_usage() {
    let request = Request {
        stream: true,
        system: vec![Part::text("x")],
        ..Request::default()
    };
    let written = write(&request).0.unwrap();
    assert_eq!(written["stream_options"], json!({"include_usage": true}));
}

proptest! {
    #[test]
    fn requests_round_trip(request in strategy::request()) {
        let mut report = TranslationReport::default();
        let body = encode_request(&request, &Traits::everything(), &mut report);
        let body = body.map_err(|error| TestCaseError::fail(error.to_string()))?;
        prop_assert!(report.warnings().is_empty(), "{:?}", report);
        prop_assert_eq!(read(&body), request);
    }
}
