//! Members of a request that are carried, dropped or rejected: one row for each member.

use serde_json::{Value, json};

use super::{Outcome, decode, fields};
use crate::Dialect;
use crate::ir::{Part, ReasoningPart, Role, Signature, ToolChoice, TranslationReport};

/// Returns a body with one more member.
fn with_member(name: &str, value: Value) -> Value {
    let mut body = json!({"contents": "Hi"});
    body[name] = value;
    body
}

fn call() -> Value {
    json!({"role": "model", "parts": [{"functionCall": {"name": "f", "args": {"a": 1}}}]})
}

#[test]
fn calls_are_the_models_and_results_the_users() -> Outcome {
    let mut body = json!({"contents": [
        {"role": "user", "parts": [{"text": "Hi"}]},
        call(),
        {"role": "user", "parts": [{"functionResponse": {"name": "f", "response": {"output": "o"}}}]},
    ]});
    let expected = decode(&body, &mut TranslationReport::default())?.turns;
    for index in [1, 2] {
        body["contents"][index]["role"] = Value::Null;
    }
    assert_eq!(
        decode(&body, &mut TranslationReport::default())?.turns,
        expected
    );
    body["contents"][2]["role"] = "model".into();
    assert_eq!(
        decode(&body, &mut TranslationReport::default())?.turns,
        expected
    );
    Ok(())
}

#[test]
fn warns_of_dropped_members() -> Outcome {
    let part = |part: Value| json!({"contents": [{"parts": [{"text": "a"}, part]}]});
    let config = |name: &str, value: Value| with_member("generationConfig", json!({name: value}));
    for (body, field) in [
        (with_member("safetySettings", json!([{}])), "safetySettings"),
        (with_member("labels", json!({"a": "b"})), "labels"),
        (with_member("serviceTier", json!("flex")), "serviceTier"),
        (
            with_member("tools", json!([{"google_search": {}}])),
            "tools[0].googleSearch",
        ),
        (
            with_member("tools", json!({"codeExecution": {}})),
            "tools[0].codeExecution",
        ),
        (
            with_member(
                "tools",
                json!([{"functionDeclarations": [{"name": "f", "response": {}}]}]),
            ),
            "tools.functionDeclarations.response",
        ),
        (
            with_member("toolConfig", json!({"retrievalConfig": {}})),
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
        let mut report = TranslationReport::default();
        decode(&body, &mut report)?;
        assert_eq!(fields(&report).first(), Some(&field), "{body}");
    }
    Ok(())
}

#[test]
fn rejects_untranslatable_members() {
    for (body, field) in rejected_bodies().into_iter().chain(rejected_parts()) {
        let refused = decode(&body, &mut TranslationReport::default()).unwrap_err();
        assert_eq!(refused.field, field, "{body}: {refused}");
    }
}

type RejectedCase = (Value, &'static str);

fn rejected_bodies() -> Vec<RejectedCase> {
    let config = |name: &str, value: Value| with_member("generationConfig", json!({name: value}));
    vec![
        (json!([]), ""),
        (json!({}), "contents"),
        (
            with_member("cachedContent", json!("cachedContents/x")),
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
            with_member(
                "toolConfig",
                json!({"functionCallingConfig": {"mode": "MAYBE"}}),
            ),
            "toolConfig.functionCallingConfig.mode",
        ),
        (
            with_member("tools", json!([{"functionDeclarations": [{}]}])),
            "tools[0].functionDeclarations[0].name",
        ),
    ]
}

fn rejected_parts() -> Vec<RejectedCase> {
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
            json!({"contents": [call(), {"parts": [{"functionResponse": {"name": "g"}}]}]}),
            "contents[1].parts[0].functionResponse.name",
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
fn accepts_short_forms() -> Outcome {
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
    let expected = decode(&long, &mut TranslationReport::default())?;
    assert_eq!(decode(&short, &mut TranslationReport::default())?, expected);
    for contents in [
        json!({"text": "Hi"}),
        json!(["Hi"]),
        json!({"parts": {"text": "Hi"}}),
        json!({"role": "user", "parts": "Hi"}),
    ] {
        let mut body = long.clone();
        body["contents"] = contents;
        assert_eq!(
            decode(&body, &mut TranslationReport::default())?,
            expected,
            "{body}"
        );
    }
    Ok(())
}

#[test]
fn decodes_function_calling_modes() -> Outcome {
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
        let body = with_member("toolConfig", json!({"functionCallingConfig": config}));
        assert_eq!(
            decode(&body, &mut TranslationReport::default())?.tool_choice,
            choice,
            "{body}"
        );
    }
    Ok(())
}

#[test]
fn matches_results_to_calls() -> Outcome {
    let function_response = |value: Value| json!({"functionResponse": value});
    let body = json!({"contents": [
        call(), call(),
        {"role": "function", "parts": [
            function_response(json!({"name": "f", "response": {"output": {"n": 1}}})),
            function_response(json!({"name": "f", "id": "unknown", "response": {"a": 1, "b": 2}, "parts": [{"inlineData": {"mimeType": "image/png", "data": "AA=="}}]})),
        ]},
    ]});
    let request = decode(&body, &mut TranslationReport::default())?;
    let roles: Vec<Role> = request.turns.iter().map(|turn| turn.role).collect();
    assert_eq!(roles, [Role::Assistant, Role::User]);
    let [Part::ToolResult(first), Part::ToolResult(second)] = &*request.turns[1].parts else {
        return Err("there are no results".into());
    };
    assert_eq!((&*first.call_id, &*second.call_id), ("call_0", "call_1"));
    assert_eq!(first.parts, [Part::text(r#"{"n":1}"#)]);
    assert_eq!(second.parts[0], Part::text(r#"{"a":1,"b":2}"#));
    assert!(matches!(second.parts[1], Part::Image(_)));
    Ok(())
}

/// As Gemini CLI 0.61.0 counts the tokens of pictures that tools return.
#[test]
fn adds_calls_before_results_that_are_alone() -> Outcome {
    let response = |id: &str| json!({"functionResponse": {"name": "f", "id": id, "response": {"output": "a"}}});
    let image = json!({"inlineData": {"mimeType": "image/png", "data": "AA=="}});
    let body = json!({"contents": [{"parts": [response("x"), image, response("y")]}]});
    let mut report = TranslationReport::default();
    let request = decode(&body, &mut report)?;
    assert_eq!(fields(&report), ["functionResponse"]);
    let ids = |parts: &[Part]| -> Vec<String> {
        let ids = parts.iter().filter_map(|part| match part {
            Part::ToolCall(call) => Some(call.id.clone()),
            Part::ToolResult(result) => Some(result.call_id.clone()),
            _ => None,
        });
        ids.collect()
    };
    assert_eq!(request.turns.len(), 2);
    assert_eq!(ids(&request.turns[0].parts), ["call_0", "call_1"]);
    assert_eq!(ids(&request.turns[1].parts), ["call_0", "call_1"]);
    assert_eq!(request.turns[1].parts.len(), 3);
    Ok(())
}

#[test]
fn joins_stored_stream_pieces() -> Outcome {
    let model = |part: Value| json!({"role": "model", "parts": [part]});
    let body = json!({"contents": [
        "Hi",
        model(json!({"text": "Ad", "thought": true})), model(json!({"text": "ding", "thought": true})),
        model(json!({"text": "", "thought": true, "thoughtSignature": "c2ln"})),
        model(json!({"text": "4"})), model(json!({"text": "."})),
        model(json!({"text": "", "thoughtSignature": "c2lnMg=="})), model(json!({"text": ""})),
    ]});
    let request = decode(&body, &mut TranslationReport::default())?;
    let signed = |data: &str| {
        let (origin, data) = (Dialect::Gemini, data.to_owned());
        Some(Signature { origin, data })
    };
    let reasoning = |text: &str, data: &str| {
        Part::Reasoning(ReasoningPart {
            text: text.to_owned(),
            signature: signed(data),
            redacted: false,
        })
    };
    let expected = [
        reasoning("Adding", "c2ln"),
        Part::text("4."),
        reasoning("", "c2lnMg=="),
    ];
    assert_eq!(request.turns[1].parts, expected);
    Ok(())
}
