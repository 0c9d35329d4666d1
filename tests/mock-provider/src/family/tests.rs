//! Tests the families: their files, the sentences of refusals, and what the rules refuse.

use std::collections::BTreeSet;
use std::error::Error;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::{FILES, ServerFamily};

type Outcome = Result<(), Box<dyn Error>>;

/// A family by its name.
fn family(name: &str) -> Result<&'static ServerFamily, String> {
    ServerFamily::all()
        .get(name)
        .ok_or_else(|| format!("no family {name}"))
}

/// The name of the rule that refuses a request; empty if none does.
fn refusing(name: &str, body: &Value) -> Result<String, String> {
    let model = body["model"].as_str();
    let result = family(name)?.check(body, model);
    Ok(result.err().map(|refusal| refusal.rule).unwrap_or_default())
}

#[test]
fn every_file_is_a_family_with_sources() -> Outcome {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("families");
    let mut names = BTreeSet::new();
    for entry in fs::read_dir(&folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|it| it == "json") {
            let family: ServerFamily = serde_json::from_str(&fs::read_to_string(&path)?)
                .map_err(|error| format!("{}: {error}", path.display()))?;
            assert!(path.ends_with(format!("{}.json", family.family)));
            names.insert(family.family.clone());
            let mut rules = BTreeSet::new();
            for rule in &family.rules {
                assert!(
                    rules.insert(&rule.name),
                    "{}: {} twice",
                    family.family,
                    rule.name
                );
                let has_source = rule
                    .sources
                    .iter()
                    .any(|it| it.contains('#') || it.contains("://"));
                assert!(has_source, "{}: {} has no source", family.family, rule.name);
            }
            let known = |name: &String| ServerFamily::all().contains_key(name);
            assert!(family.extends.as_ref().is_none_or(known));
        }
    }
    assert_eq!(names.len(), FILES.len(), "FILES lists every file");
    assert!(names.iter().eq(ServerFamily::all().keys()));
    Ok(())
}

#[test]
fn refusals_have_the_sentence_of_the_server() -> Outcome {
    let body = json!({"model": "mistral-large-latest", "max_completion_tokens": 9, "messages": [{"role": "user", "content": "x"}]});
    let refusal = family("mistral")?
        .check(&body, None)
        .err()
        .ok_or("not refused")?;
    assert_eq!(
        (refusal.status, refusal.rule.as_str()),
        (422, "unknown-member")
    );
    assert_eq!(
        refusal.body["detail"][0]["loc"],
        json!(["body", "max_completion_tokens"])
    );
    let body = json!({"model": "gpt-5.5", "user": "u".repeat(191), "messages": []});
    let refusal = family("azure")?
        .check(&body, None)
        .err()
        .ok_or("not refused")?;
    let message = "Invalid 'user': string too long. Expected a string with maximum length 64, but got a string with length 191 instead.";
    let error = json!({"message": message, "type": "invalid_request_error", "param": "user", "code": "string_above_max_length"});
    assert_eq!(refusal.body, json!({ "error": error }));
    Ok(())
}

fn user() -> Value {
    json!({"role": "user", "content": "x"})
}

fn call(id: &str) -> Value {
    let function = json!({"name": "f", "arguments": "{}"});
    json!({"role": "assistant", "content": "", "tool_calls": [{"id": id, "type": "function", "function": function}]})
}

fn result(id: &str) -> Value {
    json!({"role": "tool", "tool_call_id": id, "content": "r"})
}

/// Checks what refuses some messages.
fn check_messages(name: &str, model: &str, messages: &Value, rule: &str) -> Outcome {
    let body = json!({"model": model, "messages": messages});
    assert_eq!(refusing(name, &body)?, rule, "{name}: {body}");
    Ok(())
}

/// Checks what refuses a tool with some parameters.
fn check_parameters(name: &str, parameters: &Value, rule: &str) -> Outcome {
    let function = json!({"name": "f", "parameters": parameters});
    let tools = json!([{"type": "function", "function": function}]);
    let body = json!({"model": "m", "messages": [user()], "tools": tools});
    assert_eq!(refusing(name, &body)?, rule, "{name}: {body}");
    Ok(())
}

#[test]
fn rules_refuse_messages() -> Outcome {
    let (user, ds, id) = (user(), "deepseek-v4-pro", "abcdefgh1");
    let list = json!([{"role": "user", "content": [{"type": "text", "text": "x"}]}]);
    check_messages("deepseek", ds, &json!([user]), "")?;
    check_messages("deepseek", ds, &list, "content-list")?;
    let called = json!([user, call("a"), result("a")]);
    check_messages("deepseek", ds, &called, "reasoning-not-returned")?;
    check_messages("deepseek", "deepseek-v3", &called, "")?;
    let open = json!([user, call("a"), user]);
    check_messages("deepseek", "deepseek-v3", &open, "call-without-result")?;
    check_messages("mistral", "m", &json!([user, call(id), result(id)]), "")?;
    let other_id = json!([user, call("call_1"), result("call_1")]);
    check_messages("mistral", "m", &other_id, "call-id")?;
    let user_last = json!([user, call(id), result(id), user]);
    check_messages("mistral", "m", &user_last, "user-after-tool")?;
    let prefill = json!([user, {"role": "assistant", "content": "x"}]);
    check_messages("mistral", "m", &prefill, "last-role")?;
    let empty = json!([user, {"role": "assistant", "content": " "}, user]);
    check_messages("kimi", "kimi-k3", &empty, "empty-assistant")?;
    let reasoning =
        json!([user, {"role": "assistant", "content": "x", "reasoning_content": "r"}, user]);
    check_messages("groq", "m", &reasoning, "unknown-member-of-message")?;
    let amid = json!([user, {"role": "system", "content": "s"}]);
    check_messages("qwen-vllm", "m", &amid, "system-amid")?;
    let other_result = json!([user, call("a"), result("b")]);
    check_messages(
        "openai-chat",
        "gpt-5.5",
        &other_result,
        "call-without-result",
    )
}

#[test]
fn rules_refuse_schemas() -> Outcome {
    let object =
        |name: &str, schema: Value| json!({"type": "object", "properties": {name: schema}});
    let any_of = object("a", json!({"type": "string", "anyOf": []}));
    check_parameters("kimi", &any_of, "schema-any-of-with-type")?;
    let untyped = object("a", json!({"description": "d"}));
    check_parameters("kimi", &untyped, "schema-property-without-type")?;
    check_parameters("kimi", &object("type", json!({"type": "string"})), "")?;
    let bare = json!({"type": "object"});
    check_parameters("openai-chat", &bare, "schema-without-properties")?;
    let array = object("a", json!({"type": "array"}));
    check_parameters("openai-chat", &array, "array-schema-without-items")
}

#[test]
fn rules_of_claude_go_by_version() -> Outcome {
    let body = |model: &str, content: Value| json!({"model": model, "max_tokens": 9, "messages": [{"role": "user", "content": "x"}, {"role": "assistant", "content": content}]});
    let thinking =
        |signature: &str| json!([{"type": "thinking", "thinking": "t", "signature": signature}]);
    let cases = [
        (body("claude-sonnet-4-5", json!("Sure")), ""),
        (body("claude-opus-4-8", json!("Sure")), "prefill"),
        (
            body("claude-sonnet-4-5", json!("Sure ")),
            "last-assistant-blank",
        ),
        (body("claude-sonnet-4-5", thinking("EqQBCkYIBRgC")), ""),
        (body("claude-sonnet-4-5", thinking("")), "signature"),
        (
            body("claude-sonnet-4-5", thinking("amFja2ZpZWxkOjE6Zw==")),
            "signature",
        ),
    ];
    for (body, rule) in cases {
        assert_eq!(refusing("claude", &body)?, rule, "{body}");
    }
    Ok(())
}

#[test]
fn rules_of_gemini_go_by_version() -> Outcome {
    let call = json!({"role": "model", "parts": [{"functionCall": {"name": "f", "args": {}}}]});
    let result = json!({"role": "user", "parts": [{"functionResponse": {"name": "f", "response": {}, "parts": []}}]});
    let user = json!({"role": "user", "parts": [{"text": "x"}]});
    let in_order = json!({"contents": [user, call, result]});
    let rule = |body: &Value, model: &str| {
        let refusal = family("gemini")?.check(body, Some(model)).err();
        Ok::<_, String>(refusal.map(|it| it.rule).unwrap_or_default())
    };
    assert_eq!(rule(&in_order, "gemini-2.5-flash")?, "response-parts");
    assert_eq!(
        rule(&in_order, "gemini-3-pro-preview")?,
        "first-call-without-signature"
    );
    assert_eq!(
        rule(&json!({"contents": [call, result]}), "gemini-2.5-flash")?,
        "call-order"
    );
    Ok(())
}
