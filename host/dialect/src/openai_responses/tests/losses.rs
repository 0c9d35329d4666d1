//! Content that cannot be translated, in either direction: warnings and errors.

use super::*;
use crate::Dialect;
use crate::ir::{
    Effort, Format, Media, MediaSource, Reasoning, Role, Sampling, Signature, Tool, ToolCall,
    ToolChoice, ToolKind, ToolResult, Turn,
};
use crate::traits::Traits;

#[test]
fn warns_of_dropped_members() -> Outcome {
    let hosted = json!({"tools": [{"type": "web_search"}], "tool_choice": {"type": "web_search"}});
    for (members, fields) in [
        (hosted, vec!["tools[0].type", "tool_choice"]),
        (json!({"truncation": "auto"}), vec!["truncation"]),
        (
            json!({"truncation": "disabled", "background": false}),
            vec![],
        ),
        (json!({"max_tool_calls": 3}), vec!["max_tool_calls"]),
        (json!({"top_logprobs": 2}), vec!["top_logprobs"]),
        (json!({"store": true}), vec!["store"]),
        (
            json!({"store": false, "stream_options": {"include_obfuscation": false}}),
            vec![],
        ),
        (json!({"include": ["reasoning.encrypted_content"]}), vec![]),
        (
            json!({"include": ["message.output_text.logprobs"]}),
            vec!["include"],
        ),
        (json!({"client_metadata": {"a": "b"}}), vec![]),
        (
            json!({"reasoning": {"effort": "low", "mode": "pro"}}),
            vec!["reasoning.mode"],
        ),
        (
            json!({"context_management": [{"type": "compaction"}]}),
            vec!["context_management"],
        ),
        (
            json!({"metadata": {"a": "b"}, "prompt_cache_key": "k", "user": "u"}),
            vec![],
        ),
        (
            json!({"input": [{"type": "web_search_call", "id": "ws_1"}, {"role": "user", "content": "a"}]}),
            vec!["input.web_search_call"],
        ),
        (
            json!({"input": [{"role": "assistant", "content": "a", "phase": "commentary"}]}),
            vec!["input.phase"],
        ),
        (
            json!({"input": [{"role": "user", "content": "a", "extra": 1}]}),
            vec!["input[0].extra"],
        ),
    ] {
        let (_, warned) = with(&members)?;
        assert_eq!(warned, fields, "{members}");
    }
    Ok(())
}

#[test]
fn rejects_unsupported_requests() {
    let content = |part: Value| json!({"input": [{"role": "user", "content": [part]}]});
    for (members, field) in [
        (
            json!({"previous_response_id": "resp_1"}),
            "previous_response_id",
        ),
        (json!({"conversation": "conv_1"}), "conversation"),
        (json!({"prompt": {"id": "p"}}), "prompt"),
        (json!({"background": true}), "background"),
        (json!({"input": null}), "input"),
        (json!({"input": 7}), "input"),
        (
            json!({"input": [{"type": "item_reference", "id": "msg_1"}]}),
            "input[0].id",
        ),
        (json!({"input": [{"id": "msg_1"}]}), "input[0].id"),
        (
            json!({"input": [{"type": "compaction", "encrypted_content": "x"}]}),
            "input[0].type",
        ),
        (
            json!({"input": [{"type": "unheard_of", "encrypted_content": "x"}]}),
            "input[0].type",
        ),
        (
            json!({"input": [{"role": "robot", "content": "a"}]}),
            "input[0].role",
        ),
        (json!({"input": [{"role": "user"}]}), "input[0].content"),
        (
            json!({"input": [{"type": "function_call_output", "call_id": "c", "output": "x"}]}),
            "input[0].call_id",
        ),
        (
            json!({"input": [{"type": "function_call", "call_id": "", "name": "f", "arguments": "{}"}]}),
            "input[0].call_id",
        ),
        (
            content(json!({"type": "input_image", "file_id": "file_1"})),
            "input[0].content[0].file_id",
        ),
        (
            content(json!({"type": "input_file", "file_id": "file_1"})),
            "input[0].content[0].file_id",
        ),
        (
            content(json!({"type": "video"})),
            "input[0].content[0].type",
        ),
        (json!({"tool_choice": "any"}), "tool_choice"),
        (json!({"reasoning": {"effort": "hard"}}), "reasoning.effort"),
        (
            json!({"text": {"format": {"type": "json_schema", "name": "n"}}}),
            "text.format.schema",
        ),
        (
            json!({"text": {"format": {"type": "grammar"}}}),
            "text.format.type",
        ),
        (json!({"temperature": "hot"}), "temperature"),
    ] {
        let refused = with(&members).map(|_| ()).unwrap_err();
        assert_eq!(refused.field, field, "{members}");
    }
}

fn user(parts: Vec<Part>) -> Request {
    Request {
        model: "m".to_owned(),
        turns: vec![Turn {
            role: Role::User,
            parts,
        }],
        ..Request::default()
    }
}

#[test]
fn warns_of_unsupported_settings() -> Outcome {
    let request = Request {
        stop: vec!["END".to_owned()],
        sampling: Sampling {
            top_k: Some(1),
            seed: Some(7),
            presence_penalty: Some(0.5),
            frequency_penalty: Some(0.5),
            tokens_max: Some(1),
            temperature: Some(3.0),
            ..Sampling::default()
        },
        reasoning: Some(Reasoning {
            budget_tokens: Some(2_000),
            ..Reasoning::default()
        }),
        tool_choice: Some(ToolChoice::Required),
        openai: [
            ("store".to_owned(), json!(true)),
            ("logit_bias".to_owned(), json!({})),
        ]
        .into_iter()
        .collect(),
        ..user(vec![Part::text("Hi")])
    };
    let (written, warned) = encode(&request)?;
    let expected = [
        "max_tokens",
        "temperature",
        "top_k",
        "presence_penalty",
        "frequency_penalty",
        "seed",
        "stop",
        "reasoning.max_tokens",
        "tool_choice",
        "store",
        "logit_bias",
    ];
    assert_eq!(warned, expected);
    assert_eq!(written["max_output_tokens"], 16);
    assert_eq!(written["temperature"], 2.0);
    assert_eq!(written["reasoning"], json!({"effort": "medium"}));
    assert_eq!(written["include"], json!(["reasoning.encrypted_content"]));
    assert_eq!(written["store"], false);
    Ok(())
}

#[test]
fn rejects_unsupported_media() {
    let media = |source| Media {
        media_type: None,
        source,
        detail: None,
        title: None,
    };
    for (part, field) in [
        (
            Part::Image(media(MediaSource::File("f".to_owned()))),
            "file_id",
        ),
        (
            Part::Document(media(MediaSource::File("f".to_owned()))),
            "file_id",
        ),
        (
            Part::Audio(media(MediaSource::Base64("AA==".to_owned()))),
            "input_audio",
        ),
    ] {
        let mut report = TranslationReport::default();
        let refused =
            encode_request(&user(vec![part]), &Traits::everything(), &mut report).unwrap_err();
        assert_eq!(refused.field, field);
    }
}

#[test]
fn drops_foreign_reasoning() -> Outcome {
    let reasoning = |origin, data: &str| {
        Part::Reasoning(ReasoningPart {
            text: "hm".to_owned(),
            signature: Some(Signature {
                origin,
                data: data.to_owned(),
            }),
            redacted: false,
        })
    };
    let mut request = user(vec![Part::text("Hi")]);
    request.turns.push(Turn {
        role: Role::Assistant,
        parts: vec![
            reasoning(Dialect::Gemini, "g"),
            reasoning(DIALECT, "rs_1\ngAAA"),
            reasoning(DIALECT, "gBBB"),
        ],
    });
    let (written, warned) = encode(&request)?;
    assert_eq!(warned, ["reasoning_content"]);
    let summary = json!([{"type": "summary_text", "text": "hm"}]);
    let expected = [
        json!({"id": "rs_1", "type": "reasoning", "summary": summary, "encrypted_content": "gAAA"}),
        json!({"type": "reasoning", "summary": summary, "encrypted_content": "gBBB"}),
    ];
    assert_eq!(
        written["input"].as_array().map(|it| &it[1..]),
        Some(&expected[..])
    );
    assert_eq!(written["include"], json!(["reasoning.encrypted_content"]));
    Ok(())
}

#[test]
fn marks_failed_tool_results_with_prefix() -> Outcome {
    let mut request = user(vec![Part::ToolResult(ToolResult {
        call_id: "c".to_owned(),
        name: None,
        parts: vec![Part::text("no such zone")],
        is_error: true,
    })]);
    let call = ToolCall {
        id: "c".to_owned(),
        name: "shell".to_owned(),
        arguments: r#"{"input":"ls \"a\""}"#.to_owned(),
        signature: None,
    };
    let turn = Turn {
        role: Role::Assistant,
        parts: vec![Part::ToolCall(call)],
    };
    request.turns.insert(0, turn);
    request.tools.push(Tool {
        name: "shell".to_owned(),
        description: None,
        kind: ToolKind::Custom(None),
        strict: None,
    });
    let (written, warned) = encode(&request)?;
    assert_eq!(warned, ["is_error"]);
    let expected = json!([
        {"type": "custom_tool_call", "call_id": "c", "name": "shell", "input": "ls \"a\""},
        {"type": "custom_tool_call_output", "call_id": "c", "output": "Error: no such zone"},
    ]);
    assert_eq!(written["input"], expected);
    Ok(())
}

#[test]
fn functions_default_to_non_strict() -> Outcome {
    let mut request = user(vec![Part::text("Hi")]);
    request.tools.push(Tool {
        name: "look".to_owned(),
        description: None,
        kind: ToolKind::Function(None),
        strict: None,
    });
    let (written, _) = encode(&request)?;
    let expected =
        json!([{"type": "function", "name": "look", "parameters": null, "strict": false}]);
    assert_eq!(written["tools"], expected);
    Ok(())
}

/// Codex sends reasoning without ids, tools of every kind, and instructions between the messages.
#[test]
fn reads_codex_request() -> Outcome {
    let (request, warned) = decode_value(&codex_request())?;
    assert_eq!(warned, ["tools[2].type"]);
    let roles: Vec<Role> = request.turns.iter().map(|turn| turn.role).collect();
    assert_eq!(
        roles,
        [Role::User, Role::Assistant, Role::User, Role::System]
    );
    let results = request.turns[2].parts.iter().map(|part| match part {
        Part::ToolResult(result) => result.name.as_deref(),
        _ => None,
    });
    let names = [
        Some("apply_patch"),
        Some("local_shell"),
        Some("mcp__eyes__look"),
    ];
    assert_eq!(results.collect::<Vec<_>>(), names);
    assert_eq!(
        request.reasoning.and_then(|it| it.effort),
        Some(Effort::Max)
    );
    assert_eq!(request.openai["verbosity"], "low");
    assert_eq!(request.format, Format::Text);
    assert_eq!(request.echo["text"]["format"], json!({"type": "text"}));

    let response_context = ResponseContext::new(&request, "1", 7);
    let call = ToolCall {
        id: "c4".to_owned(),
        name: "mcp__eyes__look".to_owned(),
        arguments: String::new(),
        signature: None,
    };
    let response = Response {
        parts: vec![Part::ToolCall(call)],
        ..Response::default()
    };
    let written: Value = serde_json::from_slice(&encode_response(&response, &response_context))?;
    let item = &written["output"][0];
    assert_eq!(item["name"], "look");
    assert_eq!(item["namespace"], "mcp__eyes");
    assert_eq!(item["arguments"], "{}");
    assert_eq!(
        decode_response(&serde_json::to_vec(&written)?)?.parts.len(),
        1
    );
    Ok(())
}

fn codex_request() -> Value {
    json!({
        "model": "gpt-5-codex",
        "instructions": "You are a coding agent.",
        "input": [
            {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "Sandboxed."}]},
            {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "List."}]},
            {"type": "reasoning", "summary": [], "content": null, "encrypted_content": "gAAA"},
            {"type": "custom_tool_call", "status": "completed", "call_id": "c1", "name": "apply_patch", "input": "*** Begin"},
            {"type": "local_shell_call", "status": "completed", "call_id": "c2",
             "action": {"type": "exec", "command": ["ls"], "env": {}}},
            {"type": "function_call", "name": "look", "namespace": "mcp__eyes", "arguments": "{}", "call_id": "c3"},
            {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "Careful."}]},
            {"type": "custom_tool_call_output", "call_id": "c1", "output": "done"},
            {"type": "function_call_output", "call_id": "c2", "output": "a.txt"},
            {"type": "function_call_output", "call_id": "c3", "output": [
                {"type": "input_image", "image_url": "data:image/png;base64,AA=="}]},
        ],
        "tools": [
            {"type": "function", "name": "shell", "strict": false, "parameters": {"type": "object"}},
            {"type": "custom", "name": "apply_patch", "format": {"type": "grammar", "syntax": "lark", "definition": "a"}},
            {"type": "local_shell"},
            {"type": "namespace", "name": "mcp__eyes", "description": "Eyes", "tools": [
                {"type": "function", "name": "look", "parameters": {"type": "object"}}]},
        ],
        "tool_choice": "auto",
        "parallel_tool_calls": true,
        "reasoning": {"effort": "xhigh", "summary": "auto"},
        "store": false,
        "stream": true,
        "include": ["reasoning.encrypted_content"],
        "prompt_cache_key": "thread",
        "text": {"verbosity": "low"},
    })
}

#[test]
fn ignores_zero_penalties() -> Outcome {
    let mut request = user(vec![Part::text("Hi")]);
    request.sampling.presence_penalty = Some(0.0);
    request.sampling.frequency_penalty = Some(-0.0);
    assert_eq!(encode(&request)?.1, Vec::<String>::new());
    Ok(())
}
