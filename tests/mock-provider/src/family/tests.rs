use std::collections::BTreeSet;
use std::error::Error;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::{FILES, Family};

type Outcome = Result<(), Box<dyn Error>>;

/// A family by its name.
fn family(name: &str) -> Result<&'static Family, String> {
    Family::all()
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
            let family: Family = serde_json::from_str(&fs::read_to_string(&path)?)
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
            let known = |name: &String| Family::all().contains_key(name);
            assert!(family.extends.as_ref().is_none_or(known));
        }
    }
    assert_eq!(names.len(), FILES.len(), "FILES lists every file");
    assert!(names.iter().eq(Family::all().keys()));
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

#[test]
fn rules_refuse_what_they_name() -> Outcome {
    let user = json!({"role": "user", "content": "x"});
    let call = |id: &str| json!({"role": "assistant", "content": "", "tool_calls": [{"id": id, "type": "function", "function": {"name": "f", "arguments": "{}"}}]});
    let result = |id: &str| json!({"role": "tool", "tool_call_id": id, "content": "r"});
    let chat = |model: &str, messages: Value| json!({"model": model, "messages": messages});
    let tool = |parameters: Value| json!({"model": "m", "messages": [user], "tools": [{"type": "function", "function": {"name": "f", "parameters": parameters}}]});
    let cases = [
        ("deepseek", chat("deepseek-v4-pro", json!([user])), ""),
        (
            "deepseek",
            chat(
                "deepseek-v4-pro",
                json!([{"role": "user", "content": [{"type": "text", "text": "x"}]}]),
            ),
            "content-list",
        ),
        (
            "deepseek",
            chat("deepseek-v4-pro", json!([user, call("a"), result("a")])),
            "reasoning-not-returned",
        ),
        (
            "deepseek",
            chat("deepseek-v3", json!([user, call("a"), result("a")])),
            "",
        ),
        (
            "deepseek",
            chat("deepseek-v3", json!([user, call("a"), user])),
            "call-without-result",
        ),
        (
            "mistral",
            chat("m", json!([user, call("abcdefgh1"), result("abcdefgh1")])),
            "",
        ),
        (
            "mistral",
            chat("m", json!([user, call("call_1"), result("call_1")])),
            "call-id",
        ),
        (
            "mistral",
            chat(
                "m",
                json!([user, call("abcdefgh1"), result("abcdefgh1"), user]),
            ),
            "user-after-tool",
        ),
        (
            "mistral",
            chat("m", json!([user, {"role": "assistant", "content": "x"}])),
            "last-role",
        ),
        (
            "kimi",
            chat(
                "kimi-k3",
                json!([user, {"role": "assistant", "content": " "}, user]),
            ),
            "empty-assistant",
        ),
        (
            "kimi",
            tool(json!({"type": "object", "properties": {"a": {"type": "string", "anyOf": []}}})),
            "schema-any-of-with-type",
        ),
        (
            "kimi",
            tool(json!({"type": "object", "properties": {"a": {"description": "d"}}})),
            "schema-property-without-type",
        ),
        (
            "kimi",
            tool(json!({"type": "object", "properties": {"type": {"type": "string"}}})),
            "",
        ),
        (
            "groq",
            chat(
                "m",
                json!([user, {"role": "assistant", "content": "x", "reasoning_content": "r"}, user]),
            ),
            "unknown-member-of-message",
        ),
        (
            "qwen-vllm",
            chat("m", json!([user, {"role": "system", "content": "s"}])),
            "system-amid",
        ),
        (
            "openai-chat",
            chat("gpt-5.5", json!([user, call("a"), result("b")])),
            "call-without-result",
        ),
        (
            "openai-chat",
            tool(json!({"type": "object"})),
            "schema-without-properties",
        ),
        (
            "openai-chat",
            tool(json!({"type": "object", "properties": {"a": {"type": "array"}}})),
            "array-schema-without-items",
        ),
    ];
    for (name, body, rule) in cases {
        assert_eq!(refusing(name, &body)?, rule, "{name}: {body}");
    }
    Ok(())
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
