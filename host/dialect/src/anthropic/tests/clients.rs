//! Requests of real clients: Claude Code's, and a request for a token count.

use crate::traits::Traits;
use serde_json::{Value, json};

use super::{fields, read};
use crate::Dialect;
use crate::ir::{Part, Role, ToolKind, TranslationReport};

/// Returns a request in the form that Claude Code sends.
fn claude_code_request() -> Value {
    let cached = json!({"type": "ephemeral", "ttl": "1h"});
    json!({
        "model": "claude-sonnet-4-5",
        "max_tokens": 32000,
        "stream": true,
        "system": [
            {"type": "text", "text": "You are a coding tool.", "cache_control": cached},
            {"type": "text", "text": "The folder is /a.", "cache_control": cached},
        ],
        "messages": [
            {"role": "user", "content": [
                {"type": "text", "text": "<system-reminder>a</system-reminder>"},
                {"type": "text", "text": "List the files.", "cache_control": cached},
            ]},
            {"role": "assistant", "content": [
                {"type": "thinking", "thinking": "I run ls.", "signature": "EqQB"},
                {"type": "text", "text": ""},
                {"type": "tool_use", "id": "toolu_1", "name": "Bash", "input": {"command": "ls"}, "caller": {"type": "direct"}},
            ]},
            {"role": "user", "content": [
                {"type": "text", "text": "<system-reminder>b</system-reminder>"},
                {"type": "tool_result", "tool_use_id": "toolu_1", "content": [{"type": "text", "text": "a.rs"}], "is_error": false, "cache_control": cached},
            ]},
        ],
        "tools": [{
            "name": "Bash",
            "description": "Runs a command.",
            "input_schema": {"type": "object", "properties": {"command": {"type": "string"}}, "required": ["command"], "additionalProperties": false},
            "eager_input_streaming": true,
        }],
        "thinking": {"type": "enabled", "budget_tokens": 31999},
        "metadata": {"user_id": "{\"device_id\":\"a\"}"},
        "context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
        "temperature": 1,
    })
}

/// As Claude Code 2.1.332 searches for tools: the client's own tool answers with references to deferred tools.
#[test]
fn carries_the_tools_that_a_search_found() {
    let schema = json!({"type": "object", "properties": {}});
    let tool = |name: &str, deferred: bool| json!({"name": name, "input_schema": schema, "defer_loading": deferred});
    let reference = |name: &str| json!({"type": "tool_reference", "tool_name": name});
    let (request, warnings) = read(&json!({
        "model": "claude-opus-4-8",
        "max_tokens": 9,
        "messages": [
            {"role": "user", "content": "a"},
            {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "ToolSearch", "input": {}}]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "t", "content": [reference("A"), reference("B")]},
                {"type": "text", "text": "Tool loaded."},
            ]},
        ],
        "tools": [tool("ToolSearch", false), tool("A", true), tool("DeferredToolPlaceholder", true)],
    }));
    let request = request.unwrap();
    assert_eq!(fields(&warnings), [""; 0]);
    let names: Vec<&str> = request.tools.iter().map(|tool| &*tool.name).collect();
    assert_eq!(names, ["ToolSearch", "A"]);
    let Part::ToolResult(result) = &request.turns[2].parts[0] else {
        panic!("no result: {:?}", request.turns[2]);
    };
    let found =
        ["A", "B"].map(|name| Part::text(format!("Found the tool {name}. It can be called now.")));
    assert_eq!(result.parts, found);
}

#[test]
fn decodes_claude_code_request() {
    let (request, warnings) = read(&claude_code_request());
    let request = request.unwrap();
    assert_eq!(fields(&warnings), ["cache_control", "context_management"]);
    assert!(request.stream && request.include_usage);
    assert_eq!(request.system.len(), 2);
    let roles: Vec<Role> = request.turns.iter().map(|turn| turn.role).collect();
    assert_eq!(roles, [Role::User, Role::Assistant, Role::User]);
    assert_eq!(
        request.turns[1].parts.len(),
        2,
        "the decoder must drop the empty text"
    );
    let [Part::ToolResult(result), Part::Text { .. }] = request.turns[2].parts.as_slice() else {
        panic!("results come first: {:?}", request.turns[2]);
    };
    assert_eq!(result.name.as_deref(), Some("Bash"));
    assert!(matches!(request.tools[0].kind, ToolKind::Function(Some(_))));
    assert_eq!(request.user.as_deref(), Some("{\"device_id\":\"a\"}"));
}

#[test]
fn count_request_omits_max_tokens() {
    let mut body = claude_code_request();
    for name in ["max_tokens", "stream", "metadata", "temperature"] {
        body.as_object_mut().unwrap().remove(name);
    }
    let request = read(&body).0.unwrap();
    assert_eq!(request.sampling.tokens_max, None);
    let mut report = TranslationReport::default();
    let format = Dialect::AnthropicMessages.codec().token_count().unwrap();
    let request = read(&claude_code_request()).0.unwrap();
    let written = format
        .encode_request(&request, &Traits::everything(), &mut report)
        .unwrap();
    let written: Value = serde_json::from_slice(&written).unwrap();
    let mut names: Vec<&str> = written
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    names.sort_unstable();
    assert_eq!(names, ["messages", "model", "system", "thinking", "tools"]);
    assert_eq!(report.warnings(), []);
}

#[test]
fn token_count_round_trips() {
    let codec = Dialect::AnthropicMessages.codec();
    let format = codec.token_count().unwrap();
    assert_eq!(codec.encode_token_count(42), br#"{"input_tokens":42}"#);
    let most = codec.encode_token_count(u64::MAX);
    assert_eq!(format.decode_response(&most), Some(u64::MAX));
    for odd in [
        "",
        "{}",
        "[]",
        "{\"input_tokens\":\"1\"}",
        "{\"input_tokens\":-1}",
    ] {
        assert_eq!(format.decode_response(odd.as_bytes()), None, "{odd}");
    }
}
