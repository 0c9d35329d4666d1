//! Members of a client's request that are dropped or rejected, and the names in the warnings and errors.

use serde_json::{Value, json};

use super::{fields, read};

fn body(members: &Value) -> Value {
    let mut body = json!({
        "model": "claude-sonnet-4-5",
        "max_tokens": 9,
        "messages": [{"role": "user", "content": "Hi"}],
    });
    for (name, value) in members.as_object().unwrap() {
        body[name] = value.clone();
    }
    body
}

fn user_body(block: &Value) -> Value {
    body(
        &json!({"messages": [{"role": "user", "content": [{"type": "text", "text": "a"}, block]}]}),
    )
}

fn assistant_body(block: &Value) -> Value {
    let turns = json!([
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": [{"type": "text", "text": "a"}, block]},
    ]);
    body(&json!({"messages": turns}))
}

#[test]
fn drops_anthropic_only_members_by_name() {
    let cached = json!({"type": "ephemeral"});
    let tool =
        json!({"name": "a", "input_schema": {}, "defer_loading": true, "cache_control": cached});
    let document = json!({
        "type": "document",
        "source": {"type": "text", "media_type": "text/plain", "data": "a"},
        "context": "b",
        "citations": {"enabled": true},
    });
    let server_result =
        json!({"type": "web_search_tool_result", "tool_use_id": "a", "content": []});
    let server_call =
        json!({"type": "server_tool_use", "id": "a", "name": "web_search", "input": {}});
    let cases = [
        (
            body(&json!({"cache_control": cached})),
            vec!["cache_control"],
        ),
        (
            body(
                &json!({"system": [{"type": "text", "text": "a", "cache_control": cached}], "tools": [tool]}),
            ),
            vec!["cache_control"],
        ),
        (
            body(&json!({"tools": [{"type": "web_search_20250305", "name": "web_search"}]})),
            vec!["tools[0]"],
        ),
        (
            body(&json!({"mcp_servers": [], "speed": "fast", "inference_geo": "global"})),
            vec!["mcp_servers", "speed"],
        ),
        (
            body(&json!({"context_management": {"edits": []}, "container": "c"})),
            vec!["context_management", "container"],
        ),
        (
            body(&json!({"metadata": {"user_id": "u", "x": 1}})),
            vec!["metadata.x"],
        ),
        (
            body(&json!({"output_config": {"task_budget": {}}})),
            vec!["output_config.task_budget"],
        ),
        (
            body(&json!({"thinking": {"type": "disabled"}, "output_config": {"effort": "high"}})),
            vec!["output_config.effort"],
        ),
        (
            body(&json!({"thinking": {"type": "between_tools"}})),
            vec!["thinking.type"],
        ),
        (
            user_body(&document),
            vec!["context", "messages[0].content[1].citations"],
        ),
        (assistant_body(&server_call), vec!["server_tool_use"]),
        (
            assistant_body(&server_result),
            vec!["web_search_tool_result"],
        ),
    ];
    for (body, expected) in cases {
        let (request, warnings) = read(&body);
        assert!(request.is_ok(), "{body}: {request:?}");
        assert_eq!(fields(&warnings), expected, "{body}");
    }
}

#[test]
fn rejects_untranslatable_members_by_name() {
    check_rejected([
        (body(&json!({"thread": {"id": "a"}})), "thread"),
        (body(&json!({"inference_geo": "us"})), "inference_geo"),
        (body(&json!({"max_tokens": 0})), "max_tokens"),
        (body(&json!({"max_tokens": "9"})), "max_tokens"),
        (body(&json!({"messages": []})), "messages"),
        (
            body(&json!({"messages": [{"role": "tool", "content": "a"}]})),
            "messages[0].role",
        ),
        (body(&json!({"service_tier": "flex"})), "service_tier"),
        (body(&json!({"stop_sequences": [1]})), "stop_sequences"),
        (
            body(&json!({"system": [{"type": "image"}]})),
            "system[0].type",
        ),
        (
            body(&json!({"thinking": {"type": "enabled"}})),
            "thinking.budget_tokens",
        ),
        (body(&json!({"thinking": {"type": "on"}})), "thinking.type"),
        (
            body(&json!({"output_config": {"effort": "hard"}})),
            "output_config.effort",
        ),
        (
            body(&json!({"output_format": {"type": "json"}})),
            "output_format.type",
        ),
        (
            body(&json!({"tools": [{"name": "a"}]})),
            "tools[0].input_schema",
        ),
        (
            body(&json!({"tool_choice": {"type": "tool", "name": "a"}})),
            "tool_choice.name",
        ),
    ]);
}

#[test]
fn rejects_misplaced_blocks_by_path() {
    let file = json!({"type": "file", "file_id": "file_1"});
    check_rejected([
        (
            user_body(&json!({"type": "image", "source": file})),
            "messages[0].content[1].source.type",
        ),
        (
            user_body(&json!({"type": "document", "source": file})),
            "messages[0].content[1].source.type",
        ),
        (
            user_body(&json!({"type": "container_upload", "file_id": "a"})),
            "messages[0].content[1].type",
        ),
        (
            user_body(&json!({"type": "tool_use", "id": "a", "name": "a", "input": {}})),
            "messages[0].content[1].type",
        ),
        (
            assistant_body(&json!({"type": "image", "source": file})),
            "messages[1].content[1].type",
        ),
        (
            assistant_body(&json!({"type": "tool_use", "id": "a", "name": "a", "input": 1})),
            "messages[1].content[1].input",
        ),
    ]);
}

fn check_rejected(cases: impl IntoIterator<Item = (Value, &'static str)>) {
    for (body, expected) in cases {
        let (request, _) = read(&body);
        assert_eq!(
            request.map_err(|it| it.field),
            Err(expected.to_owned()),
            "{body}"
        );
    }
}
