//! What is dropped, changed or refused, and under which name.

use serde_json::{Map, Value, json};

use super::{fields, read, write};
use crate::Dialect;
use crate::common::{
    Effort, Format, Media, Part, Reasoning, Request, Role, Sampling, Signature, Source, Thought,
    Tool, ToolCall, ToolChoice, ToolKind, ToolResult, Turn,
};

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

fn shown(block: &Value) -> Value {
    body(
        &json!({"messages": [{"role": "user", "content": [{"type": "text", "text": "a"}, block]}]}),
    )
}

fn answered(block: &Value) -> Value {
    let turns = json!([
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": [{"type": "text", "text": "a"}, block]},
    ]);
    body(&json!({"messages": turns}))
}

#[test]
fn what_only_this_api_has_is_dropped_by_name() {
    let cached = json!({"type": "ephemeral"});
    let tool =
        json!({"name": "a", "input_schema": {}, "defer_loading": true, "cache_control": cached});
    let document = json!({
        "type": "document",
        "source": {"type": "text", "media_type": "text/plain", "data": "a"},
        "context": "b",
        "citations": {"enabled": true},
    });
    let cases = [
        (
            body(&json!({"cache_control": cached})),
            vec!["cache_control"],
        ),
        (
            body(
                &json!({"system": [{"type": "text", "text": "a", "cache_control": cached}], "tools": [tool]}),
            ),
            vec!["cache_control", "tools[0].defer_loading"],
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
            shown(&document),
            vec!["context", "messages[0].content[1].citations"],
        ),
        (
            answered(
                &json!({"type": "server_tool_use", "id": "a", "name": "web_search", "input": {}}),
            ),
            vec!["server_tool_use"],
        ),
        (
            answered(&json!({"type": "web_search_tool_result", "tool_use_id": "a", "content": []})),
            vec!["web_search_tool_result"],
        ),
    ];
    for (body, expected) in cases {
        let (request, said) = read(&body);
        assert!(request.is_ok(), "{body}: {request:?}");
        assert_eq!(fields(&said), expected, "{body}");
    }
}

#[test]
fn what_no_other_provider_can_do_is_refused_by_name() {
    let file = json!({"type": "file", "file_id": "file_1"});
    let cases = [
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
        (
            shown(&json!({"type": "image", "source": file})),
            "messages[0].content[1].source.type",
        ),
        (
            shown(&json!({"type": "document", "source": file})),
            "messages[0].content[1].source.type",
        ),
        (
            shown(&json!({"type": "container_upload", "file_id": "a"})),
            "messages[0].content[1].type",
        ),
        (
            shown(&json!({"type": "tool_use", "id": "a", "name": "a", "input": {}})),
            "messages[0].content[1].type",
        ),
        (
            answered(&json!({"type": "image", "source": file})),
            "messages[1].content[1].type",
        ),
        (
            answered(&json!({"type": "tool_use", "id": "a", "name": "a", "input": 1})),
            "messages[1].content[1].input",
        ),
    ];
    for (body, expected) in cases {
        let (request, _) = read(&body);
        assert_eq!(
            request.map_err(|it| it.field),
            Err(expected.to_owned()),
            "{body}"
        );
    }
}

fn asked(model: &str) -> Request {
    Request {
        model: model.to_owned(),
        turns: vec![user("Hi")],
        ..Request::default()
    }
}

fn turn(role: Role, parts: Vec<Part>) -> Turn {
    Turn { role, parts }
}

fn user(text: &str) -> Turn {
    turn(Role::User, vec![Part::text(text)])
}

fn assistant(text: &str) -> Turn {
    turn(Role::Assistant, vec![Part::text(text)])
}

fn tool(name: &str) -> Tool {
    Tool {
        name: name.to_owned(),
        description: None,
        kind: ToolKind::Function(None),
        strict: None,
    }
}

fn thinking(effort: Option<Effort>, budget_tokens: Option<u64>) -> Option<Reasoning> {
    Some(Reasoning {
        effort,
        budget_tokens,
        shown: None,
    })
}

/// The members of a written request that matter here, and the warnings.
fn written(request: &Request, names: &[&str]) -> (Value, Vec<String>) {
    let (written, said) = write(request);
    let written = written.unwrap();
    let kept: Map<String, Value> = names
        .iter()
        .filter_map(|name| Some(((*name).to_owned(), written.get(name)?.clone())))
        .collect();
    (
        kept.into(),
        said.into_iter().map(|(field, _)| field).collect(),
    )
}

#[test]
fn how_an_answer_is_drawn_follows_the_model() {
    let sampling = |temperature, top_p| Sampling {
        temperature: Some(temperature),
        top_p: Some(top_p),
        ..Sampling::default()
    };
    let cases = [
        (
            "m",
            sampling(0.5, 0.5),
            json!({"temperature": 0.5, "top_p": 0.5}),
            vec![],
        ),
        (
            "m",
            sampling(1.5, 0.5),
            json!({"temperature": 1.0, "top_p": 0.5}),
            vec!["temperature"],
        ),
        (
            "claude-sonnet-4-5",
            sampling(0.5, 0.5),
            json!({"temperature": 0.5}),
            vec!["top_p"],
        ),
        (
            "claude-sonnet-4-5",
            sampling(0.5, 1.0),
            json!({"temperature": 0.5}),
            vec![],
        ),
        (
            "claude-opus-4-8",
            sampling(0.5, 0.5),
            json!({}),
            vec!["temperature", "top_p"],
        ),
        ("claude-opus-4-8", sampling(1.0, 1.0), json!({}), vec![]),
    ];
    for (model, sampling, expected, warned) in cases {
        let request = Request {
            sampling: sampling.clone(),
            ..asked(model)
        };
        let (members, said) = written(&request, &["temperature", "top_p"]);
        assert_eq!(
            (members, said),
            (expected, warned.into_iter().map(str::to_owned).collect()),
            "{model} {sampling:?}"
        );
    }
    let request = Request {
        sampling: Sampling {
            top_k: Some(5),
            ..sampling(0.5, 0.97)
        },
        reasoning: thinking(None, Some(2_000)),
        ..asked("m")
    };
    let (members, said) = written(&request, &["temperature", "top_p", "top_k"]);
    assert_eq!(
        (members, said),
        (
            json!({"top_p": 0.97}),
            vec!["temperature".to_owned(), "top_k".to_owned()]
        )
    );
}

#[test]
fn what_the_api_has_not_is_dropped_by_the_clients_name() {
    let mut request = asked("m");
    request.sampling = Sampling {
        presence_penalty: Some(0.0),
        frequency_penalty: Some(0.5),
        seed: Some(1),
        ..Sampling::default()
    };
    request.stop = vec!["\n".to_owned(), "END".to_owned()];
    request.format = Format::Json;
    request.user = Some("u".to_owned());
    request.openai = [
        ("service_tier".to_owned(), json!("default")),
        ("store".to_owned(), json!(false)),
        ("verbosity".to_owned(), json!("low")),
    ]
    .into_iter()
    .collect();
    let names = [
        "max_tokens",
        "metadata",
        "service_tier",
        "stop_sequences",
        "system",
    ];
    let (members, said) = written(&request, &names);
    assert_eq!(members["max_tokens"], 32_000);
    assert_eq!(members["metadata"], json!({"user_id": "u"}));
    assert_eq!(members["service_tier"], "standard_only");
    assert_eq!(members["stop_sequences"], json!(["END"]));
    assert!(members["system"].as_str().unwrap().contains("JSON"));
    assert_eq!(
        said,
        [
            "frequency_penalty",
            "seed",
            "stop",
            "verbosity",
            "response_format"
        ]
    );
}

#[test]
fn thinking_is_asked_for_as_the_model_takes_it() {
    let budget = |budget: u64| json!({"type": "enabled", "budget_tokens": budget});
    let cases = [
        (
            "m",
            thinking(Some(Effort::High), None),
            None,
            json!({"thinking": budget(24_576), "max_tokens": 32_768}),
            vec![],
        ),
        (
            "m",
            thinking(None, None),
            None,
            json!({"thinking": {"type": "adaptive"}, "max_tokens": 32_000}),
            vec![],
        ),
        (
            "m",
            thinking(Some(Effort::None), None),
            Some(9),
            json!({"thinking": {"type": "disabled"}, "max_tokens": 9}),
            vec![],
        ),
        (
            "m",
            thinking(None, Some(0)),
            Some(9),
            json!({"thinking": {"type": "disabled"}, "max_tokens": 9}),
            vec![],
        ),
        (
            "m",
            thinking(None, Some(500)),
            Some(2_000),
            json!({"thinking": budget(1_024), "max_tokens": 2_000}),
            vec!["reasoning.max_tokens"],
        ),
        (
            "m",
            thinking(None, Some(9_000)),
            Some(4_000),
            json!({"thinking": budget(2_000), "max_tokens": 4_000}),
            vec!["reasoning.max_tokens"],
        ),
        (
            "m",
            thinking(Some(Effort::Low), None),
            Some(900),
            json!({"max_tokens": 900}),
            vec!["reasoning"],
        ),
        (
            "claude-sonnet-4-5",
            thinking(None, None),
            None,
            json!({"thinking": budget(8_192), "max_tokens": 32_000}),
            vec![],
        ),
        (
            "claude-opus-4-6",
            thinking(Some(Effort::Max), None),
            None,
            json!({"thinking": {"type": "adaptive"}, "output_config": {"effort": "max"}, "max_tokens": 32_000}),
            vec![],
        ),
        (
            "claude-opus-4-6",
            thinking(None, Some(2_000)),
            None,
            json!({"thinking": budget(2_000), "max_tokens": 32_000}),
            vec![],
        ),
        (
            "claude-opus-5",
            thinking(None, Some(2_000)),
            None,
            json!({"thinking": {"type": "adaptive"}, "output_config": {"effort": "medium"}, "max_tokens": 32_000}),
            vec!["reasoning.max_tokens"],
        ),
        (
            "claude-opus-5",
            thinking(Some(Effort::Minimal), None),
            None,
            json!({"thinking": {"type": "adaptive"}, "output_config": {"effort": "low"}, "max_tokens": 32_000}),
            vec!["reasoning_effort"],
        ),
    ];
    for (model, reasoning, tokens_max, expected, warned) in cases {
        let mut request = asked(model);
        request.reasoning = reasoning;
        request.sampling.tokens_max = tokens_max;
        let (members, said) = written(&request, &["thinking", "output_config", "max_tokens"]);
        assert_eq!(members, expected, "{model} {reasoning:?}");
        assert_eq!(said, warned, "{model} {reasoning:?}");
    }
}

#[test]
fn a_model_that_must_or_does_call_a_tool_is_not_asked_to_think() {
    let mut request = asked("m");
    request.reasoning = thinking(Some(Effort::High), None);
    request.tools = vec![tool("a")];
    request.tool_choice = Some(ToolChoice::Required);
    let (members, said) = written(&request, &["thinking"]);
    assert_eq!((members, said), (json!({}), vec!["reasoning".to_owned()]));
    // In the midst of calls, without the thoughts that came before.
    request.tool_choice = None;
    request
        .turns
        .push(turn(Role::Assistant, vec![call("a:1", "{}")]));
    request.turns.push(turn(Role::User, vec![result("a:1")]));
    let (members, said) = written(&request, &["thinking"]);
    assert_eq!((members, said), (json!({}), vec!["reasoning".to_owned()]));
    // With them.
    let thought = thought(Dialect::AnthropicMessages);
    request.turns[1].parts.insert(0, thought);
    let (members, _) = written(&request, &["thinking"]);
    assert_eq!(members["thinking"]["type"], "enabled");
}

fn call(id: &str, arguments: &str) -> Part {
    Part::ToolCall(ToolCall {
        id: id.to_owned(),
        name: "a".to_owned(),
        arguments: arguments.to_owned(),
        signature: None,
    })
}

fn result(id: &str) -> Part {
    Part::ToolResult(ToolResult {
        call_id: id.to_owned(),
        name: None,
        parts: Vec::new(),
        is_error: false,
    })
}

fn thought(origin: Dialect) -> Part {
    Part::Reasoning(Thought {
        text: "t".to_owned(),
        signature: Some(Signature {
            origin,
            data: "s".to_owned(),
        }),
        redacted: false,
    })
}

#[test]
fn a_conversation_is_put_in_the_order_that_the_api_demands() {
    let system = |text: &str| turn(Role::System, vec![Part::text(text)]);
    let only = |text: &str| json!([{"role": "user", "content": text}]);
    let both = json!([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]);
    let first = "(The conversation begins with your words.)";
    let cases = [
        (
            "m",
            vec![user("a"), system("s"), user("b")],
            json!({"system": "s", "messages": [{"role": "user", "content": both}]}),
            vec!["messages"],
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
            vec!["messages"],
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
            vec!["messages"],
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
            ..asked(model)
        };
        let (members, said) = written(&request, &["system", "messages"]);
        assert_eq!(members, expected, "{model} {turns:?}");
        assert_eq!(said, warned, "{model} {turns:?}");
    }
    let empty = Request {
        turns: vec![user("\n")],
        ..asked("m")
    };
    assert_eq!(
        write(&empty).0.map_err(|it| it.field),
        Err("messages".to_owned())
    );
}

#[test]
fn calls_and_results_are_made_fit() {
    let mut request = asked("m");
    let calls = vec![
        call("a:1", "{\"b\":1}"),
        call("a:2", " "),
        call("a:3", "[1"),
    ];
    request.turns.push(turn(Role::Assistant, calls));
    let mut results = vec![Part::text("z")];
    results.extend(["a:1", "a:2", "a:3"].map(result));
    request.turns.push(turn(Role::User, results));
    let (members, said) = written(&request, &["messages", "tools", "tool_choice"]);
    assert_eq!(said, Vec::<String>::new());
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
    // The API takes calls only beside the tools that are called.
    assert_eq!(
        members["tools"],
        json!([{"name": "a", "input_schema": {"type": "object"}}])
    );
    assert_eq!(members["tool_choice"], json!({"type": "none"}));
}

#[test]
fn a_choice_among_some_tools_offers_only_those() {
    let mut request = asked("m");
    request.tools = vec![tool("a"), tool("b")];
    request.tools[0].kind = ToolKind::Custom(None);
    request.parallel_tools = Some(false);
    request.tool_choice = Some(ToolChoice::Allowed {
        names: vec!["a".to_owned()],
        required: true,
    });
    let (members, said) = written(&request, &["tools", "tool_choice"]);
    let schema = json!({"type": "object", "properties": {"input": {"type": "string"}}, "required": ["input"]});
    let expected = json!({
        "tools": [{"name": "a", "input_schema": schema}],
        "tool_choice": {"type": "any", "disable_parallel_tool_use": true},
    });
    assert_eq!((members, said), (expected, vec![]));
}

#[test]
fn thoughts_of_others_stay_away_from_the_provider() {
    for origin in Dialect::ALL {
        let mut request = asked("m");
        let parts = vec![thought(origin), Part::text("b")];
        request.turns.push(turn(Role::Assistant, parts));
        let (members, said) = written(&request, &["messages"]);
        let content = &members["messages"][1]["content"];
        if origin == Dialect::AnthropicMessages {
            assert_eq!(
                content[0],
                json!({"type": "thinking", "thinking": "t", "signature": "s"})
            );
            assert_eq!(said, Vec::<String>::new());
        } else {
            assert_eq!(content, "b");
            assert_eq!(said, ["reasoning_content"]);
        }
    }
}

#[test]
fn files_are_taken_where_the_api_takes_them() {
    let media = |media_type: Option<&str>, source| Media {
        media_type: media_type.map(str::to_owned),
        source,
        detail: None,
        title: None,
    };
    let base64 = |data: &str| Source::Base64(data.to_owned());
    let file = || Source::File("f".to_owned());
    let picture = |kind: &str| json!({"type": "base64", "media_type": kind, "data": "/9j/"});
    let cases = [
        (
            Part::Image(media(None, base64("/9j/"))),
            Ok(picture("image/jpeg")),
        ),
        (
            Part::Image(media(Some("image/jpg"), base64("/9j/"))),
            Ok(picture("image/jpeg")),
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
        let mut request = asked("m");
        request.turns[0].parts.push(part.clone());
        let source = write(&request)
            .0
            .map(|body| body["messages"][0]["content"][1]["source"].clone());
        let expected = expected.map_err(str::to_owned);
        assert_eq!(source.map_err(|it| it.field), expected, "{part:?}");
    }
}

#[test]
fn open_schemas_are_closed() {
    let mut request = asked("m");
    request.format = Format::Schema {
        name: Some("n".to_owned()),
        description: Some("d".to_owned()),
        schema: json!({"type": "object", "properties": {"a": {"type": "array", "items": {"type": "object", "properties": {}}}}}),
        strict: None,
    };
    let (members, said) = written(&request, &["output_config"]);
    let schema = &members["output_config"]["format"]["schema"];
    assert_eq!(schema["additionalProperties"], false);
    assert_eq!(
        schema["properties"]["a"]["items"]["additionalProperties"],
        false
    );
    assert_eq!(said, ["response_format.json_schema.description"]);
}
