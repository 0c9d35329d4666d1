//! What streams are read as.

use bytes::Bytes;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::decoder;
use crate::ir::{Delta, Event, FinishReason, Malformed, MediaSource, Part, PartStart, Signature};
use crate::openai_chat::json_strategy;
use crate::openai_chat::reasoning::own_signature;
use crate::sse::SseReader;
use crate::{Dialect, EventClass, ProviderError, Usage};

const STREAMS: [&str; 5] = [
    include_str!("../../../../../../tests/cases/dialects/streamed-text/openai-chat.stream.sse"),
    include_str!("../../../../../../tests/cases/dialects/streamed-tools/openai-chat.stream.sse"),
    include_str!("../../../../../../tests/cases/dialects/reasoning/openai-chat.stream.sse"),
    include_str!("../../../../../../tests/cases/dialects/errors/openai-chat.stream.sse"),
    include_str!("../../../../../../tests/cases/dialects/usage/openai-chat.stream.sse"),
];

/// Reads a whole stream, in chunks of a size.
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

/// Reads the deltas of one choice, without the start of the answer.
fn deltas(deltas: &[Value]) -> Vec<Event> {
    let mut decoder = decoder();
    let mut out = Vec::new();
    for delta in deltas {
        let chunk = json!({"choices": [{"index": 0, "delta": delta}]});
        decoder
            .event("", chunk.to_string().as_bytes(), &mut out)
            .unwrap();
    }
    decoder.event("", b"[DONE]", &mut out).unwrap();
    out.split_off(1)
}

fn start() -> Event {
    Event::Start {
        id: "chatcmpl-B9MHDbslfkBeAs8l4bebGdFOJ6PeG".to_owned(),
        model: "gpt-5.1-2025-11-13".to_owned(),
    }
}

fn text(text: &str) -> Event {
    Event::Delta(Delta::Text(text.to_owned()))
}

fn reasoning(text: &str) -> Event {
    Event::Delta(Delta::Reasoning(text.to_owned()))
}

fn arguments(text: &str) -> Event {
    Event::Delta(Delta::Arguments(text.to_owned()))
}

fn signature(data: &str) -> Event {
    Event::Delta(Delta::Signature(own_signature(data)))
}

fn reasoning_start(redacted: bool) -> Event {
    Event::PartStart(PartStart::Reasoning { redacted })
}

fn call_start(id: &str, name: &str) -> Event {
    Event::PartStart(PartStart::ToolCall {
        id: id.to_owned(),
        name: name.to_owned(),
        signature: None,
    })
}

/// The events with neighbouring pieces of arguments joined.
fn merge_arguments(events: Vec<Event>) -> Vec<Event> {
    let mut joined: Vec<Event> = Vec::new();
    for event in events {
        match (joined.last_mut(), event) {
            (Some(Event::Delta(Delta::Arguments(text))), Event::Delta(Delta::Arguments(more))) => {
                text.push_str(&more);
            }
            (_, event) => joined.push(event),
        }
    }
    joined
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
    // It told why it ends, and just closed.
    let ended = of(&chunk(json!("length")));
    assert_eq!(
        ended,
        [
            Event::PartEnd,
            Event::Finish(FinishReason::Length),
            Event::Done
        ]
    );
    // It was cut off.
    assert_eq!(of(&chunk(json!(null))), []);
    // What it says after that is no part of the answer.
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
    // It said that it is done, and not why.
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
fn splits_google_calls_by_id() {
    let call =
        |id: &str| json!({"index": 0, "id": id, "function": {"name": "f", "arguments": "{}"}});
    let events = deltas(&[
        json!({"tool_calls": [call("a"), call("b")]}),
        json!({"tool_calls": [call("b")]}),
    ]);
    let expected = [
        call_start("a", "f"),
        arguments("{}"),
        Event::PartEnd,
        call_start("b", "f"),
        arguments("{}"),
        arguments("{}"),
        Event::PartEnd,
        Event::Finish(FinishReason::ToolCalls),
        Event::Done,
    ];
    assert_eq!(events, expected);
}

#[test]
fn generates_missing_call_ids() {
    let call = |index: u64| json!({"tool_calls": [{"index": index, "function": {"name": "f"}}]});
    let events = deltas(&[call(0), call(1)]);
    assert_eq!(events[0], call_start("call_0", "f"));
    assert_eq!(events[2], call_start("call_1", "f"));
}

#[test]
fn rejects_delta_of_closed_call() {
    let mut decoder = decoder();
    let mut piece = |index: u64, name: &str, arguments: &str| {
        let function = json!({"name": name, "arguments": arguments});
        let delta = json!({"tool_calls": [{"index": index, "function": function}]});
        let chunk = json!({"choices": [{"delta": delta}]}).to_string();
        decoder.event("", chunk.as_bytes(), &mut Vec::new())
    };
    assert_eq!(piece(0, "f", "{"), Ok(EventClass::Content));
    assert_eq!(piece(1, "g", "{"), Ok(EventClass::Content));
    assert_eq!(piece(0, "", ""), Ok(EventClass::Preamble));
    let error = Malformed("a piece of a tool call belongs to none that is open");
    assert_eq!(piece(0, "", "}"), Err(error));
}

#[test]
fn moves_text_inside_call_after_it() {
    let piece = |arguments: &str| {
        let function = json!({"name": "f", "arguments": arguments});
        json!({"tool_calls": [{"index": 0, "id": "1", "function": function}]})
    };
    let events = merge_arguments(deltas(&[
        piece("{"),
        json!({"content": "\n"}),
        piece("}"),
        json!({"content": "x"}),
    ]));
    let expected = [
        call_start("1", "f"),
        arguments("{}"),
        Event::PartEnd,
        Event::PartStart(PartStart::Text),
        text("\nx"),
        Event::PartEnd,
    ];
    assert_eq!(events[..6], expected);
    let long = "x".repeat(70_000);
    let events = deltas(&[piece("{}"), json!({"content": long})]);
    assert_eq!(
        events[2..5],
        [
            Event::PartEnd,
            Event::PartStart(PartStart::Text),
            text(&long)
        ]
    );
}

#[test]
fn wraps_custom_tool_input_in_object() {
    let piece = |input: &str| json!({"tool_calls": [{"index": 0, "custom": {"input": input}}]});
    let first = json!({"tool_calls": [{"index": 0, "id": "1", "type": "custom", "custom": {"name": "p", "input": ""}}]});
    let events = merge_arguments(deltas(&[first, piece("a\""), piece("\nb")]));
    assert_eq!(
        events[..3],
        [
            call_start("1", "p"),
            arguments(r#"{"input":"a\"\nb"}"#),
            Event::PartEnd
        ]
    );
}

#[test]
fn decodes_deprecated_function_call() {
    let piece = |name: &str, arguments: &str| json!({"function_call": {"name": name, "arguments": arguments}});
    let events = merge_arguments(deltas(&[piece("f", ""), piece("", "{"), piece("", "}")]));
    assert_eq!(
        events[..3],
        [call_start("call_0", "f"), arguments("{}"), Event::PartEnd]
    );
}

#[test]
fn decodes_reasoning_details_in_any_order() {
    let text_of = |text: &str| json!({"type": "reasoning.text", "text": text, "index": 0});
    let last = json!({"type": "reasoning.text", "signature": "s", "index": 0});
    let events = deltas(&[
        json!({"reasoning": "a", "reasoning_details": [text_of("a")]}),
        json!({"reasoning_details": [text_of("b")]}),
        json!({"reasoning_details": [last]}),
        json!({"content": "x"}),
    ]);
    let whole = r#"[{"type":"reasoning.text","text":"ab","index":0,"signature":"s"}]"#;
    let expected = [
        reasoning_start(false),
        reasoning("a"),
        reasoning("b"),
        signature(whole),
        Event::PartEnd,
    ];
    assert_eq!(events[..5], expected);
    // Without a text, and after another part.
    let hidden = json!({"type": "reasoning.encrypted", "data": "d", "id": "r"});
    let events = deltas(&[
        json!({"content": "x"}),
        json!({"reasoning_details": [hidden]}),
    ]);
    let whole = r#"[{"type":"reasoning.encrypted","data":"d","id":"r"}]"#;
    assert_eq!(
        events[2..6],
        [
            Event::PartEnd,
            reasoning_start(true),
            signature(whole),
            Event::PartEnd
        ]
    );
    // One of Jackfield's own, wrapped.
    let foreign = Signature {
        origin: Dialect::Gemini,
        data: "g".to_owned(),
    };
    let sealed = json!({"type": "reasoning.encrypted", "data": foreign.encode_for(Dialect::OpenaiChat), "span": [0, 0]});
    let events = deltas(&[json!({"reasoning_details": [sealed]})]);
    let expected = [
        reasoning_start(false),
        Event::Delta(Delta::Signature(foreign)),
        Event::PartEnd,
    ];
    assert_eq!(events[..3], expected);
}

#[test]
fn decodes_images_citations_and_refusals() {
    let url = json!({"image_url": {"url": "https://a.example/x"}});
    let cited = json!({"type": "url_citation", "url_citation": {"url": "https://a.example", "title": "A", "start_index": 0, "end_index": 1}});
    let events = deltas(&[
        json!({"content": "x"}),
        json!({"content": "", "annotations": [cited]}),
        json!({"images": [url]}),
        json!({"refusal": "No."}),
    ]);
    let [
        Event::PartStart(PartStart::Text),
        _,
        Event::Delta(Delta::Citation(citation)),
        Event::PartEnd,
        rest @ ..,
    ] = &events[..]
    else {
        panic!("{events:?}");
    };
    assert_eq!(citation.span, Some((0, 1)));
    let [
        Event::PartStart(PartStart::Complete(Part::Image(image))),
        Event::PartEnd,
        rest @ ..,
    ] = rest
    else {
        panic!("{rest:?}");
    };
    assert_eq!(
        image.source,
        MediaSource::Url("https://a.example/x".to_owned())
    );
    assert_eq!(rest[0], Event::PartStart(PartStart::Refusal));
    assert_eq!(rest[3], Event::Finish(FinishReason::Refusal));
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
fn rejects_malformed_chunks() {
    for data in [&b"<html>"[..], b"7", b"\xff"] {
        let read = decoder().event("", data, &mut Vec::new());
        assert_eq!(read, Err(Malformed("an event is no JSON object")));
    }
}

/// Whether events come in the order that [`SseEvent`] promises.
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
