//! Tests of decoding requests, of warnings and of errors.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::decode_request;
use crate::ir::{
    CacheMark, Effort, Format, Media, MediaSource, Part, Reasoning, Request, Role, Signature, Tool,
    ToolCall, ToolChoice, ToolKind, ToolResult, TranslationError, TranslationReport, Turn,
};
use crate::openai_chat::reasoning::own_signature;
use crate::{Dialect, RequestHead};

fn read(body: &Value) -> (Result<Request, TranslationError>, Vec<String>) {
    let mut report = TranslationReport::default();
    let head = RequestHead {
        model: "m".into(),
        stream: body["stream"] == true,
    };
    let read = decode_request(body.to_string().as_bytes(), &head, &mut report);
    let warned = report.into_warnings().into_iter().map(|it| it.field);
    (read, warned.collect())
}

/// Decodes a request with these members and one message.
fn with(members: &Value) -> (Result<Request, TranslationError>, Vec<String>) {
    let mut body = json!({"messages": [{"role": "user", "content": "Hi"}]});
    for (name, value) in members.as_object().into_iter().flatten() {
        body[name] = value.clone();
    }
    read(&body)
}

fn turns(messages: &Value) -> Request {
    let (read, warned) = read(&json!({"messages": messages}));
    assert!(warned.is_empty(), "{warned:?}");
    read.unwrap()
}

/// A client sends back what Mistral gave it, whichever provider serves it now.
#[test]
fn reads_reasoning_in_the_content() {
    let expected = |text: &str| {
        turns(&json!([{"role": "assistant", "reasoning_content": text, "content": "b"}]))
    };
    let listed = json!([{"type": "text", "text": "a"}, {"type": "text", "text": "c"}]);
    for (thinking, text) in [(json!("a"), "a"), (listed, "ac")] {
        let content = json!([
            {"type": "thinking", "thinking": thinking, "closed": true},
            {"type": "text", "text": "b"},
        ]);
        let found = turns(&json!([{"role": "assistant", "content": content}]));
        assert_eq!(found.turns, expected(text).turns);
    }
    let user = json!([{"role": "user", "content": [{"type": "thinking", "thinking": "a"}]}]);
    assert!(read(&json!({"messages": user})).0.is_err());
}

fn call(id: &str, name: &str, arguments: &str) -> ToolCall {
    ToolCall {
        id: id.to_owned(),
        name: name.to_owned(),
        arguments: arguments.to_owned(),
        signature: None,
    }
}

fn result(call_id: &str, name: &str, text: &str) -> Part {
    Part::ToolResult(ToolResult {
        call_id: call_id.to_owned(),
        name: Some(name.to_owned()),
        parts: vec![Part::text(text)],
        is_error: false,
    })
}

#[test]
fn reads_members_and_aliases() {
    let (read, warned) = with(&json!({
        "temperature": 0.5, "top_p": 0.25, "top_k": 3, "max_tokens": 9, "presence_penalty": 1,
        "frequency_penalty": -1, "seed": -7, "stop": ["a", "b"], "user": "u", "n": 1,
        "logprobs": false, "modalities": ["text"], "parallel_tool_calls": false, "store": true,
        "metadata": {"a": "b"}, "stream_options": {"include_usage": true}, "stream": true,
        "logit_bias": null,
    }));
    assert!(warned.is_empty(), "{warned:?}");
    let read = read.unwrap();
    let sampling = &read.sampling;
    assert_eq!(
        (sampling.temperature, sampling.top_p),
        (Some(0.5), Some(0.25))
    );
    assert_eq!((sampling.top_k, sampling.tokens_max), (Some(3), Some(9)));
    assert_eq!(sampling.presence_penalty, Some(1.0));
    assert_eq!(sampling.frequency_penalty, Some(-1.0));
    assert_eq!(sampling.seed, Some(-7));
    assert_eq!(read.stop, ["a", "b"]);
    assert_eq!(read.user.as_deref(), Some("u"));
    assert_eq!(read.parallel_tools, Some(false));
    assert!(read.stream && read.include_usage);
    let openai: Vec<_> = read.openai.keys().map(String::as_str).collect();
    assert_eq!(openai, ["metadata", "store"]);
    let newer = with(&json!({"max_completion_tokens": 5, "max_tokens": 6}));
    assert_eq!(newer.0.unwrap().sampling.tokens_max, Some(5));
    assert_eq!(newer.1, ["max_tokens"]);
}

#[test]
fn warns_of_dropped_members() {
    let cases = [
        (json!({"logit_bias": {"1": 2}}), "logit_bias"),
        (json!({"logprobs": true}), "logprobs"),
        (json!({"top_logprobs": 2}), "top_logprobs"),
        (json!({"prediction": {"type": "content"}}), "prediction"),
        (json!({"web_search_options": {}}), "web_search_options"),
        (
            json!({"stream_options": {"include_obfuscation": true}}),
            "stream_options.include_obfuscation",
        ),
        (json!({"stream_options": {"odd": 1}}), "stream_options.odd"),
        (json!({"tools": [{"type": "web_search"}]}), "tools[0]"),
        (json!({"reasoning": {"odd": 1}}), "reasoning.odd"),
        (
            json!({"messages": [{"role": "user", "content": "x", "name": "n"}]}),
            "messages[0].name",
        ),
        (
            json!({"messages": [{"role": "user", "content": [{"type": "text", "text": "x", "prompt_cache_breakpoint": {}}]}]}),
            "messages[0].content[0].prompt_cache_breakpoint",
        ),
        (json!({"odd": 1}), "odd"),
        (
            json!({"tool_choice": {"type": "function", "function": {"name": "f", "odd": 1}}}),
            "tool_choice.function.odd",
        ),
        (
            json!({"messages": [{"role": "assistant", "tool_calls": [
                {"id": "1", "index": 0, "function": {"name": "f", "odd": 1}}]}]}),
            "messages[0].tool_calls[0].function.odd",
        ),
    ];
    for (members, field) in cases {
        let (read, warned) = with(&members);
        assert!(read.is_ok(), "{members}: {read:?}");
        assert_eq!(warned, [field], "{members}");
    }
}

#[test]
fn rejects_unsupported_requests() {
    let cases = [
        (json!({"n": 2}), "n"),
        (json!({"modalities": ["text", "audio"]}), "modalities"),
        (json!({"audio": {"voice": "alloy"}}), "audio"),
        (json!({"messages": []}), "messages"),
        (json!({"messages": "x"}), "messages"),
        (json!({"stop": [1]}), "stop"),
        (json!({"temperature": "hot"}), "temperature"),
        (json!({"max_tokens": -1}), "max_tokens"),
        (json!({"reasoning_effort": "hard"}), "reasoning_effort"),
        (
            json!({"response_format": {"type": "xml"}}),
            "response_format.type",
        ),
        (
            json!({"response_format": {"type": "json_schema"}}),
            "response_format.json_schema",
        ),
        (json!({"tool_choice": "maybe"}), "tool_choice"),
        (
            json!({"tools": [{"type": "function"}]}),
            "tools[0].function",
        ),
    ];
    assert_rejected(&cases);
}

#[test]
fn rejects_unsupported_messages() {
    let message = |message: Value| json!({"messages": [message]});
    let part = |part: Value| message(json!({"role": "user", "content": [part]}));
    let cases = [
        (message(json!({"content": "x"})), "messages[0].role"),
        (message(json!({"role": "critic"})), "messages[0].role"),
        (
            message(json!({"role": "user", "content": 7})),
            "messages[0].content",
        ),
        (
            message(json!({"role": "tool", "content": "x"})),
            "messages[0].tool_call_id",
        ),
        (
            message(json!({"role": "function", "name": "f"})),
            "messages[0].name",
        ),
        (
            message(json!({"role": "assistant", "audio": {"id": "a"}})),
            "messages[0].audio",
        ),
        (
            message(
                json!({"role": "assistant", "tool_calls": [{"id": "", "function": {"name": "f"}}]}),
            ),
            "messages[0].tool_calls[0].id",
        ),
        (
            message(json!({"role": "system", "content": [{"type": "image_url"}]})),
            "messages[0].content[0].type",
        ),
        (
            part(json!({"type": "video_url"})),
            "messages[0].content[0].type",
        ),
        (
            part(json!({"type": "refusal", "refusal": "x"})),
            "messages[0].content[0].type",
        ),
        (
            part(json!({"type": "file", "file": {"file_id": "f"}})),
            "messages[0].content[0].file.file_id",
        ),
        (
            part(json!({"type": "image_url", "image_url": {"url": "data:x"}})),
            "messages[0].content[0].image_url.url",
        ),
    ];
    assert_rejected(&cases);
}

fn assert_rejected(cases: &[(Value, &str)]) {
    for (members, field) in cases {
        let refused = with(members).0.map_err(|error| error.field);
        assert_eq!(refused.err().as_deref(), Some(*field), "{members}");
    }
}

#[test]
fn tool_results_start_user_turn_with_tool_names() {
    let read = turns(&json!([
        {"role": "developer", "content": "A"},
        {"role": "system", "content": "B"},
        {"role": "user", "content": "C"},
        {"role": "assistant", "content": "", "refusal": null, "tool_calls": [
            {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}},
            {"id": "2", "type": "custom", "custom": {"name": "g", "input": "a\"b"}},
        ]},
        {"role": "user", "content": "D"},
        {"role": "tool", "tool_call_id": "1", "content": "E"},
        {"role": "tool", "tool_call_id": "2", "content": [{"type": "text", "text": "F"}]},
        {"role": "system", "content": "G"},
    ]));
    assert_eq!(read.system, [Part::text("A"), Part::text("B")]);
    let turn = |role, parts| Turn { role, parts };
    let called = vec![
        Part::ToolCall(call("1", "f", "{}")),
        Part::ToolCall(call("2", "g", r#"{"input":"a\"b"}"#)),
    ];
    let results = vec![
        result("1", "f", "E"),
        result("2", "g", "F"),
        Part::text("D"),
    ];
    let expected = [
        turn(Role::User, vec![Part::text("C")]),
        turn(Role::Assistant, called),
        turn(Role::User, results),
        turn(Role::System, vec![Part::text("G")]),
    ];
    assert_eq!(read.turns, expected);
}

#[test]
fn reads_deprecated_functions_as_tools() {
    let (read, warned) = read(&json!({
        "messages": [
            {"role": "user", "content": "A"},
            {"role": "assistant", "content": null, "function_call": {"name": "f", "arguments": "{}"}},
            {"role": "function", "name": "f", "content": "B"},
        ],
        "functions": [{"name": "f", "parameters": {"type": "object"}}],
        "function_call": {"name": "f"},
    }));
    assert!(warned.is_empty(), "{warned:?}");
    let read = read.unwrap();
    let tool = Tool {
        name: "f".to_owned(),
        description: None,
        kind: ToolKind::Function(Some(json!({"type": "object"}))),
        strict: None,
    };
    assert_eq!(read.tools, [tool]);
    assert_eq!(read.tool_choice, Some(ToolChoice::Named("f".to_owned())));
    assert_eq!(
        read.turns[1].parts,
        [Part::ToolCall(call("call_1", "f", "{}"))]
    );
    assert_eq!(read.turns[2].parts, [result("call_1", "f", "B")]);
    let auto = with(&json!({"function_call": "auto"})).0.unwrap();
    assert_eq!(auto.tool_choice, Some(ToolChoice::Auto));
}

#[test]
fn reads_tool_choices() {
    let cases = [
        (json!("none"), ToolChoice::None),
        (json!("auto"), ToolChoice::Auto),
        (json!("required"), ToolChoice::Required),
        (
            json!({"type": "function", "function": {"name": "f"}}),
            ToolChoice::Named("f".to_owned()),
        ),
        (
            json!({"type": "custom", "custom": {"name": "c"}}),
            ToolChoice::Named("c".to_owned()),
        ),
        (
            json!({"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [
                {"type": "function", "function": {"name": "f"}}]}}),
            ToolChoice::Allowed {
                names: vec!["f".to_owned()],
                required: true,
            },
        ),
    ];
    for (choice, expected) in cases {
        let read = with(&json!({"tool_choice": choice})).0.unwrap();
        assert_eq!(read.tool_choice, Some(expected), "{choice}");
    }
}

#[test]
fn reads_media_parts() {
    let read = turns(&json!([{"role": "user", "content": [
        {"type": "image_url", "image_url": {"url": "https://a.example/b", "detail": "high"}},
        {"type": "image_url", "image_url": "data:image/png;base64,AA=="},
        {"type": "input_audio", "input_audio": {"data": "AA==", "format": "mp3"}},
        {"type": "file", "file": {"file_data": "AA==", "filename": "a.pdf"}},
    ]}]));
    let media = |media_type: Option<&str>, source: MediaSource| Media {
        media_type: media_type.map(str::to_owned),
        source,
        detail: None,
        title: None,
    };
    let data = || MediaSource::Base64("AA==".to_owned());
    let expected = [
        Part::Image(Media {
            detail: Some("high".to_owned()),
            ..media(None, MediaSource::Url("https://a.example/b".to_owned()))
        }),
        Part::Image(media(Some("image/png"), data())),
        Part::Audio(media(Some("audio/mpeg"), data())),
        Part::Document(Media {
            title: Some("a.pdf".to_owned()),
            ..media(Some("application/pdf"), data())
        }),
    ];
    assert_eq!(read.turns[0].parts, expected);
}

#[test]
fn reads_reasoning_and_call_signatures() {
    let wrapped = Signature {
        origin: Dialect::Gemini,
        data: "s".to_owned(),
    };
    let written = wrapped.encode_for(Dialect::OpenaiChat);
    let read = turns(&json!([
        {"role": "user", "content": "A"},
        {
            "role": "assistant", "content": null, "reasoning_content": "B", "annotations": [],
            "tool_calls": [{
                "id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"},
                "extra_content": {"google": {"thought_signature": written}},
            }],
        },
    ]));
    let [Part::Reasoning(reasoning), Part::ToolCall(called)] = read.turns[1].parts.as_slice()
    else {
        panic!("{:?}", read.turns[1]);
    };
    assert_eq!(reasoning.signature, Some(own_signature("")));
    assert_eq!(called.signature, Some(wrapped));
}

#[test]
fn reads_formats_and_efforts() {
    let read =
        with(&json!({"response_format": {"type": "json_object"}, "reasoning_effort": "xhigh"}));
    let read = read.0.unwrap();
    assert_eq!(read.format, Format::Json);
    assert_eq!(read.reasoning.unwrap().effort, Some(Effort::Max));
    let shown = with(&json!({"reasoning": {"max_tokens": 2000, "exclude": false}}));
    let expected = Reasoning {
        effort: None,
        budget_tokens: Some(2000),
        shown: Some(true),
    };
    assert_eq!(shown.0.unwrap().reasoning, Some(expected));
    let on = with(&json!({"reasoning": {"enabled": true}})).0.unwrap();
    assert_eq!(on.reasoning.unwrap().effort, Some(Effort::Medium));
    let off = with(&json!({"reasoning": {"enabled": false}})).0.unwrap();
    assert_eq!(off.reasoning.unwrap().effort, Some(Effort::None));
}

proptest! {
    #[test]
    fn decode_never_panics_on_bytes(body in prop::collection::vec(any::<u8>(), 0..64)) {
        let head = RequestHead { model: "m".into(), stream: false };
        let _ = decode_request(&body, &head, &mut TranslationReport::default()).is_ok();
    }

    #[test]
    fn decode_never_panics_on_json(body in crate::openai_chat::json_strategy::object()) {
        let _ = read(&body).0.is_ok();
    }
}

/// OpenRouter's clients mark parts, others a message, a tool or the whole request.
#[test]
fn reads_cache_marks() {
    let marked = |text: &str| json!({"type": "text", "text": text, "cache_control": {"type": "ephemeral", "ttl": "1h"}});
    let (request, warned) = read(&json!({"messages": [
        {"role": "system", "content": "s", "cache_control": {"type": "ephemeral"}},
        {"role": "user", "content": [marked("a"), {"type": "text", "text": "b"}]},
        {"role": "assistant", "content": null, "tool_calls": [{"id": "c", "function": {"name": "f", "arguments": "{}"}}]},
        {"role": "tool", "tool_call_id": "c", "content": [marked("o")]},
    ]}));
    let request = request.unwrap();
    assert!(warned.is_empty(), "{warned:?}");
    let mark = |is_long| Part::CacheMark(CacheMark { is_long });
    assert_eq!(request.system, [Part::text("s"), mark(false)]);
    assert_eq!(
        request.turns[0].parts,
        [Part::text("a"), mark(true), Part::text("b")]
    );
    assert_eq!(request.turns[2].parts, [result("c", "f", "o"), mark(true)]);
    assert_eq!(request.cache, None);
    let tool = json!({"type": "function", "function": {"name": "f"}, "cache_control": {"type": "ephemeral"}});
    for members in [
        json!({"tools": [tool]}),
        json!({"cache_control": {"type": "ephemeral"}}),
    ] {
        let (request, warned) = with(&members);
        assert!(warned.is_empty(), "{warned:?}");
        assert_eq!(request.unwrap().cache, Some(CacheMark::default()));
    }
}
