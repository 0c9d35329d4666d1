//! Streams event by event: the encoded sequence, and the streams of providers that deviate from the API.

use std::borrow::Cow;

use serde_json::{Value, json};

use super::cases::collect_response;
use crate::anthropic::{decoder, encode_response, encoder};
use crate::ir::{
    Citation, Delta, Event, FinishReason, Frame, Malformed, Media, MediaSource, Part, PartStart,
    ReasoningPart, ResponseContext, Signature, ToolCall,
};
use crate::{Dialect, ProviderError, Usage};

fn response_context() -> ResponseContext {
    ResponseContext {
        id: "7".to_owned(),
        model: "m".to_owned(),
        ..ResponseContext::default()
    }
}

fn write(events: &[Event]) -> Vec<(Cow<'static, str>, Value)> {
    let mut encoder = encoder(response_context());
    let mut frames: Vec<Frame> = Vec::new();
    events
        .iter()
        .for_each(|event| encoder.event(event, &mut frames));
    let pair = |frame: Frame| (frame.name, serde_json::from_slice(&frame.data).unwrap());
    frames.into_iter().map(pair).collect()
}

fn read(events: &[Value]) -> Vec<Event> {
    let mut decoder = decoder();
    let mut out = Vec::new();
    for event in events {
        let name = event["type"].as_str().unwrap();
        decoder
            .event(name, event.to_string().as_bytes(), &mut out)
            .unwrap();
    }
    decoder.finish(&mut out);
    out
}

fn start() -> Event {
    Event::Start {
        id: "x".to_owned(),
        model: "y".to_owned(),
    }
}

fn gemini_signature(data: &str) -> Signature {
    Signature {
        origin: Dialect::Gemini,
        data: data.to_owned(),
    }
}

/// Returns the events of reasoning, redacted reasoning without its signature, a text with a citation, and a
/// call.
fn events_of_every_kind() -> Vec<Event> {
    let usage = Usage {
        input: 10,
        output: 5,
        cached_input: 4,
        cache_write_input: 1,
        reasoning: 2,
    };
    vec![
        start(),
        Event::PartStart(PartStart::Reasoning { redacted: false }),
        Event::Delta(Delta::Reasoning("t".to_owned())),
        Event::Delta(Delta::Signature(gemini_signature("s"))),
        Event::PartEnd,
        Event::PartStart(PartStart::Reasoning { redacted: true }),
        Event::PartEnd,
        Event::PartStart(PartStart::Text),
        Event::Delta(Delta::Text("a".to_owned())),
        Event::Delta(Delta::Citation(Citation {
            url: Some("https://example.com".to_owned()),
            title: None,
            quoted: None,
            span: None,
            raw: Value::Null,
        })),
        Event::PartEnd,
        Event::PartStart(PartStart::ToolCall {
            id: "c".to_owned(),
            name: "f".to_owned(),
            signature: None,
        }),
        Event::Delta(Delta::Arguments("{}".to_owned())),
        Event::PartEnd,
        Event::Finish(FinishReason::Stop),
        Event::Usage(usage),
        Event::Done,
        Event::Done,
        Event::Error(ProviderError::default()),
    ]
}

#[test]
fn encodes_stream_in_documented_order() {
    let frames = write(&events_of_every_kind());
    let at = |index: u64, delta: Value| json!({"type": "content_block_delta", "index": index, "delta": delta});
    let begin = |index: u64, block: Value| json!({"type": "content_block_start", "index": index, "content_block": block});
    let end = |index: u64| json!({"type": "content_block_stop", "index": index});
    let message = json!({
        "id": "msg_7", "type": "message", "role": "assistant", "model": "m", "content": [],
        "stop_reason": null, "stop_sequence": null,
        "usage": {"input_tokens": 0, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0, "output_tokens": 0},
    });
    let citation = json!({
        "type": "web_search_result_location", "url": "https://example.com", "title": null,
        "cited_text": "", "encrypted_index": "",
    });
    let spent = json!({
        "input_tokens": 5, "cache_creation_input_tokens": 1, "cache_read_input_tokens": 4,
        "output_tokens": 5, "output_tokens_details": {"thinking_tokens": 2},
    });
    let wrapped = gemini_signature("s").encode_for(Dialect::AnthropicMessages);
    let expected = vec![
        json!({"type": "message_start", "message": message}),
        begin(
            0,
            json!({"type": "thinking", "thinking": "", "signature": ""}),
        ),
        at(0, json!({"type": "thinking_delta", "thinking": "t"})),
        at(0, json!({"type": "signature_delta", "signature": wrapped})),
        end(0),
        begin(1, json!({"type": "text", "text": ""})),
        at(1, json!({"type": "text_delta", "text": "a"})),
        at(1, json!({"type": "citations_delta", "citation": citation})),
        end(1),
        begin(
            2,
            json!({"type": "tool_use", "id": "c", "name": "f", "input": {}}),
        ),
        at(2, json!({"type": "input_json_delta", "partial_json": "{}"})),
        end(2),
        json!({"type": "message_delta", "delta": {"stop_reason": "tool_use", "stop_sequence": null}, "usage": spent}),
        json!({"type": "message_stop"}),
    ];
    assert!(frames.iter().all(|(name, data)| **name == data["type"]));
    let data: Vec<Value> = frames.into_iter().map(|(_, data)| data).collect();
    assert_eq!(data, expected);
}

#[test]
fn nothing_follows_error_event() {
    let error = |kind: &str| ProviderError {
        message: "no".to_owned(),
        kind: Some(kind.to_owned()),
        ..ProviderError::default()
    };
    for (kind, written) in [
        ("overloaded_error", "overloaded_error"),
        ("UNAVAILABLE", "overloaded_error"),
        ("server_error", "api_error"),
        ("odd", "api_error"),
    ] {
        let frames = write(&[start(), Event::Error(error(kind)), Event::Done]);
        let expected = json!({"type": "error", "error": {"type": written, "message": "no"}});
        assert_eq!(frames[1..], [("error".into(), expected)]);
    }
}

#[test]
fn encodes_unsupported_media_as_text() {
    let image_part = |source| {
        Part::Image(Media {
            media_type: None,
            source,
            detail: None,
            title: None,
        })
    };
    let url = image_part(MediaSource::Url("https://example.com/a.png".to_owned()));
    let frames = write(&[
        start(),
        Event::PartStart(PartStart::Complete(url)),
        Event::PartEnd,
        Event::PartStart(PartStart::Complete(image_part(MediaSource::Base64(
            String::new(),
        )))),
        Event::PartEnd,
        Event::Done,
    ]);
    assert_eq!(frames[2].1["delta"]["text"], "https://example.com/a.png");
    assert_eq!(
        frames[5].1["delta"]["text"],
        "[a picture, which this API cannot carry]"
    );
}

#[test]
fn encodes_complete_parts_like_streamed_ones() {
    let reasoning = Part::Reasoning(ReasoningPart {
        text: "t".to_owned(),
        signature: Some(gemini_signature("s")),
        redacted: false,
    });
    let call = Part::ToolCall(ToolCall {
        id: "c".to_owned(),
        name: "f".to_owned(),
        arguments: "{\"a\":1}".to_owned(),
        signature: None,
    });
    let parts = [reasoning, Part::text("a"), call];
    let mut events = vec![start()];
    for part in &parts {
        events.extend([
            Event::PartStart(PartStart::Complete(part.clone())),
            Event::PartEnd,
        ]);
    }
    events.push(Event::Done);
    let data: Vec<Value> = write(&events).into_iter().map(|(_, data)| data).collect();
    let response = collect_response(&read(&data));
    assert_eq!(response.parts, parts);
    assert_eq!(response.finish, FinishReason::ToolCalls);
}

#[test]
fn call_signature_round_trips_through_client() {
    let part_start = PartStart::ToolCall {
        id: "c".to_owned(),
        name: "f".to_owned(),
        signature: Some(gemini_signature("s")),
    };
    let events = [
        start(),
        Event::PartStart(part_start),
        Event::Delta(Delta::Arguments("{}".to_owned())),
        Event::PartEnd,
        Event::Done,
    ];
    let frames = write(&events);
    let streamed = frames[1].1["content_block"].clone();
    let call = frames[3].1["content_block"].clone();
    assert_eq!(call["type"], "tool_use");
    let whole: Value = serde_json::from_slice(&encode_response(
        &collect_response(&events),
        &response_context(),
    ))
    .unwrap();
    assert_eq!(whole["content"], json!([streamed, call]));
    let body = json!({"model": "m", "messages": [
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": whole["content"]},
    ]});
    let request = super::read(&body).0.unwrap();
    let [Part::ToolCall(call)] = request.turns[1].parts.as_slice() else {
        panic!("{request:?}");
    };
    assert_eq!(call.signature, Some(gemini_signature("s")));
}

#[test]
fn tolerates_missing_events() {
    let events = read(&[
        json!({"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "t"}}),
        json!({"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": "a"}}),
        json!({"type": "content_block_start", "index": 2, "content_block": {"type": "tool_use", "name": "f", "input": {"a": 1}}}),
        json!({"type": "content_block_start", "index": 3, "content_block": {"type": "tool_use", "id": "c", "name": "g"}}),
        json!({"type": "news"}),
        json!({"type": "message_delta", "delta": {"stop_reason": "tool_use"}}),
    ]);
    assert!(matches!(events.first(), Some(Event::Start { .. })));
    assert_eq!(events.last(), Some(&Event::Done));
    let begins = events
        .iter()
        .filter(|it| matches!(it, Event::PartStart(_)))
        .count();
    let ends = events.iter().filter(|it| **it == Event::PartEnd).count();
    assert_eq!((begins, ends), (4, 4));
    let parts = collect_response(&events).parts;
    let arguments = |part: &Part| match part {
        Part::ToolCall(call) => (call.id.clone(), call.arguments.clone()),
        part => panic!("{part:?}"),
    };
    assert_eq!(parts[1], Part::text("a"));
    assert_eq!(
        arguments(&parts[2]),
        ("toolu_1".to_owned(), "{\"a\":1}".to_owned())
    );
    assert_eq!(arguments(&parts[3]), ("c".to_owned(), "{}".to_owned()));
}

#[test]
fn skips_server_tool_blocks() {
    let events = read(&[
        json!({"type": "message_start", "message": {"id": "a", "model": "b", "usage": {"input_tokens": 3}}}),
        json!({"type": "content_block_start", "index": 0, "content_block": {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}}}),
        json!({"type": "content_block_delta", "index": 0, "delta": {"type": "input_json_delta", "partial_json": "{}"}}),
        json!({"type": "content_block_stop", "index": 0}),
        json!({"type": "content_block_start", "index": 1, "content_block": {"type": "redacted_thinking", "data": "d"}}),
        json!({"type": "content_block_stop", "index": 1}),
        json!({"type": "message_delta", "delta": {"stop_reason": "refusal", "stop_details": {"type": "refusal", "explanation": "no"}}, "usage": {"output_tokens": 2}}),
        json!({"type": "message_stop"}),
        json!({"type": "content_block_start", "index": 2, "content_block": {"type": "text", "text": "late"}}),
    ]);
    let response = collect_response(&events);
    assert_eq!(response.parts.len(), 2);
    assert!(
        matches!(&response.parts[0], Part::Reasoning(reasoning) if reasoning.redacted && reasoning.signature.is_some())
    );
    assert_eq!(response.parts[1], Part::Refusal("no".to_owned()));
    assert_eq!(response.finish, FinishReason::Refusal);
    let usage = response.usage.unwrap();
    assert_eq!((usage.input, usage.output), (3, 2));
}

#[test]
fn truncated_stream_is_not_done() {
    let text = json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "a"}});
    let events = read(&[text]);
    assert!(!events.contains(&Event::Done));
    let mut decoder = decoder();
    let mut out = Vec::new();
    let odd = decoder.event("content_block_delta", b"<html>", &mut out);
    assert_eq!(odd, Err(Malformed("an event is no JSON object")));
    assert_eq!(out, []);
}
