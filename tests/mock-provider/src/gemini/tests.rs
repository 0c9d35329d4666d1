//! Tests which Gemini requests are rejected, by the field in the error, and how responses are rendered.

use serde_json::{Value, json};

use super::DIALECT;
use super::parse::{count_tokens, parse_batch_embed_request, parse_embed_request, parse_request};
use super::render::{array_items, events, response_body};
use crate::request::{ModelRequest, RequestError, Turn};
use crate::response::ModelResponse;
use crate::signature::sign;

fn content(role: &str, parts: &Value) -> Value {
    json!({ "role": role, "parts": parts })
}

fn body(more: &Value) -> Value {
    let mut body = json!({ "contents": [content("user", &json!([{ "text": "hello" }]))] });
    for (name, value) in more.as_object().unwrap() {
        body[name] = value.clone();
    }
    body
}

fn request(more: &Value) -> Result<ModelRequest, RequestError> {
    parse_request(body(more), "gemini-2.5-mock", false)
}

fn field(more: &Value) -> String {
    match request(more) {
        Err(error) => error.field,
        Ok(_) => panic!("this passed: {more}"),
    }
}

fn declared(function: &Value) -> Value {
    json!({ "tools": [{ "functionDeclarations": [function] }] })
}

#[test]
fn errors_name_the_invalid_field() {
    let text = json!([{ "text": "a" }]);
    for (more, expected) in [
        (json!({ "x": 1 }), "x"),
        (json!({ "stream": true }), "stream"),
        (json!({ "contents": [] }), "contents"),
        (
            json!({ "contents": [content("assistant", &text)] }),
            "contents[0].role",
        ),
        (
            json!({ "contents": [content("user", &json!([]))] }),
            "contents[0].parts",
        ),
        (
            json!({ "contents": [content("user", &json!([{}]))] }),
            "contents[0].parts[0].data",
        ),
        (
            json!({ "contents": [content("user", &json!([{ "text": "a", "inlineData": { "mimeType": "a/b", "data": "YQ==" } }]))] }),
            "contents[0].parts[0].data",
        ),
        (
            json!({ "generationConfig": { "temperature": 2.1 } }),
            "generationConfig.temperature",
        ),
        (
            json!({ "generation_config": { "max_tokens": 1 } }),
            "generationConfig.maxTokens",
        ),
        (
            json!({ "generationConfig": { "responseSchema": { "type": "OBJECT" } } }),
            "generation_config.response_mime_type",
        ),
        (
            json!({ "generationConfig": { "thinkingConfig": { "thinkingBudget": 1, "thinkingLevel": "LOW" } } }),
            "generation_config.thinking_config.thinking_level",
        ),
        (
            json!({ "toolConfig": { "functionCallingConfig": { "mode": "ANY" } } }),
            "tool_config.function_calling_config.mode",
        ),
        (json!({ "tools": [{}] }), "tools[0]"),
    ] {
        assert_eq!(field(&more), expected, "{more}");
    }
}

#[test]
fn rejects_schema_keywords_gemini_does_not_support() {
    let parameters = |schema: Value| declared(&json!({ "name": "f", "parameters": schema }));
    let at = |rest: &str| format!("tools[0].functionDeclarations[0].parameters{rest}");
    let known = json!({ "type": "OBJECT", "properties": { "a": { "type": "string", "nullable": true } }, "required": ["a"] });
    assert!(request(&parameters(known)).is_ok());
    let open = json!({ "type": "OBJECT", "additionalProperties": false });
    assert_eq!(field(&parameters(open)), at(".additionalProperties"));
    let nested = json!({ "type": "OBJECT", "properties": { "a": { "const": 1 } } });
    assert_eq!(field(&parameters(nested)), at(".properties.a.const"));
    let at_proto = |rest: &str| format!("tools[0].function_declarations[0].parameters{rest}");
    let unknown = json!({ "type": "OBJECT", "required": ["a"] });
    assert_eq!(field(&parameters(unknown)), at_proto(".required"));
    let list = json!({ "type": "OBJECT", "properties": { "a": { "type": "ARRAY" } } });
    assert_eq!(field(&parameters(list)), at_proto(".properties[a].items"));
    // A JSON Schema may have any keyword.
    let own = json!({ "name": "f", "parametersJsonSchema": { "type": "object", "additionalProperties": false } });
    assert!(request(&declared(&own)).is_ok());
}

#[test]
fn function_responses_must_match_the_calls() {
    let prompt = content("user", &json!([{ "text": "a" }]));
    let call = |name: &str| json!({ "functionCall": { "name": name, "args": {} } });
    let response = |name: &str| json!({ "functionResponse": { "name": name, "response": { "result": "done" } } });
    let calls = content("model", &json!([call("f"), call("g")]));
    let conversation = |contents: Value| json!({ "contents": contents });
    let whole = conversation(json!([
        prompt,
        calls,
        content("user", &json!([response("g"), response("f")]))
    ]));
    let results = vec!["done".to_owned(), "done".to_owned()];
    assert_eq!(request(&whole).unwrap().turn, Turn::Results(results));
    for (contents, expected) in [
        (
            json!([prompt, calls, content("user", &json!([response("f")]))]),
            "contents[2]",
        ),
        (
            json!([
                prompt,
                calls,
                content("user", &json!([response("f"), response("h")]))
            ]),
            "contents[2].parts[1].function_response.name",
        ),
        (json!([prompt, calls]), "contents[1]"),
        (
            json!([prompt, content("model", &json!([response("f")]))]),
            "contents[1]",
        ),
        (json!([calls]), "contents[0]"),
        (
            json!([content("user", &json!([call("f")]))]),
            "contents[0].parts[0]",
        ),
        (
            json!([
                prompt,
                calls,
                content(
                    "user",
                    &json!([{ "functionResponse": { "name": "f", "response": "done" } }])
                )
            ]),
            "contents[2].parts[0].functionResponse.response",
        ),
    ] {
        assert_eq!(
            field(&conversation(contents.clone())),
            expected,
            "{contents}"
        );
    }
}

#[test]
fn signatures_are_verified_and_required_by_some_models() {
    let call = |signature: Option<&str>| {
        let mut call = json!({ "functionCall": { "name": "f", "args": {} } });
        if let Some(signature) = signature {
            call["thoughtSignature"] = json!(signature);
        }
        let response = json!({ "functionResponse": { "name": "f", "response": {} } });
        body(
            &json!({ "contents": [content("user", &json!([{ "text": "a" }])),
            content("model", &json!([call])), content("user", &json!([response]))] }),
        )
    };
    let field = |body: Value, model: &str| {
        parse_request(body, model, false)
            .err()
            .map(|error| error.field)
    };
    let ours = sign(DIALECT, "thought");
    let for_urls = ours.replace('+', "-").replace('/', "_");
    for signature in [ours.as_str(), &for_urls, "skip_thought_signature_validator"] {
        assert_eq!(field(call(Some(signature)), "gemini-3-mock"), None);
    }
    let at = |it: &str| Some(format!("contents[1].parts[0].{it}"));
    let theirs = sign("anthropic", "thought");
    assert_eq!(
        field(call(Some(&theirs)), "gemini-2.5-mock"),
        at("thought_signature")
    );
    assert_eq!(field(call(None), "gemini-3-mock"), at("thought_signature"));
    assert_eq!(field(call(None), "gemini-2.5-mock"), None);
}

#[test]
fn validates_count_and_embed_requests() {
    assert_eq!(count_tokens(body(&json!({}))), Ok(3));
    let whole = json!({ "generateContentRequest": { "model": "models/m",
        "contents": [content("user", &json!([{ "text": "a b" }]))],
        "systemInstruction": { "parts": [{ "text": "c" }] } } });
    assert_eq!(count_tokens(whole), Ok(5));
    assert_eq!(count_tokens(json!({})).unwrap_err().field, "contents");
    assert_eq!(parse_embed_request(json!({})).unwrap_err().field, "content");
    let request =
        |model: &str| json!({ "model": model, "content": { "parts": [{ "text": "a" }] } });
    let requests = |model: &str| json!({ "requests": [request(model)] });
    assert_eq!(
        parse_batch_embed_request(requests("models/m"), "m"),
        Ok(vec![("a".to_owned(), None)])
    );
    assert_eq!(
        parse_batch_embed_request(requests("models/n"), "m")
            .unwrap_err()
            .field,
        "requests[0].model"
    );
}

#[test]
fn sse_and_array_streams_have_the_same_chunks() {
    let request =
        request(&json!({ "generationConfig": { "thinkingConfig": { "includeThoughts": true } } }))
            .unwrap();
    let response = ModelResponse::generate(&request, "key");
    let text = |pieces: Vec<axum::body::Bytes>| {
        let pieces = pieces
            .iter()
            .map(|piece| String::from_utf8(piece.to_vec()).unwrap());
        pieces.collect::<String>()
    };
    let listed: Vec<Value> = serde_json::from_str(&text(array_items(&request, &response))).unwrap();
    let events = text(events(&request, &response));
    let events: Vec<Value> = events
        .split("\n\n")
        .filter_map(|event| serde_json::from_str(event.strip_prefix("data: ")?).ok())
        .collect();
    assert_eq!(listed, events);
    let last = listed.last().unwrap();
    assert_eq!(last["candidates"][0]["finishReason"], "STOP");
    assert_eq!(last["usageMetadata"]["thoughtsTokenCount"], 3);
    assert_eq!(
        response_body(&request, &response)["candidates"][0]["content"]["parts"][0]["thought"],
        true
    );
}
