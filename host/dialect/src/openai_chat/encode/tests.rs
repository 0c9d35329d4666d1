//! What a request is written as, and that it is read back as it was.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::encode_request;
use crate::interlingua::{
    Citation, Effort, Format, Media, TranslationReport, Part, Reasoning, TranslationError, Request, Role, Sampling,
    Signature, MediaSource, ReasoningPart, Tool, ToolCall, ToolChoice, ToolKind, ToolResult, Turn,
};
use crate::openai_chat::decode_request;
use crate::openai_chat::thought::own;
use crate::{RequestHead, Dialect};

mod strategy;

fn write(request: &Request) -> (Result<Value, TranslationError>, Vec<String>) {
    let mut notes = TranslationReport::default();
    let written = encode_request(request, &mut notes);
    let written = written.map(|body| serde_json::from_slice(&body).unwrap());
    let warned = notes.into_warnings().into_iter().map(|it| it.field);
    (written, warned.collect())
}

fn read(body: &[u8]) -> Request {
    let mut notes = TranslationReport::default();
    let asked = RequestHead::read(body).unwrap();
    let request = decode_request(body, &asked, &mut notes).unwrap();
    assert!(notes.warnings().is_empty(), "{notes:?}");
    request
}

fn said(role: Role, part: Part) -> Request {
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
    include_str!("../../../../../tests/cases/dialects/text/openai-chat.request.json"),
    include_str!("../../../../../tests/cases/dialects/streamed-text/openai-chat.request.json"),
    include_str!("../../../../../tests/cases/dialects/parallel-tools/openai-chat.request.json"),
    include_str!("../../../../../tests/cases/dialects/streamed-tools/openai-chat.request.json"),
    include_str!("../../../../../tests/cases/dialects/tool-results/openai-chat.request.json"),
    include_str!("../../../../../tests/cases/dialects/images/openai-chat.request.json"),
    include_str!("../../../../../tests/cases/dialects/system/openai-chat.request.json"),
    include_str!("../../../../../tests/cases/dialects/reasoning/openai-chat.request.json"),
    include_str!("../../../../../tests/cases/dialects/structured-output/openai-chat.request.json"),
];

#[test]
fn the_goldens_are_written_as_they_were_read() {
    for text in REQUESTS {
        let (written, warned) = write(&read(text.as_bytes()));
        let expected: Value = serde_json::from_str(text).unwrap();
        assert_eq!(written.unwrap(), expected);
        assert!(warned.is_empty(), "{warned:?}");
    }
}

#[test]
fn what_is_not_said_is_named() {
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
    all_named(cases);
}

#[test]
fn what_a_turn_cannot_hold_is_named() {
    let foreign = Signature {
        origin: Dialect::AnthropicMessages,
        data: "s".to_owned(),
    };
    let thought = ReasoningPart {
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
    all_named(vec![
        (
            said(Role::Assistant, Part::Reasoning(thought)),
            "reasoning_content",
        ),
        (said(Role::Assistant, Part::ToolCall(call)), "extra_content"),
        (said(Role::Assistant, cited), "annotations"),
        (said(Role::Assistant, image()), "messages.content"),
        (said(Role::System, image()), "system"),
    ]);
}

fn all_named(cases: Vec<(Request, &str)>) {
    for (mut request, field) in cases {
        request.system.push(Part::text("x"));
        let (written, warned) = write(&request);
        assert!(written.is_ok(), "{field}");
        assert_eq!(warned, [field]);
    }
}

#[test]
fn a_thought_alone_stands_beside_an_empty_text() {
    let thought = ReasoningPart {
        text: "x".to_owned(),
        signature: Some(own("")),
        redacted: false,
    };
    let written = write(&said(Role::Assistant, Part::Reasoning(thought))).0;
    let expected = json!([{"role": "assistant", "content": "", "reasoning_content": "x"}]);
    assert_eq!(written.unwrap()["messages"], expected);
}

#[test]
fn what_would_be_lost_is_refused() {
    let file = Part::Document(media("application/pdf", MediaSource::File("f".to_owned())));
    let (written, _) = write(&said(Role::User, file));
    assert_eq!(written.unwrap_err().field, "file");
    let url = Part::Document(media("application/pdf", MediaSource::Url("u".to_owned())));
    let (written, _) = write(&said(Role::User, url));
    assert_eq!(written.unwrap_err().field, "file");
}

#[test]
fn a_result_holds_text_and_the_rest_follows_it() {
    let result = Part::ToolResult(ToolResult {
        call_id: "1".to_owned(),
        name: None,
        parts: vec![
            Part::text("A"),
            Part::Image(media("image/png", MediaSource::Base64("AA==".to_owned()))),
        ],
        is_error: true,
    });
    let mut request = said(Role::User, result);
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
fn a_call_without_arguments_has_an_empty_object() {
    let call = ToolCall {
        id: "1".to_owned(),
        name: "f".to_owned(),
        arguments: String::new(),
        signature: None,
    };
    let (written, _) = write(&said(Role::Assistant, Part::ToolCall(call)));
    let message = &written.unwrap()["messages"][0];
    assert_eq!(message["content"], Value::Null);
    assert_eq!(message["tool_calls"][0]["function"]["arguments"], "{}");
}

#[test]
fn a_custom_tools_calls_have_their_bare_input() {
    let call = |arguments: &str| {
        let mut request = said(
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
fn a_stream_always_asks_for_its_usage() {
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
    fn what_is_written_is_read_back(request in strategy::request()) {
        let mut notes = TranslationReport::default();
        let body = encode_request(&request, &mut notes);
        let body = body.map_err(|refusal| TestCaseError::fail(refusal.to_string()))?;
        prop_assert!(notes.warnings().is_empty(), "{:?}", notes);
        prop_assert_eq!(read(&body), request);
    }
}
