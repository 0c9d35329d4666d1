//! Codex's search for tools, and items that only its own provider knows.

use super::*;
use crate::Dialect;
use crate::ir::{ClientTool, Role, ToolCall, ToolKind};

/// The request after a search that found a tool of an MCP server.
fn after_search() -> Value {
    json!({
        "model": "m",
        "tools": [
            {"type": "function", "name": "shell", "parameters": {"type": "object", "properties": {}}},
            {"type": "tool_search", "execution": "client", "description": "Search.", "parameters": {
                "type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]}},
        ],
        "input": [
            {"role": "user", "content": "What is on today?"},
            {"type": "tool_search_call", "call_id": "s1", "status": "completed", "execution": "client",
             "arguments": {"query": "calendar", "limit": 5}},
            {"type": "tool_search_output", "call_id": "s1", "status": "completed", "execution": "client", "tools": [
                {"type": "namespace", "name": "mcp__calendar", "description": "Dates", "tools": [
                    {"type": "function", "name": "list", "description": "Lists.", "strict": false,
                     "defer_loading": true, "parameters": {"type": "object", "properties": {}}}]}]},
        ],
    })
}

/// The report: envoyproxy/ai-gateway#2317, BigPizzaV3/CodexPlusPlus#2263.
#[test]
fn search_for_tools_is_a_function_whose_finds_are_offered() -> Outcome {
    let (request, warned) = decode_value(&after_search())?;
    assert_eq!(warned, Vec::<String>::new());
    let names: Vec<&str> = request
        .tools
        .iter()
        .map(|tool| tool.name.as_str())
        .collect();
    assert_eq!(names, ["shell", "tool_search", "mcp__calendar__list"]);
    assert!(matches!(
        &request.tools[1].kind,
        ToolKind::Function(Some(_))
    ));
    let call = match &request.turns[1].parts[..] {
        [Part::ToolCall(call)] => call,
        other => return Err(format!("{other:?}").into()),
    };
    assert_eq!(
        (call.name.as_str(), call.id.as_str()),
        ("tool_search", "s1")
    );
    assert_eq!(call.arguments, r#"{"query":"calendar","limit":5}"#);
    let result = match &request.turns[2].parts[..] {
        [Part::ToolResult(result)] => result,
        other => return Err(format!("{other:?}").into()),
    };
    assert_eq!(result.call_id, "s1");
    let text = "Found tools, which can be called now: mcp__calendar__list";
    assert_eq!(result.parts, [Part::text(text)]);
    Ok(())
}

fn call(name: &str, arguments: &str) -> Part {
    Part::ToolCall(ToolCall {
        id: "c".to_owned(),
        name: name.to_owned(),
        arguments: arguments.to_owned(),
        signature: None,
    })
}

/// Whole and streamed: the client gets the items that it would get from its own provider.
#[test]
fn calls_have_the_form_of_the_client() -> Outcome {
    let (request, _) = decode_value(&after_search())?;
    let context = ResponseContext::new(&request, "1", 7);
    let response = Response {
        parts: vec![
            call("tool_search", r#"{"query":"mail"}"#),
            call("mcp__calendar__list", "{}"),
            call("tool_search", "not JSON"),
        ],
        ..Response::default()
    };
    let expected = json!([
        {"id": "tsc_1_0", "type": "tool_search_call", "status": "completed", "call_id": "c", "execution": "client",
         "arguments": {"query": "mail"}},
        {"id": "fc_1_1", "type": "function_call", "status": "completed", "call_id": "c", "name": "list",
         "namespace": "mcp__calendar", "arguments": "{}"},
        {"id": "tsc_1_2", "type": "tool_search_call", "status": "completed", "call_id": "c", "execution": "client",
         "arguments": {}},
    ]);
    let whole: Value = serde_json::from_slice(&encode_response(&response, &context))?;
    assert_eq!(whole["output"], expected);
    let mut encoder = Dialect::OpenaiResponses.codec().encoder(context);
    let mut frames = Vec::new();
    for event in response.events() {
        encoder.event(&event, &mut frames);
    }
    let mut done = Vec::new();
    for frame in &frames {
        let data: Value = serde_json::from_slice(&frame.data)?;
        match &*frame.name {
            "response.output_item.done" => done.push(data["item"].clone()),
            name if name.contains("arguments") => assert_eq!(data["output_index"], 1, "{data}"),
            _ => {}
        }
    }
    assert_eq!(Value::from(done), expected);
    Ok(())
}

#[test]
fn hosted_search_needs_no_function() -> Outcome {
    let body = json!({
        "model": "m",
        "tools": [{"type": "tool_search"}, {"type": "function", "name": "f", "defer_loading": true}],
        "input": [
            {"role": "user", "content": "a"},
            {"type": "tool_search_call", "id": "t", "call_id": null, "execution": "server", "arguments": {"paths": ["f"]}},
            {"type": "tool_search_output", "id": "o", "call_id": null, "execution": "server",
             "tools": [{"type": "function", "name": "f", "parameters": {"type": "object"}}]},
        ],
    });
    let (request, warned) = decode_value(&body)?;
    assert_eq!(warned, ["tools[0].type", "input.tool_search_call"]);
    assert_eq!(request.tools.len(), 1);
    assert_eq!(request.client_tools.len(), 0);
    assert_eq!(request.turns.len(), 1);
    Ok(())
}

#[test]
fn a_function_may_have_the_name_of_the_search() -> Outcome {
    let tools = json!({"tools": [{"type": "function", "name": "tool_search", "parameters": {"type": "object"}}]});
    let (request, _) = with(&tools)?;
    assert!(
        !request
            .client_tools
            .values()
            .any(|tool| *tool == ClientTool::Search)
    );
    let context = ResponseContext::new(&request, "1", 7);
    let response = Response {
        parts: vec![call("tool_search", "{}")],
        ..Response::default()
    };
    let whole: Value = serde_json::from_slice(&encode_response(&response, &context))?;
    assert_eq!(whole["output"][0]["type"], "function_call");
    Ok(())
}

fn with_item(item: &Value) -> Result<(Request, Vec<String>), TranslationError> {
    with(&json!({"input": [{"role": "user", "content": "a"}, item]}))
}

/// Items that only Codex or its provider uses, and types that do not exist yet.
#[test]
fn unknown_items_are_dropped_where_that_is_harmless() -> Outcome {
    let dropped = [
        json!({"type": "ghost_snapshot", "ghost_commit": {"id": "1"}}),
        json!({"type": "context_compaction"}),
        json!({"type": "weather_call", "id": "w", "call_id": "c", "status": "completed"}),
        json!({"type": "weather_call_output", "call_id": "c", "output": "sun"}),
    ];
    for item in dropped {
        let (request, warned) = with_item(&item)?;
        let kind = item["type"].as_str().unwrap_or_default();
        assert_eq!(warned, [format!("input.{kind}")]);
        assert_eq!(request.turns.len(), 1, "{item}");
    }
    let later = json!({"type": "note", "role": "assistant", "content": [{"type": "output_text", "text": "b"}]});
    let (request, warned) = with_item(&later)?;
    assert_eq!(warned, ["input.note"]);
    assert_eq!(request.turns[1].parts, [Part::text("b")]);
    Ok(())
}

#[test]
fn sealed_items_are_rejected() {
    for kind in [
        "compaction",
        "compaction_summary",
        "context_compaction",
        "to_come",
    ] {
        let refused = with_item(&json!({"type": kind, "encrypted_content": "e"})).map(|_| ());
        assert_eq!(
            refused.map_err(|error| error.field),
            Err("input[1].type".to_owned()),
            "{kind}"
        );
    }
    let refused = with_item(&json!({"type": "compaction_trigger"})).map(|_| ());
    assert!(refused.is_err());
    let sealed = json!({"type": "agent_message", "author": "/root", "recipient": "/root/a",
        "content": [{"type": "encrypted_content", "encrypted_content": "e"}]});
    assert!(with_item(&sealed).is_err());
}

#[test]
fn messages_of_agents_are_texts_of_the_user() -> Outcome {
    let item = json!({"type": "agent_message", "author": "/root/a", "recipient": "/root",
        "content": [{"type": "input_text", "text": "Done."}]});
    let (request, warned) = with_item(&item)?;
    assert_eq!(warned, ["input.agent_message"]);
    assert_eq!(request.turns[0].role, Role::User);
    let text = "Message from the agent /root/a:\nDone.";
    assert_eq!(request.turns[0].parts[1], Part::text(text));
    Ok(())
}
