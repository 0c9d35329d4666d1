//! What of a request is carried, dropped and refused; one row a member.

use serde_json::{Value, json};

use super::{Outcome, decode, fields};
use crate::Dialect;
use crate::interlingua::{Notes, Part, Role, Signature, Thought, ToolChoice};

/// A body with one member more.
fn with(name: &str, value: Value) -> Value {
    let mut body = json!({"contents": "Hi"});
    body[name] = value;
    body
}

fn call() -> Value {
    json!({"role": "model", "parts": [{"functionCall": {"name": "f", "args": {"a": 1}}}]})
}

#[test]
fn what_is_lost_is_named() -> Outcome {
    let part = |part: Value| json!({"contents": [{"parts": [{"text": "a"}, part]}]});
    let config = |name: &str, value: Value| with("generationConfig", json!({name: value}));
    for (body, field) in [
        (with("safetySettings", json!([{}])), "safetySettings"),
        (with("labels", json!({"a": "b"})), "labels"),
        (with("serviceTier", json!("flex")), "serviceTier"),
        (
            with("tools", json!([{"google_search": {}}])),
            "tools[0].googleSearch",
        ),
        (
            with("tools", json!({"codeExecution": {}})),
            "tools[0].codeExecution",
        ),
        (
            with(
                "tools",
                json!([{"functionDeclarations": [{"name": "f", "response": {}}]}]),
            ),
            "tools.functionDeclarations.response",
        ),
        (
            with("toolConfig", json!({"retrievalConfig": {}})),
            "toolConfig.retrievalConfig",
        ),
        (
            config("responseLogprobs", json!(true)),
            "generationConfig.responseLogprobs",
        ),
        (config("logprobs", json!(3)), "generationConfig.logprobs"),
        (
            config("mediaResolution", json!("MEDIA_RESOLUTION_LOW")),
            "generationConfig.mediaResolution",
        ),
        (
            config("speech_config", json!({})),
            "generationConfig.speechConfig",
        ),
        (
            part(json!({"executableCode": {"code": "1"}})),
            "contents[0].parts[1].executableCode",
        ),
        (
            part(json!({"text": "b", "videoMetadata": {}})),
            "contents[0].parts[1].videoMetadata",
        ),
    ] {
        let mut notes = Notes::default();
        decode(&body, &mut notes)?;
        assert_eq!(fields(&notes).first(), Some(&field), "{body}");
    }
    Ok(())
}

#[test]
fn what_would_change_the_answer_is_refused() {
    for (body, field) in refused_bodies().into_iter().chain(refused_parts()) {
        let refused = decode(&body, &mut Notes::default()).unwrap_err();
        assert_eq!(refused.field, field, "{body}: {refused}");
    }
}

type Row = (Value, &'static str);

fn refused_bodies() -> Vec<Row> {
    let config = |name: &str, value: Value| with("generationConfig", json!({name: value}));
    vec![
        (json!([]), ""),
        (json!({}), "contents"),
        (
            with("cachedContent", json!("cachedContents/x")),
            "cachedContent",
        ),
        (
            config("candidateCount", json!(2)),
            "generationConfig.candidateCount",
        ),
        (
            config("response_modalities", json!(["TEXT", "AUDIO"])),
            "generationConfig.responseModalities",
        ),
        (
            config("responseMimeType", json!("text/x.enum")),
            "generationConfig.responseMimeType",
        ),
        (config("topK", json!(-1)), "generationConfig.topK"),
        (
            config("thinkingConfig", json!({"thinkingLevel": "HUGE"})),
            "generationConfig.thinkingConfig.thinkingLevel",
        ),
        (
            with(
                "toolConfig",
                json!({"functionCallingConfig": {"mode": "MAYBE"}}),
            ),
            "toolConfig.functionCallingConfig.mode",
        ),
        (
            with("tools", json!([{"functionDeclarations": [{}]}])),
            "tools[0].functionDeclarations[0].name",
        ),
    ]
}

fn refused_parts() -> Vec<Row> {
    let part = |part: Value| json!({"contents": [{"parts": [part]}]});
    vec![
        (
            part(
                json!({"fileData": {"fileUri": "https://generativelanguage.googleapis.com/v1beta/files/x"}}),
            ),
            "contents[0].parts[0].fileData.fileUri",
        ),
        (
            part(json!({"fileData": {"fileUri": "files/x"}})),
            "contents[0].parts[0].fileData.fileUri",
        ),
        (
            part(json!({"inlineData": {"mimeType": "video/mp4", "data": ""}})),
            "contents[0].parts[0].inlineData",
        ),
        (
            part(json!({"inlineData": {"mimeType": "image/png", "data": "!"}})),
            "contents[0].parts[0].inlineData.data",
        ),
        (
            part(json!({"functionResponse": {"name": "f"}})),
            "contents[0].parts[0].functionResponse.name",
        ),
        (part(json!({"text": 1})), "contents[0].parts[0].text"),
        (
            json!({"contents": [{"role": "assistant", "parts": []}]}),
            "contents[0].role",
        ),
        (
            json!({"contents": "a", "systemInstruction": {"parts": [{"inlineData": {}}]}}),
            "systemInstruction.parts[0].text",
        ),
    ]
}

#[test]
fn shorter_forms_mean_the_same() -> Outcome {
    let long = json!({
        "contents": [{"role": "user", "parts": [{"text": "Hi"}]}],
        "systemInstruction": {"parts": [{"text": "Be brief."}]},
        "generationConfig": {"topK": 3, "thinkingConfig": {"includeThoughts": true}},
    });
    let short = json!({
        "contents": "Hi",
        "system_instruction": "Be brief.",
        "generation_config": {"top_k": 3.0, "thinking_config": {"include_thoughts": true}},
    });
    let expected = decode(&long, &mut Notes::default())?;
    assert_eq!(decode(&short, &mut Notes::default())?, expected);
    for contents in [
        json!({"text": "Hi"}),
        json!(["Hi"]),
        json!({"parts": {"text": "Hi"}}),
        json!({"role": "user", "parts": "Hi"}),
    ] {
        let mut body = long.clone();
        body["contents"] = contents;
        assert_eq!(decode(&body, &mut Notes::default())?, expected, "{body}");
    }
    Ok(())
}

#[test]
fn modes_of_calling_are_read() -> Outcome {
    let names = |names: &[&str]| {
        names
            .iter()
            .map(|name| (*name).to_owned())
            .collect::<Vec<_>>()
    };
    for (config, choice) in [
        (json!({}), None),
        (json!({"mode": "auto"}), Some(ToolChoice::Auto)),
        (json!({"mode": "NONE"}), Some(ToolChoice::None)),
        (json!({"mode": "ANY"}), Some(ToolChoice::Required)),
        (
            json!({"mode": "ANY", "allowed_function_names": ["a"]}),
            Some(ToolChoice::Named("a".to_owned())),
        ),
        (
            json!({"mode": "ANY", "allowedFunctionNames": ["a", "b"]}),
            Some(ToolChoice::Allowed {
                names: names(&["a", "b"]),
                required: true,
            }),
        ),
        (json!({"mode": "VALIDATED"}), Some(ToolChoice::Auto)),
        (
            json!({"mode": "VALIDATED", "allowedFunctionNames": ["a"]}),
            Some(ToolChoice::Allowed {
                names: names(&["a"]),
                required: false,
            }),
        ),
    ] {
        let body = with("toolConfig", json!({"functionCallingConfig": config}));
        assert_eq!(
            decode(&body, &mut Notes::default())?.tool_choice,
            choice,
            "{body}"
        );
    }
    Ok(())
}

#[test]
fn results_find_their_calls() -> Outcome {
    let answer = |value: Value| json!({"functionResponse": value});
    let body = json!({"contents": [
        call(), call(),
        {"role": "function", "parts": [
            answer(json!({"name": "f", "response": {"output": {"n": 1}}})),
            answer(json!({"name": "f", "id": "unknown", "response": {"a": 1, "b": 2}, "parts": [{"inlineData": {"mimeType": "image/png", "data": "AA=="}}]})),
        ]},
    ]});
    let request = decode(&body, &mut Notes::default())?;
    let roles: Vec<Role> = request.turns.iter().map(|turn| turn.role).collect();
    assert_eq!(roles, [Role::Assistant, Role::User]);
    let [Part::ToolResult(first), Part::ToolResult(second)] = &*request.turns[1].parts else {
        return Err("the results are not there".into());
    };
    assert_eq!((&*first.call_id, &*second.call_id), ("call_0", "call_1"));
    assert_eq!(first.parts, [Part::text(r#"{"n":1}"#)]);
    assert_eq!(second.parts[0], Part::text(r#"{"a":1,"b":2}"#));
    assert!(matches!(second.parts[1], Part::Image(_)));
    Ok(())
}

#[test]
fn pieces_of_a_stream_that_a_client_kept_are_joined() -> Outcome {
    let model = |part: Value| json!({"role": "model", "parts": [part]});
    let body = json!({"contents": [
        "Hi",
        model(json!({"text": "Ad", "thought": true})), model(json!({"text": "ding", "thought": true})),
        model(json!({"text": "", "thought": true, "thoughtSignature": "c2ln"})),
        model(json!({"text": "4"})), model(json!({"text": "."})),
        model(json!({"text": "", "thoughtSignature": "c2lnMg=="})), model(json!({"text": ""})),
    ]});
    let request = decode(&body, &mut Notes::default())?;
    let signed = |data: &str| {
        let (origin, data) = (Dialect::Gemini, data.to_owned());
        Some(Signature { origin, data })
    };
    let thought = |text: &str, data: &str| {
        Part::Reasoning(Thought {
            text: text.to_owned(),
            signature: signed(data),
            redacted: false,
        })
    };
    let expected = [
        thought("Adding", "c2ln"),
        Part::text("4."),
        thought("", "c2lnMg=="),
    ];
    assert_eq!(request.turns[1].parts, expected);
    Ok(())
}
