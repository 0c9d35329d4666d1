//! Single streams: unusual streams that must be decoded, and the encoded sequence of events.

use super::*;
use crate::ir::{FinishReason, Signature, ToolCall};
use crate::{Dialect, ErrorBody};

fn item(kind: &str, output_index: u64, item: &Value) -> Value {
    json!({"type": format!("response.output_item.{kind}"), "output_index": output_index, "item": item})
}

fn message(text: &str) -> Value {
    json!({"type": "message", "content": [{"type": "output_text", "text": text}]})
}

fn completed(output: &Value) -> Value {
    json!({"type": "response.completed", "response": {"id": "r", "status": "completed", "output": output}})
}

#[test]
fn decodes_stream_without_deltas() -> Outcome {
    let call = json!({"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"});
    let (response, done) = collect_response(&events_of(&[
        item("done", 0, &message("a")),
        completed(&json!([message("a"), call])),
    ])?);
    assert!(done);
    assert_eq!(response.parts.len(), 2);
    assert_eq!(response.finish, FinishReason::ToolCalls);
    Ok(())
}

#[test]
fn serializes_overlapping_items() -> Outcome {
    let call = |arguments: &str| json!({"type": "function_call", "call_id": "c", "name": "f", "arguments": arguments});
    let delta = |output_index: u64, kind: &str, delta: &str| json!({"type": format!("response.{kind}.delta"), "output_index": output_index, "delta": delta});
    let (response, done) = collect_response(&events_of(&[
        item("added", 0, &json!({"type": "message", "content": []})),
        delta(0, "output_text", "a"),
        item("added", 1, &call("")),
        delta(1, "function_call_arguments", "{\"x\":"),
        delta(0, "output_text", "b"),
        item("done", 1, &call("{\"x\":1}")),
        item("done", 0, &message("ab")),
        // The final event does not repeat the items, because each item had its own `done` event.
        completed(&json!([])),
    ])?);
    assert!(done);
    let [Part::Text { text, .. }, Part::ToolCall(call)] = response.parts.as_slice() else {
        return Err(format!("{:?}", response.parts).into());
    };
    assert_eq!(
        (text.as_str(), call.arguments.as_str()),
        ("ab", "{\"x\":1}")
    );
    Ok(())
}

#[test]
fn wraps_custom_tool_input_in_object() -> Outcome {
    let call = json!({"type": "custom_tool_call", "call_id": "c", "name": "f", "input": ""});
    let mut data = vec![item("added", 0, &call)];
    for delta in ["say \"", "hi\"\n"] {
        data.push(json!({"type": "response.custom_tool_call_input.delta", "output_index": 0, "delta": delta}));
    }
    data.push(item(
        "done",
        0,
        &json!({"type": "custom_tool_call", "call_id": "c", "name": "f", "input": "say \"hi\"\n"}),
    ));
    let (response, _) = collect_response(&events_of(&data)?);
    let expected = ToolCall {
        id: "c".to_owned(),
        name: "f".to_owned(),
        arguments: json!({"input": "say \"hi\"\n"}).to_string(),
        signature: None,
    };
    assert_eq!(response.parts, [Part::ToolCall(expected)]);
    Ok(())
}

#[test]
fn ignores_deltas_of_other_item_types() -> Outcome {
    let delta = |kind: &str| json!({"type": format!("response.{kind}.delta"), "output_index": 0, "delta": "x"});
    let kinds = [
        "output_text",
        "refusal",
        "reasoning_text",
        "function_call_arguments",
        "custom_tool_call_input",
    ];
    let call = json!({"type": "function_call", "call_id": "c", "name": "f"});
    for (item_of, goes) in [
        (json!({"type": "message"}), 2),
        (json!({"type": "reasoning", "encrypted_content": "gA"}), 1),
        (call, 1),
    ] {
        let mut data = vec![item("added", 0, &item_of)];
        data.extend(kinds.map(delta));
        data.push(item("done", 0, &item_of));
        let read = events_of(&data)?;
        let (response, _) = collect_response(&read);
        assert_eq!(response.parts.len(), goes, "{item_of}");
        let pieces = read.iter().filter(|event| match event {
            Event::Delta(Delta::Signature(_)) => false,
            event => matches!(event, Event::Delta(_)),
        });
        assert_eq!(pieces.count(), goes, "{item_of}");
    }
    Ok(())
}

#[test]
fn joins_summary_parts_into_one_reasoning_part() -> Outcome {
    let mut data = vec![item(
        "added",
        0,
        &json!({"type": "reasoning", "id": "rs_1"}),
    )];
    for (kind, index, delta) in [
        ("reasoning_summary_text", 0, "a"),
        ("reasoning_summary_text", 1, "b"),
        ("reasoning_text", 0, "passed over"),
    ] {
        data.push(
            json!({"type": format!("response.{kind}.delta"), "output_index": 0,
            "summary_index": index, "content_index": index, "delta": delta}),
        );
    }
    data.push(item(
        "done",
        0,
        &json!({"type": "reasoning", "id": "rs_1", "encrypted_content": "gA"}),
    ));
    let (response, done) = collect_response(&events_of(&data)?);
    assert!(!done, "a truncated stream must not be done");
    let reasoning = ReasoningPart {
        text: "a\n\nb".to_owned(),
        signature: Some(reasoning::from_parts(Some("rs_1"), "gA")),
        redacted: false,
    };
    assert_eq!(response.parts, [Part::Reasoning(reasoning)]);
    Ok(())
}

#[test]
fn detects_every_failure_event() -> Outcome {
    for data in [
        json!({"type": "error", "code": "c", "message": "m", "param": null}),
        json!({"type": "error", "error": {"type": "t", "code": "c", "message": "m"}}),
        json!({"type": "response.failed", "response": {"status": "failed", "error": {"code": "c", "message": "m"}}}),
        json!({"error": {"code": "c", "message": "m"}}),
    ] {
        let read = events_of(&[data.clone(), completed(&json!([]))])?;
        let [Event::Error(error)] = read.as_slice() else {
            return Err(format!("{data}: {read:?}").into());
        };
        assert_eq!(
            (error.code.as_deref(), error.message.as_str()),
            (Some("c"), "m")
        );
        let seen = observer().observe("", data.to_string().as_bytes());
        assert_eq!(seen, EventClass::Error(error.clone()), "{data}");
    }
    Ok(())
}

#[test]
fn rejects_malformed_events() {
    for data in ["", "{", "[]", "7", "OK"] {
        let class = observer().observe("", data.as_bytes());
        assert_eq!(class, EventClass::Malformed, "{data}");
        let mut out = Vec::new();
        assert!(
            decoder().event("", data.as_bytes(), &mut out).is_err(),
            "{data}"
        );
    }
    let ping = br#"{"type":"keepalive","sequence_number":3}"#;
    assert_eq!(observer().observe("keepalive", ping), EventClass::Preamble);
}

fn response_context() -> ResponseContext {
    ResponseContext {
        id: "7".to_owned(),
        created: 7,
        model: "mine".to_owned(),
        include_usage: true,
        custom_tools: vec!["bare".to_owned()],
        echo: [("instructions".to_owned(), json!("Be brief."))]
            .into_iter()
            .collect(),
        ..ResponseContext::default()
    }
}

fn call(name: &str, arguments: &str) -> Part {
    Part::ToolCall(ToolCall {
        id: "call_1".to_owned(),
        name: name.to_owned(),
        arguments: arguments.to_owned(),
        signature: None,
    })
}

#[test]
fn writes_documented_event_sequence() -> Outcome {
    let response = Response {
        parts: vec![
            Part::Reasoning(ReasoningPart {
                text: "h".to_owned(),
                signature: Some(Signature {
                    origin: Dialect::AnthropicMessages,
                    data: "s".to_owned(),
                }),
                redacted: false,
            }),
            Part::text("a"),
            Part::Refusal("n".to_owned()),
            call("look", ""),
            call("bare", r#"{"input":"ls"}"#),
        ],
        finish: FinishReason::ToolCalls,
        ..Response::default()
    };
    let written = frames(&stream_events(&response), response_context())?;
    let names: Vec<&str> = written.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, SEQUENCE);
    let mut ids = Vec::new();
    for (index, (name, data)) in written.iter().enumerate() {
        assert_eq!(
            (&data["type"], &data["sequence_number"]),
            (&json!(name), &json!(index))
        );
        if name == "response.output_item.added" {
            assert_eq!(data["output_index"], ids.len());
            ids.push(data["item"]["id"].clone());
        } else if let Some(output_index) = data["output_index"]
            .as_u64()
            .filter(|_| data["item_id"].is_string())
        {
            assert_eq!(
                Some(&data["item_id"]),
                ids.get(usize::try_from(output_index)?),
                "{name}"
            );
        }
    }
    assert_eq!(ids, ["rs_7_0", "msg_7_1", "fc_7_2", "ctc_7_3"]);

    let last = &written[written.len() - 1].1["response"];
    // The final event holds the same response as a call without streaming.
    let whole: Value = serde_json::from_slice(&encode_response(&response, &response_context()))?;
    assert_eq!(*last, whole);
    assert_eq!(last["instructions"], "Be brief.");
    assert_eq!(last["model"], "mine");
    assert_eq!(last["output"][2]["arguments"], "{}");
    assert_eq!(last["output"][3]["input"], "ls");
    assert_eq!(written[0].1["response"]["status"], "in_progress");
    Ok(())
}

const SEQUENCE: [&str; 27] = [
    "response.created",
    "response.in_progress",
    "response.output_item.added",
    "response.reasoning_summary_part.added",
    "response.reasoning_summary_text.delta",
    "response.reasoning_summary_text.done",
    "response.reasoning_summary_part.done",
    "response.output_item.done",
    "response.output_item.added",
    "response.content_part.added",
    "response.output_text.delta",
    "response.output_text.done",
    "response.content_part.done",
    "response.content_part.added",
    "response.refusal.delta",
    "response.refusal.done",
    "response.content_part.done",
    "response.output_item.done",
    "response.output_item.added",
    "response.function_call_arguments.delta",
    "response.function_call_arguments.done",
    "response.output_item.done",
    "response.output_item.added",
    "response.custom_tool_call_input.delta",
    "response.custom_tool_call_input.done",
    "response.output_item.done",
    "response.completed",
];

#[test]
fn call_signature_round_trips() -> Outcome {
    let signature = Signature {
        origin: Dialect::Gemini,
        data: "sig".to_owned(),
    };
    let tool_call = ToolCall {
        id: "c".to_owned(),
        name: "look".to_owned(),
        arguments: "{}".to_owned(),
        signature: Some(signature),
    };
    let response = Response {
        parts: vec![Part::ToolCall(tool_call.clone())],
        ..Response::default()
    };
    let whole: Value = serde_json::from_slice(&encode_response(&response, &response_context()))?;
    let written = frames(&stream_events(&response), response_context())?;
    let last = &written[written.len() - 1].1["response"];
    for response in [&whole, last] {
        let mut input = response["output"].as_array().cloned().unwrap_or_default();
        // Codex sends the items back without their ids.
        for item in &mut input {
            item.as_object_mut()
                .map(|members| members.shift_remove("id"));
        }
        let (request, lost) = with(&json!({"input": input}))?;
        assert!(lost.is_empty());
        assert_eq!(request.turns[0].parts, [Part::ToolCall(tool_call.clone())]);
    }
    Ok(())
}

#[test]
fn incomplete_response_has_reason() -> Outcome {
    let response = Response {
        parts: vec![Part::text("b"), call("look", "{}"), Part::text("a")],
        finish: FinishReason::Length,
        ..Response::default()
    };
    let whole: Value = serde_json::from_slice(&encode_response(&response, &response_context()))?;
    let written = frames(&stream_events(&response), response_context())?;
    let (name, data) = &written[written.len() - 1];
    assert_eq!(name, "response.incomplete");
    let response = &data["response"];
    assert_eq!(
        response["incomplete_details"],
        json!({"reason": "max_output_tokens"})
    );
    assert_eq!(*response, whole);
    assert_eq!(response["output"][0]["status"], "completed");
    assert_eq!(response["output"][2]["status"], "incomplete");
    Ok(())
}

#[test]
fn failure_ends_stream_once() -> Outcome {
    let error = crate::ProviderError {
        message: "slow down".to_owned(),
        code: Some("rate_limit_exceeded".to_owned()),
        ..crate::ProviderError::default()
    };
    let events = [
        Event::PartStart(PartStart::Text),
        Event::Error(error.clone()),
        Event::PartEnd,
        Event::Done,
    ];
    let written = frames(&events, response_context())?;
    let (name, data) = &written[written.len() - 1];
    assert_eq!(name, "response.failed");
    assert_eq!(
        written
            .iter()
            .filter(|(name, _)| name == "response.failed")
            .count(),
        1
    );
    assert_eq!(
        data["response"]["error"],
        json!({"code": "rate_limit_exceeded", "message": "slow down"})
    );
    assert_eq!(data["error"]["message"], "slow down");
    let seen = observer().observe(name, data.to_string().as_bytes());
    assert!(matches!(seen, EventClass::Error(seen) if seen.message == error.message));
    Ok(())
}

#[test]
fn nothing_follows_exceeded_limit() -> Outcome {
    let signature = Signature {
        origin: Dialect::Gemini,
        data: "s".repeat(crate::limits::HELD_RESPONSE_BYTES_MAX / 2 + 1),
    };
    let call = PartStart::ToolCall {
        id: "c".to_owned(),
        name: "f".to_owned(),
        signature: Some(signature.clone()),
    };
    for next in [PartStart::Text, call] {
        let events = [
            Event::PartStart(PartStart::Reasoning { redacted: true }),
            Event::Delta(Delta::Signature(signature.clone())),
            // It ends the reasoning, which exceeds the limit as an item.
            Event::PartStart(next),
            Event::PartEnd,
            Event::Done,
        ];
        let written = frames(&events, response_context())?;
        let names: Vec<_> = written.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(
            names,
            [
                "response.created",
                "response.in_progress",
                "response.failed"
            ]
        );
    }
    Ok(())
}

#[test]
fn gateway_error_is_one_event() -> Outcome {
    let error = ErrorBody {
        message: "a \"b\"\nc",
        kind: "rate_limit_error",
        code: None,
        param: None,
        cooldown: None,
    };
    let mut reader = SseReader::default();
    reader.push(render_stream_error(&error));
    let event = reader.next_event()?.ok_or("no event")?;
    assert_eq!(event.name(), "response.failed");
    assert_eq!(reader.buffered_len(), 0);
    let data: Value = serde_json::from_slice(&event.data)?;
    assert_eq!(data["response"]["error"]["code"], "rate_limit_exceeded");
    assert_eq!(data["error"]["message"], "a \"b\"\nc");
    Ok(())
}
