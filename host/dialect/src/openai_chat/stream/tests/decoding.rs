//! Tests of whole streams: their beginning, errors, and end.

use bytes::Bytes;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{
    arguments, call_start, deltas, merge_arguments, reasoning, reasoning_start, signature, text,
};
use crate::ir::{Event, FinishReason, Malformed, PartStart};
use crate::openai_chat::{decoder, json_strategy};
use crate::sse::SseReader;
use crate::{ProviderError, Usage};

const STREAMS: [&str; 5] = [
    include_str!("../../../../../../tests/cases/dialects/streamed-text/openai-chat.stream.sse"),
    include_str!("../../../../../../tests/cases/dialects/streamed-tools/openai-chat.stream.sse"),
    include_str!("../../../../../../tests/cases/dialects/reasoning/openai-chat.stream.sse"),
    include_str!("../../../../../../tests/cases/dialects/errors/openai-chat.stream.sse"),
    include_str!("../../../../../../tests/cases/dialects/usage/openai-chat.stream.sse"),
];

/// Decodes a whole stream that arrives in chunks of `size` bytes.
fn read(stream: &str, size: usize) -> Vec<Event> {
    let mut reader = SseReader::default();
    let mut decoder = decoder();
    let mut out = Vec::new();
    for chunk in stream.as_bytes().chunks(size) {
        reader.push(Bytes::copy_from_slice(chunk));
        while let Some(event) = reader.next_event().unwrap() {
            decoder.event(event.name(), &event.data, &mut out).unwrap();
        }
    }
    decoder.finish(&mut out);
    out
}

fn start() -> Event {
    Event::Start {
        id: "chatcmpl-B9MHDbslfkBeAs8l4bebGdFOJ6PeG".to_owned(),
        model: "gpt-5.1-2025-11-13".to_owned(),
    }
}

#[test]
fn chunk_size_does_not_change_events() {
    for stream in STREAMS {
        let whole = read(stream, stream.len());
        assert!(whole.len() > 4);
        for size in 1..200 {
            assert_eq!(read(stream, size), whole, "in chunks of {size}");
        }
    }
}

#[test]
fn a_text_is_one_part() {
    let mut expected = vec![start(), Event::PartStart(PartStart::Text)];
    expected.extend(["The", " capital", " of France", " is", " Paris", "."].map(text));
    expected.extend([
        Event::PartEnd,
        Event::Finish(FinishReason::Stop),
        Event::Usage(Usage {
            input: 14,
            output: 8,
            cached_input: 0,
            cache_write_input: 0,
            reasoning: 0,
        }),
        Event::Done,
    ]);
    assert_eq!(read(STREAMS[0], 99), expected);
}

#[test]
fn decodes_parallel_tool_calls() {
    let events = merge_arguments(read(STREAMS[1], 99));
    let expected = [
        start(),
        Event::PartStart(PartStart::Text),
        text("Let me"),
        text(" look."),
        Event::PartEnd,
        call_start("call_weather", "get_weather"),
        arguments(r#"{"city":"Paris","unit":"celsius"}"#),
        Event::PartEnd,
        call_start("call_time", "get_time"),
        arguments(r#"{"zone":"Europe/Paris"}"#),
        Event::PartEnd,
        Event::Finish(FinishReason::ToolCalls),
        Event::Usage(Usage {
            input: 82,
            output: 46,
            cached_input: 0,
            cache_write_input: 0,
            reasoning: 0,
        }),
        Event::Done,
    ];
    assert_eq!(events, expected);
}

#[test]
fn reasoning_ends_with_its_signature() {
    let events = read(STREAMS[2], 99);
    let expected = [
        reasoning_start(false),
        reasoning("Adding"),
        reasoning(" the two."),
        signature("c2lnbmF0dXJlLXR3bw=="),
        Event::PartEnd,
        Event::PartStart(PartStart::Text),
    ];
    assert_eq!(events[1..7], expected);
}

#[test]
fn an_error_ends_a_stream() {
    let events = read(STREAMS[3], 99);
    let error = ProviderError {
        message: "The server had an error while processing your request. Sorry about that!"
            .to_owned(),
        kind: Some("server_error".to_owned()),
        code: None,
        param: None,
        passed_on: None,
    };
    assert_eq!(events[3..], [text(" of"), Event::Error(error)]);
}

#[test]
fn detects_errors_in_every_position() {
    for (name, data) in [
        ("", r#"{"error":{"message":"m"}}"#),
        (
            "",
            r#"{"choices":[{"index":0,"delta":{},"error":{"message":"m"}}]}"#,
        ),
        ("", r#"{"choices":[],"x_groq":{"error":"m"}}"#),
        ("", r#"{"object":"error","message":"m"}"#),
        ("error", r#"{"message":"m"}"#),
        ("error", "m"),
    ] {
        let mut out = Vec::new();
        let mut decoder = decoder();
        decoder.event(name, data.as_bytes(), &mut out).unwrap();
        decoder.event("", b"[DONE]", &mut out).unwrap();
        decoder.finish(&mut out);
        let expected = ProviderError {
            message: "m".to_owned(),
            ..ProviderError::default()
        };
        assert_eq!(out, [Event::Error(expected)], "{data}");
    }
}

#[test]
fn completes_streams_without_terminator() {
    let chunk = |finish: Value| {
        json!({"choices": [{"delta": {"content": "x"}, "finish_reason": finish}]}).to_string()
    };
    let of = |chunk: &str| {
        let mut out = Vec::new();
        let mut decoder = decoder();
        decoder.event("", chunk.as_bytes(), &mut out).unwrap();
        decoder.finish(&mut out);
        out.split_off(3)
    };
    // A stream with a finish reason and without `[DONE]`.
    let ended = of(&chunk(json!("length")));
    assert_eq!(
        ended,
        [
            Event::PartEnd,
            Event::Finish(FinishReason::Length),
            Event::Done
        ]
    );
    // A stream that was cut off.
    assert_eq!(of(&chunk(json!(null))), []);
    // Content after the finish reason is ignored.
    let mut out = Vec::new();
    let mut more = decoder();
    for reason in ["length", "stop"] {
        let data = chunk(json!(reason));
        more.event("", data.as_bytes(), &mut out).unwrap();
    }
    assert_eq!(
        out[3..],
        [Event::PartEnd, Event::Finish(FinishReason::Length)]
    );
    // A stream with `[DONE]` and without a finish reason.
    let done = deltas(&[json!({"content": "x"})]);
    assert_eq!(
        done[2..],
        [
            Event::PartEnd,
            Event::Finish(FinishReason::Stop),
            Event::Done
        ]
    );
}

#[test]
fn ignores_azure_prompt_filter_chunk() {
    let mut decoder = decoder();
    let mut out = Vec::new();
    let filters = br#"{"choices":[],"id":"","model":"","prompt_filter_results":[]}"#;
    decoder.event("", filters, &mut out).unwrap();
    assert_eq!(out, []);
    let chunk = br#"{"choices":[{"delta":{"role":"assistant"}}],"id":"i","model":"m"}"#;
    decoder.event("", chunk, &mut out).unwrap();
    let (id, model) = ("i".to_owned(), "m".to_owned());
    assert_eq!(out, [Event::Start { id, model }]);
}

#[test]
fn decodes_first_choice_only() {
    let mut decoder = decoder();
    let mut out = Vec::new();
    for data in [
        json!({"choices": [{"index": 1, "delta": {"content": "other"}, "finish_reason": "stop"}]}),
        // A whole message in one chunk.
        json!({"choices": [
            {"index": 1, "delta": {"content": "other"}},
            {"index": 0, "delta": {}, "message": {"content": "x"}, "finish_reason": "stop"},
        ]}),
    ] {
        let data = data.to_string();
        decoder.event("", data.as_bytes(), &mut out).unwrap();
    }
    decoder.finish(&mut out);
    let expected = [
        Event::PartStart(PartStart::Text),
        text("x"),
        Event::PartEnd,
        Event::Finish(FinishReason::Stop),
        Event::Done,
    ];
    assert_eq!(out[1..], expected);
}

#[test]
fn rejects_malformed_chunks() {
    for (data, error) in [
        (&b"<html>"[..], "an event is not a chunk"),
        (b"7", "an event is not a chunk"),
        (br#"{"choices":{}}"#, "an event is not a chunk"),
    ] {
        let read = decoder().event("", data, &mut Vec::new());
        assert_eq!(read, Err(Malformed(error)));
    }
}

/// Whether events come in the order that [`Event`] documents.
fn in_order(events: &[Event]) -> bool {
    let (mut started, mut open, mut finished, mut ended) = (false, false, false, false);
    events.iter().all(|event| {
        let fine = !ended && (started || matches!(event, Event::Start { .. } | Event::Error(_)));
        fine && match event {
            Event::Start { .. } => !std::mem::replace(&mut started, true),
            Event::PartStart(_) => !finished && !std::mem::replace(&mut open, true),
            Event::Delta(_) => open,
            Event::PartEnd => std::mem::replace(&mut open, false),
            Event::Finish(_) => !open && !std::mem::replace(&mut finished, true),
            Event::Done => finished && !std::mem::replace(&mut ended, true),
            Event::Error(_) => !std::mem::replace(&mut ended, true),
            Event::Usage(_) => true,
        }
    })
}

proptest! {
    #[test]
    fn decode_never_panics(name in "(error)?", data in prop::collection::vec(any::<u8>(), 0..64)) {
        let _ = decoder().event(&name, &data, &mut Vec::new()).is_ok();
    }

    #[test]
    fn events_stay_in_order(deltas in prop::collection::vec((json_strategy::object(), json_strategy::object()), 0..8)) {
        let mut decoder = decoder();
        let mut out = Vec::new();
        for (mut choice, delta) in deltas {
            choice["delta"] = delta;
            let chunk = json!({"choices": [choice]}).to_string();
            if decoder.event("", chunk.as_bytes(), &mut out).is_err() {
                break;
            }
        }
        decoder.finish(&mut out);
        prop_assert!(in_order(&out), "{:?}", out);
    }
}
