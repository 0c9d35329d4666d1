//! Requests to a provider, and the warnings of what the API cannot express.

use crate::traits::Traits;
use serde_json::{Map, Value, json};

use super::super::encode_request;
use super::{Outcome, decode, fields, request_head};
use crate::Dialect;
use crate::ir::{
    Format, Media, MediaSource, Part, ReasoningPart, Request, Role, Signature, Tool, ToolCall,
    ToolChoice, ToolKind, ToolResult, TranslationReport, Turn,
};

fn encode(request: &Request) -> Outcome<(Value, Vec<String>)> {
    let mut report = TranslationReport::default();
    let body = serde_json::from_slice(&encode_request(
        request,
        &Traits::built_in(Dialect::Gemini, "", &request.model),
        &mut report,
    )?)?;
    Ok((
        body,
        fields(&report).into_iter().map(str::to_owned).collect(),
    ))
}

fn turn(role: Role, parts: Vec<Part>) -> Turn {
    Turn { role, parts }
}

#[test]
fn warns_of_dropped_content() -> Outcome {
    let media = Media {
        media_type: None,
        source: MediaSource::Base64("iVBORw0KGgo=".to_owned()),
        detail: Some("low".to_owned()),
        title: Some("T".to_owned()),
    };
    let reasoning = ReasoningPart {
        text: "hm".to_owned(),
        signature: None,
        redacted: false,
    };
    let request = Request {
        turns: vec![
            turn(Role::User, vec![Part::Image(media)]),
            turn(Role::System, vec![Part::text("Be brief.")]),
            turn(Role::Assistant, vec![Part::Reasoning(reasoning)]),
        ],
        parallel_tools: Some(false),
        stop: (0..7).map(|it| it.to_string()).collect(),
        user: Some("u".to_owned()),
        openai: Map::from_iter([("store".to_owned(), json!(true))]),
        sampling: crate::ir::Sampling {
            seed: Some(i64::MAX),
            ..Default::default()
        },
        ..Request::default()
    };
    let (body, named) = encode(&request)?;
    let expected = [
        "messages.system",
        "title",
        "image_url.detail",
        "reasoning_content",
        "stop",
        "seed",
        "parallel_tool_calls",
        "user",
        "store",
    ];
    assert_eq!(named, expected);
    assert_eq!(
        body["systemInstruction"],
        json!({"parts": [{"text": "Be brief."}]})
    );
    assert_eq!(body["contents"].as_array().map(Vec::len), Some(1));
    assert_eq!(
        body["contents"][0]["parts"][0]["inlineData"]["mimeType"],
        "image/png"
    );
    assert_eq!(
        body["generationConfig"],
        json!({"stopSequences": ["0", "1", "2", "3", "4"], "seed": i32::MAX})
    );
    Ok(())
}

/// Gemini signs the part after the reasoning.
#[test]
fn signed_reasoning_is_no_loss() -> Outcome {
    let reasoning = |text: &str, origin: Option<Dialect>| {
        let data = "c2ln".to_owned();
        Part::Reasoning(ReasoningPart {
            text: text.to_owned(),
            signature: origin.map(|origin| Signature { origin, data }),
            redacted: false,
        })
    };
    let own = Some(Dialect::Gemini);
    let foreign = Some(Dialect::AnthropicMessages);
    for (first, last, warned) in [(None, own, false), (foreign, own, true), (None, None, true)] {
        let parts = vec![
            reasoning("hm", first),
            Part::text("4."),
            reasoning("", last),
        ];
        let request = Request {
            turns: vec![turn(Role::Assistant, parts)],
            ..Request::default()
        };
        let (body, named) = encode(&request)?;
        let lost = named.iter().any(|name| name == "reasoning_content");
        assert_eq!(lost, warned, "{named:?}");
        assert_eq!(body["contents"][1]["parts"][0], json!({"text": "4."}));
    }
    Ok(())
}

#[test]
fn rejects_files_of_other_providers() {
    let media = Media {
        media_type: None,
        source: MediaSource::File("file-1".to_owned()),
        detail: None,
        title: None,
    };
    let result = ToolResult {
        call_id: "c".to_owned(),
        name: None,
        parts: Vec::new(),
        is_error: false,
    };
    for (part, field) in [
        (Part::Document(media), "file_id"),
        (Part::ToolResult(result), "tool_call_id"),
    ] {
        let request = Request {
            turns: vec![turn(Role::User, vec![part])],
            ..Request::default()
        };
        let refused = encode_request(
            &request,
            &Traits::everything(),
            &mut TranslationReport::default(),
        )
        .unwrap_err();
        assert_eq!(refused.field, field);
    }
}

#[test]
fn placeholder_signature_only_on_first_call() -> Outcome {
    let call = |id: &str, origin: Option<Dialect>| {
        Part::ToolCall(ToolCall {
            id: id.to_owned(),
            name: "f".to_owned(),
            arguments: "[1".to_owned(),
            signature: origin.map(|origin| Signature {
                origin,
                data: "c2ln".to_owned(),
            }),
        })
    };
    let foreign = Some(Dialect::AnthropicMessages);
    let request = Request {
        turns: vec![
            turn(Role::Assistant, vec![call("a", foreign), call("b", None)]),
            turn(Role::User, vec![Part::text("?")]),
            turn(Role::Assistant, vec![call("c", Some(Dialect::Gemini))]),
        ],
        ..Request::default()
    };
    let (body, warned) = encode(&request)?;
    // A call must come after a user's turn.
    assert_eq!(warned, ["extra_content", "messages"]);
    assert_eq!(body["contents"][0]["role"], "user");
    let signature =
        |turn: usize, part: usize| &body["contents"][turn]["parts"][part]["thoughtSignature"];
    assert_eq!(signature(1, 0), "skip_thought_signature_validator");
    assert_eq!(*signature(1, 1), Value::Null);
    assert_eq!(signature(3, 0), "c2ln");
    let args = &body["contents"][1]["parts"][0]["functionCall"]["args"];
    assert_eq!(*args, json!({"arguments": "[1"}));
    Ok(())
}

/// The reports: google-gemini/gemini-cli#19436, maximhq/bifrost#4202, google-gemini/gemini-cli#16135.
#[test]
fn media_of_results_are_where_the_model_takes_them() -> Outcome {
    let media = |kind: &str, data: &str| Media {
        media_type: Some(kind.to_owned()),
        source: MediaSource::Base64(data.to_owned()),
        detail: None,
        title: None,
    };
    let result = |id: &str, parts: Vec<Part>| {
        Part::ToolResult(ToolResult {
            call_id: id.to_owned(),
            name: Some("f".to_owned()),
            parts,
            is_error: false,
        })
    };
    let image = || Part::Image(media("image/png", "iVBORw0KGgo="));
    let audio = || Part::Audio(media("audio/wav", "AAAA"));
    let user = |model: &str, parts: Vec<Part>| -> Outcome<(Value, Vec<String>)> {
        encode(&Request {
            model: model.to_owned(),
            turns: vec![turn(Role::User, parts)],
            ..Request::default()
        })
    };
    let inline = json!({"inlineData": {"mimeType": "image/png", "data": "iVBORw0KGgo="}});
    for (model, inside) in [
        ("gemini-3-pro-preview", true),
        ("gemini-2.5-flash", false),
        ("fast", false),
    ] {
        let (body, warned) = user(model, vec![result("a", vec![image()])])?;
        let parts = &body["contents"][0]["parts"];
        let response = &parts[0]["functionResponse"];
        if inside {
            assert_eq!(response["parts"], json!([inline]));
            assert_eq!(warned, Vec::<String>::new());
        } else {
            assert_eq!(response.get("parts"), None);
            assert_eq!(
                response["response"],
                json!({"output": "(The result follows.)"})
            );
            assert_eq!(parts[1], inline);
            assert_eq!(warned, ["tool_result"]);
        }
    }
    // The results of several calls are alone in their content.
    let parts = vec![
        result("a", vec![image()]),
        result("b", vec![Part::text("t")]),
        Part::text("next"),
    ];
    let (body, _) = user("gemini-2.5-pro", parts)?;
    assert_eq!(
        body["contents"][0]["parts"].as_array().map(Vec::len),
        Some(2)
    );
    assert_eq!(
        body["contents"][1],
        json!({"role": "user", "parts": [inline, {"text": "next"}]})
    );
    // No model takes audio inside of a result.
    let (body, warned) = user("gemini-3-pro-preview", vec![result("a", vec![audio()])])?;
    assert_eq!(
        body["contents"][0]["parts"][0]["functionResponse"].get("parts"),
        None
    );
    assert_eq!(warned, ["tool_result"]);
    Ok(())
}

#[test]
fn encodes_tools_and_format() -> Outcome {
    let tool = |name: &str, kind, strict| Tool {
        name: name.to_owned(),
        description: None,
        kind,
        strict,
    };
    let request = Request {
        system: vec![Part::text("Be brief.")],
        tools: vec![
            tool("f", ToolKind::Function(None), Some(true)),
            tool("g", ToolKind::Custom(None), None),
        ],
        format: Format::Schema {
            name: Some("n".to_owned()),
            description: Some("A person.".to_owned()),
            schema: json!({"type": "object"}),
            strict: Some(true),
        },
        ..Request::default()
    };
    let (body, named) = encode(&request)?;
    assert_eq!(
        named,
        ["system"],
        "instructions without a conversation become a user turn"
    );
    assert_eq!(
        body["contents"],
        json!([{"role": "user", "parts": [{"text": "Be brief."}]}])
    );
    assert_eq!(
        body["toolConfig"],
        json!({"functionCallingConfig": {"mode": "VALIDATED"}})
    );
    let declared = &body["tools"][0]["functionDeclarations"];
    assert_eq!(declared[0], json!({"name": "f"}));
    assert_eq!(
        declared[1]["parametersJsonSchema"]["required"],
        json!(["input"])
    );
    let schema = json!({"type": "object", "description": "A person."});
    assert_eq!(body["generationConfig"]["responseJsonSchema"], schema);
    Ok(())
}

#[test]
fn encodes_count_requests_in_both_forms() -> Outcome {
    let mut request = decode(
        &json!({"contents": "Hi", "model": "models/x"}),
        &mut TranslationReport::default(),
    )?;
    let codec = Dialect::Gemini.codec();
    let format = codec.token_count().ok_or("Gemini counts tokens")?;
    let mut report = TranslationReport::default();
    let simple: Value = serde_json::from_slice(&format.encode_request(
        &request,
        &Traits::built_in(Dialect::Gemini, "", &request.model),
        &mut report,
    )?)?;
    assert_eq!(
        simple,
        json!({"contents": [{"role": "user", "parts": [{"text": "Hi"}]}]})
    );
    assert_eq!(decode(&simple, &mut report)?, request);

    request.system = vec![Part::text("Be brief.")];
    let whole: Value = serde_json::from_slice(&format.encode_request(
        &request,
        &Traits::built_in(Dialect::Gemini, "", &request.model),
        &mut report,
    )?)?;
    let inner = &whole["generateContentRequest"];
    assert_eq!(inner["model"], format!("models/{}", request_head().model));
    assert_eq!(decode(&whole, &mut report)?, request);
    assert!(report.warnings().is_empty());

    assert_eq!(
        format.decode_response(&codec.encode_token_count(31)),
        Some(31)
    );
    assert_eq!(format.decode_response(b"{}"), None);
    Ok(())
}

#[test]
fn omits_tool_choice_without_tools_and_false_flags() -> Outcome {
    for (choice, named) in [
        (ToolChoice::Auto, vec![]),
        (ToolChoice::Required, vec!["tool_choice".to_owned()]),
    ] {
        let mut request = Request {
            turns: vec![turn(Role::User, vec![Part::text("a")])],
            tool_choice: Some(choice),
            ..Request::default()
        };
        request.openai.insert("store".to_owned(), json!(false));
        let (body, warned) = encode(&request)?;
        assert_eq!(body.get("toolConfig"), None);
        assert_eq!(warned, named);
    }
    Ok(())
}
