//! Constraints of the API on conversations, tools, files and schemas.

use serde_json::json;

use super::fixtures::{
    assistant, base_request, call_part, encode_members, reasoning_options, reasoning_part,
    result_part, tool, turn, user,
};
use super::write;
use crate::Dialect;
use crate::ir::{Effort, Format, Media, MediaSource, Part, Request, Role, ToolChoice, ToolKind};

#[test]
fn drops_thinking_with_forced_or_pending_tool_call() {
    let mut request = base_request("m");
    request.reasoning = reasoning_options(Some(Effort::High), None);
    request.tools = vec![tool("a")];
    request.tool_choice = Some(ToolChoice::Required);
    let (members, warnings) = encode_members(&request, &["thinking"]);
    assert_eq!(
        (members, warnings),
        (json!({}), vec!["reasoning".to_owned()])
    );
    // A tool result is pending, and the turn with the call has no reasoning.
    request.tool_choice = None;
    request
        .turns
        .push(turn(Role::Assistant, vec![call_part("a:1", "{}")]));
    request
        .turns
        .push(turn(Role::User, vec![result_part("a:1")]));
    let (members, warnings) = encode_members(&request, &["thinking"]);
    assert_eq!(
        (members, warnings),
        (json!({}), vec!["reasoning".to_owned()])
    );
    // The turn with the call has reasoning.
    let reasoning = reasoning_part(Dialect::AnthropicMessages);
    request.turns[1].parts.insert(0, reasoning);
    let (members, _) = encode_members(&request, &["thinking"]);
    assert_eq!(members["thinking"]["type"], "enabled");
}

/// Codex writes instructions and a new message after an interrupted turn.
#[test]
fn finds_pending_tool_call_in_joined_turns() {
    let thinking = || reasoning_part(Dialect::AnthropicMessages);
    let call = || turn(Role::Assistant, vec![call_part("a", "{}")]);
    let result = || turn(Role::User, vec![result_part("a")]);
    let system = || turn(Role::System, vec![Part::text("s")]);
    let thinks = |parts: Vec<Part>| turn(Role::Assistant, parts);
    let cases = [
        (vec![call(), result(), system(), user("b")], false),
        (vec![call(), result(), user("b"), system()], false),
        (vec![thinks(vec![thinking()]), call(), result()], true),
        (
            vec![
                thinks(vec![thinking()]),
                system(),
                call(),
                result(),
                user("b"),
            ],
            true,
        ),
        // The API looks at the first block of the joined turn.
        (
            vec![assistant("b"), thinks(vec![thinking()]), call(), result()],
            false,
        ),
        (
            vec![
                thinks(vec![reasoning_part(Dialect::Gemini), thinking()]),
                call(),
                result(),
            ],
            true,
        ),
        (
            vec![thinks(vec![Part::text(" "), thinking()]), call(), result()],
            true,
        ),
        // A turn of the assistant without calls ends the tool use.
        (vec![call(), result(), assistant("b"), user("c")], true),
    ];
    for (turns, expected) in cases {
        let mut request = base_request("claude-sonnet-4-5");
        request.reasoning = reasoning_options(Some(Effort::Medium), None);
        request.tools = vec![tool("a")];
        request.turns.extend(turns);
        let (members, warnings) = encode_members(&request, &["thinking"]);
        let what = format!("{:?}", request.turns);
        assert_eq!(members.get("thinking").is_some(), expected, "{what}");
        assert_eq!(
            warnings.contains(&"reasoning".to_owned()),
            !expected,
            "{what}"
        );
    }
}

#[test]
fn orders_messages_as_the_api_requires() {
    let system = |text: &str| turn(Role::System, vec![Part::text(text)]);
    let only = |text: &str| json!([{"role": "user", "content": text}]);
    let both = json!([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]);
    let first = "(The conversation begins with your words.)";
    let cases = [
        (
            "m",
            vec![user("a"), system("s"), user("b")],
            json!({"system": "s", "messages": [{"role": "user", "content": both}]}),
            vec!["messages.system"],
        ),
        (
            "claude-opus-5",
            vec![user("a"), system("s"), assistant("b")],
            json!({"messages": [{"role": "user", "content": "a"}, {"role": "system", "content": "s"}, {"role": "assistant", "content": "b"}]}),
            vec![],
        ),
        (
            "claude-opus-5",
            vec![user("a"), assistant("b"), system("s"), user("c")],
            json!({"system": "s", "messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}, {"role": "user", "content": "c"}]}),
            vec!["messages.system"],
        ),
        (
            "m",
            vec![assistant("a \n")],
            json!({"messages": [{"role": "user", "content": first}, {"role": "assistant", "content": "a"}]}),
            vec!["messages"],
        ),
        (
            "m",
            vec![system("s")],
            json!({"messages": only("s")}),
            vec!["messages.system", "system"],
        ),
        (
            "m",
            vec![user("a"), assistant(" ")],
            json!({"messages": only("a")}),
            vec![],
        ),
    ];
    for (model, turns, expected, warned) in cases {
        let request = Request {
            turns: turns.clone(),
            ..base_request(model)
        };
        let (members, warnings) = encode_members(&request, &["system", "messages"]);
        assert_eq!(members, expected, "{model} {turns:?}");
        assert_eq!(warnings, warned, "{model} {turns:?}");
    }
    let empty = Request {
        turns: vec![user("\n")],
        ..base_request("m")
    };
    assert_eq!(
        write(&empty).0.map_err(|it| it.field),
        Err("messages".to_owned())
    );
}

#[test]
fn normalizes_tool_calls_and_results() {
    let mut request = base_request("m");
    let calls = vec![
        call_part("a:1", "{\"b\":1}"),
        call_part("a:2", " "),
        call_part("a:3", "[1"),
    ];
    request.turns.push(turn(Role::Assistant, calls));
    let mut results = vec![Part::text("z")];
    results.extend(["a:1", "a:2", "a:3"].map(result_part));
    request.turns.push(turn(Role::User, results));
    let (members, warnings) = encode_members(&request, &["messages", "tools", "tool_choice"]);
    assert_eq!(warnings, Vec::<String>::new());
    let calls = &members["messages"][1]["content"];
    assert_eq!(calls[0]["input"], json!({"b": 1}));
    assert_eq!(calls[1]["input"], json!({}));
    assert_eq!(calls[2]["input"], json!({"arguments": "[1"}));
    let results = &members["messages"][2]["content"];
    for (index, id) in ["a_1", "a_2", "a_3"].into_iter().enumerate() {
        assert_eq!(calls[index]["id"], id);
        assert_eq!(
            results[index],
            json!({"type": "tool_result", "tool_use_id": id})
        );
    }
    assert_eq!(results[3]["text"], "z");
    // The API accepts calls only if the request defines the called tools.
    assert_eq!(
        members["tools"],
        json!([{"name": "a", "input_schema": {"type": "object"}}])
    );
    assert_eq!(members["tool_choice"], json!({"type": "none"}));
}

#[test]
fn sends_only_allowed_tools() {
    let mut request = base_request("m");
    request.tools = vec![tool("a"), tool("b")];
    request.tools[0].kind = ToolKind::Custom(None);
    request.parallel_tools = Some(false);
    request.tool_choice = Some(ToolChoice::Allowed {
        names: vec!["a".to_owned()],
        required: true,
    });
    let (members, warnings) = encode_members(&request, &["tools", "tool_choice"]);
    let schema = json!({"type": "object", "properties": {"input": {"type": "string"}}, "required": ["input"]});
    let expected = json!({
        "tools": [{"name": "a", "input_schema": schema}],
        "tool_choice": {"type": "any", "disable_parallel_tool_use": true},
    });
    assert_eq!((members, warnings), (expected, vec![]));
}

#[test]
fn drops_reasoning_of_other_providers() {
    for origin in Dialect::ALL {
        let mut request = base_request("m");
        let parts = vec![reasoning_part(origin), Part::text("b")];
        request.turns.push(turn(Role::Assistant, parts));
        let (members, warnings) = encode_members(&request, &["messages"]);
        let content = &members["messages"][1]["content"];
        if origin == Dialect::AnthropicMessages {
            assert_eq!(
                content[0],
                json!({"type": "thinking", "thinking": "t", "signature": "s"})
            );
            assert_eq!(warnings, Vec::<String>::new());
        } else {
            assert_eq!(content, "b");
            assert_eq!(warnings, ["reasoning_content"]);
        }
    }
}

#[test]
fn encodes_supported_files_only() {
    let media = |media_type: Option<&str>, source| Media {
        media_type: media_type.map(str::to_owned),
        source,
        detail: None,
        title: None,
    };
    let base64 = |data: &str| MediaSource::Base64(data.to_owned());
    let file = || MediaSource::File("f".to_owned());
    let image_source = |kind: &str| json!({"type": "base64", "media_type": kind, "data": "/9j/"});
    let cases = [
        (
            Part::Image(media(None, base64("/9j/"))),
            Ok(image_source("image/jpeg")),
        ),
        (
            Part::Image(media(Some("image/jpg"), base64("/9j/"))),
            Ok(image_source("image/jpeg")),
        ),
        (
            Part::Image(media(Some("image/tiff"), base64("/9j/"))),
            Err("image_url"),
        ),
        (Part::Image(media(None, file())), Err("file_id")),
        (Part::Document(media(None, file())), Err("file_id")),
        (Part::Audio(media(None, base64("AA=="))), Err("input_audio")),
        (
            Part::Document(media(Some("text/csv"), base64("YSxi"))),
            Ok(json!({"type": "text", "media_type": "text/plain", "data": "a,b"})),
        ),
        (
            Part::Document(media(Some("application/zip"), base64("YSxi"))),
            Err("file_data"),
        ),
    ];
    for (part, expected) in cases {
        let mut request = base_request("m");
        request.turns[0].parts.push(part.clone());
        let source = write(&request)
            .0
            .map(|body| body["messages"][0]["content"][1]["source"].clone());
        let expected = expected.map_err(str::to_owned);
        assert_eq!(source.map_err(|it| it.field), expected, "{part:?}");
    }
}

/// Every bound of a Pydantic or Zod schema would be a 400: BerriAI/litellm#20813, #34313, laravel/ai#715.
#[test]
fn bounds_of_formats_and_strict_tools_are_described() {
    let schema = json!({
        "type": "object",
        "properties": {"n": {"type": "integer", "minimum": 1, "maximum": 9}},
        "required": ["n"],
        "additionalProperties": false,
    });
    let described = json!({"type": "integer", "description": "{minimum: 1, maximum: 9}"});
    let mut request = base_request("claude-sonnet-4-5");
    request.format = Format::Schema {
        name: None,
        description: None,
        schema: schema.clone(),
        strict: Some(true),
    };
    request.tools = vec![tool("strict"), tool("loose")];
    for tool in &mut request.tools {
        tool.kind = ToolKind::Function(Some(schema.clone()));
    }
    request.tools[0].strict = Some(true);
    let (members, warned) = encode_members(&request, &["output_config", "tools"]);
    let format = &members["output_config"]["format"]["schema"];
    assert_eq!(format["properties"]["n"], described);
    assert_eq!(
        members["tools"][0]["input_schema"]["properties"]["n"],
        described
    );
    assert_eq!(members["tools"][1]["input_schema"], schema);
    assert_eq!(
        warned,
        ["response_format.json_schema.schema", "tools.parameters"]
    );
}

/// The API has no schemas that refer to themselves.
#[test]
fn schemas_without_an_end_are_instructions() {
    let schema = json!({"$ref": "#/$defs/node", "$defs": {"node": {"type": "object", "properties": {"next": {"$ref": "#/$defs/node"}}}}});
    let mut request = base_request("claude-sonnet-4-5");
    request.format = Format::Schema {
        name: None,
        description: None,
        schema: schema.clone(),
        strict: None,
    };
    request.tools = vec![tool("a")];
    request.tools[0].kind = ToolKind::Function(Some(schema.clone()));
    request.tools[0].strict = Some(true);
    let (members, warned) = encode_members(&request, &["output_config", "system", "tools"]);
    assert_eq!(members.get("output_config"), None);
    let system = members["system"].as_str().unwrap_or_default();
    assert!(system.ends_with(&schema.to_string()), "{system}");
    assert_eq!(members["tools"][0].get("strict"), None);
    assert_eq!(warned, ["response_format", "tools.strict"]);
}

#[test]
fn closes_open_schemas() {
    let mut request = base_request("m");
    request.format = Format::Schema {
        name: Some("n".to_owned()),
        description: Some("d".to_owned()),
        schema: json!({"type": "object", "properties": {"a": {"type": "array", "items": {"type": "object", "properties": {}}}}}),
        strict: None,
    };
    let (members, warnings) = encode_members(&request, &["output_config"]);
    let schema = &members["output_config"]["format"]["schema"];
    assert_eq!(schema["additionalProperties"], false);
    assert_eq!(
        schema["properties"]["a"]["items"]["additionalProperties"],
        false
    );
    assert_eq!(warnings, ["response_format.json_schema.description"]);
}
