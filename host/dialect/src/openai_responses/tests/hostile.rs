//! Hostile input: no panics, and no unbounded buffers.

use proptest::prelude::*;

use super::*;

proptest! {
    #[test]
    fn never_panics_on_bytes(bytes in prop::collection::vec(any::<u8>(), 0..96), text in "[\\[\\]{}\",:a-z0-9\\\\ ]{0,64}") {
        for body in [bytes.as_slice(), text.as_bytes()] {
            let _ = decode(body);
            let _ = decode_response(body);
            let _ = check_body(body);
            let _ = events(body, 5);
            let _ = observer().observe("", body);
        }
    }

    #[test]
    fn never_panics_on_json(value in json_value(), name in name()) {
        let _ = with(&json!({&name: value}));
        let _ = with(&json!({"input": [value]}));
        let body = json!({name: value, "output": [value]}).to_string();
        let _ = decode_response(body.as_bytes());
        let _ = check_body(body.as_bytes());
    }

    #[test]
    fn events_stay_in_order(list in prop::collection::vec(event(), 0..24)) {
        let mut observer = observer();
        for data in &list {
            observer.observe("", data.to_string().as_bytes());
        }
        if let Ok(events) = events_of(&list) {
            // `collect_response` checks the order.
            let (response, done) = collect_response(&events);
            prop_assert!(!done || observer.completed());
            // The result can be encoded, both as a whole response and as a stream.
            let response_context = ResponseContext::default();
            let _ = encode_response(&response, &response_context);
            let written = frames(&events, response_context).map_err(|error| TestCaseError::fail(error.to_string()))?;
            for (index, (name, data)) in written.iter().enumerate() {
                prop_assert_eq!(&data["type"], name);
                prop_assert_eq!(&data["sequence_number"], &json!(index));
            }
        }
    }
}

/// Generates one event from members and values of this dialect.
fn event() -> impl Strategy<Value = Value> {
    let kind = prop::sample::select(vec![
        "response.created",
        "response.output_item.added",
        "response.output_item.done",
        "response.content_part.added",
        "response.output_text.delta",
        "response.output_text.done",
        "response.output_text.annotation.added",
        "response.refusal.delta",
        "response.reasoning_summary_text.delta",
        "response.reasoning_text.delta",
        "response.function_call_arguments.delta",
        "response.custom_tool_call_input.delta",
        "response.completed",
        "response.incomplete",
        "response.failed",
        "error",
        "keepalive",
    ]);
    let delta = prop::sample::select(vec!["", "a", "\"", "é\n"]);
    (kind, 0_u64..3, 0_u64..2, delta, item()).prop_map(|(kind, output_index, part, delta, item)| {
        json!({
            "type": kind,
            "output_index": output_index,
            "content_index": part,
            "summary_index": part,
            "delta": delta,
            "item": item,
            "annotation": {"type": "url_citation", "url": "https://example.com"},
            "response": {"id": "r", "status": "completed", "output": [item]},
        })
    })
}

fn item() -> impl Strategy<Value = Value> {
    let text = "[a-z\"\\\\]{0,4}";
    let kind = prop::sample::select(vec![
        "message",
        "reasoning",
        "function_call",
        "custom_tool_call",
        "image_generation_call",
        "web_search_call",
    ]);
    let content = prop::sample::select(vec!["output_text", "refusal", "summary_text"]);
    (kind, content, text).prop_map(|(kind, content, text)| {
        json!({
            "type": kind,
            "content": [{"type": content, "text": text, "refusal": text}],
            "summary": [{"type": content, "text": text}],
            "encrypted_content": text,
            "call_id": text,
            "name": text,
            "arguments": text,
            "input": text,
            "result": text,
        })
    })
}

fn name() -> impl Strategy<Value = String> {
    prop::sample::select(vec![
        "input",
        "tools",
        "tool_choice",
        "text",
        "reasoning",
        "instructions",
        "include",
        "store",
        "metadata",
        "output",
        "status",
        "usage",
        "incomplete_details",
        "error",
        "temperature",
    ])
    .prop_map(str::to_owned)
}

fn json_value() -> impl Strategy<Value = Value> {
    let word = prop::sample::select(vec![
        "message",
        "reasoning",
        "function_call",
        "function_call_output",
        "custom_tool_call",
        "tool_search",
        "tool_search_call",
        "tool_search_output",
        "agent_message",
        "client",
        "user",
        "assistant",
        "input_text",
        "input_image",
        "input_file",
        "data:a;base64,AA==",
        "function",
        "namespace",
        "custom",
        "allowed_tools",
        "auto",
        "json_schema",
        "high",
        "",
    ]);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        word.prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        let member = prop::sample::select(vec![
            "type",
            "role",
            "content",
            "text",
            "name",
            "call_id",
            "arguments",
            "output",
            "input",
            "image_url",
            "file_data",
            "summary",
            "encrypted_content",
            "execution",
            "id",
            "tools",
            "mode",
            "format",
            "schema",
            "effort",
            "action",
            "reason",
            "input_tokens",
        ]);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((member, inner), 0..6).prop_map(|members| {
                members
                    .into_iter()
                    .map(|(name, value)| (name.to_owned(), value))
                    .collect()
            }),
        ]
    })
}

#[test]
fn fails_when_response_exceeds_buffer() -> Outcome {
    let piece = "x".repeat(1 << 20);
    let mut encoder = encoder(ResponseContext::default());
    let mut out = Vec::new();
    encoder.event(&Event::PartStart(PartStart::Text), &mut out);
    let mut last = None;
    for _ in 0..40 {
        encoder.event(&Event::Delta(Delta::Text(piece.clone())), &mut out);
        last = out.pop().or(last);
        out.clear();
    }
    encoder.event(&Event::PartEnd, &mut out);
    encoder.event(&Event::Done, &mut out);
    assert!(out.is_empty(), "output after the failure");
    assert_eq!(
        last.map(|frame| frame.name.into_owned()).as_deref(),
        Some("response.failed")
    );
    Ok(())
}

#[test]
fn rejects_too_many_waiting_bytes() {
    let mut data = vec![
        json!({"type": "response.output_item.added", "output_index": 0, "item": {"type": "message"}}),
    ];
    let text = "x".repeat(1 << 20);
    for output_index in 1..40 {
        let item = json!({"type": "message", "content": [{"type": "output_text", "text": text}]});
        data.push(
            json!({"type": "response.output_item.done", "output_index": output_index, "item": item}),
        );
    }
    assert!(events_of(&data).is_err());
}

#[test]
fn rejects_too_many_items() {
    let item = json!({"type": "web_search_call"});
    let mut decoder = decoder();
    let mut out = Vec::new();
    let refused = (0..20_000).any(|output_index| {
        let data =
            json!({"type": "response.output_item.done", "output_index": output_index, "item": item});
        decoder
            .event("", data.to_string().as_bytes(), &mut out)
            .is_err()
    });
    assert!(refused);
}
