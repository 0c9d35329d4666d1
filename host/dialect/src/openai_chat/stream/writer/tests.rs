//! Tests of encoding streams, and of decoding them again.

use serde_json::{Value, json};

use super::encoder;
use crate::ir::{
    Citation, Delta, Event, FinishReason, Frame, Part, PartStart, ResponseContext, Signature,
};
use crate::openai_chat::decoder;
use crate::{Dialect, ProviderError, Usage};

const STREAMS: [&str; 5] = [
    include_str!("../../../../../../tests/cases/dialects/streamed-text/openai-chat.stream.sse"),
    include_str!("../../../../../../tests/cases/dialects/streamed-tools/openai-chat.stream.sse"),
    include_str!("../../../../../../tests/cases/dialects/reasoning/openai-chat.stream.sse"),
    include_str!("../../../../../../tests/cases/dialects/errors/openai-chat.stream.sse"),
    include_str!("../../../../../../tests/cases/dialects/usage/openai-chat.stream.sse"),
];

fn response_context() -> ResponseContext {
    ResponseContext {
        id: "x".to_owned(),
        created: 7,
        model: "m".to_owned(),
        include_usage: true,
        custom_tools: vec!["patch".to_owned()],
        ..ResponseContext::default()
    }
}

fn frames(response_context: ResponseContext, events: &[Event]) -> Vec<Frame> {
    let mut encoder = encoder(response_context);
    let mut out = Vec::new();
    events
        .iter()
        .for_each(|event| encoder.event(event, &mut out));
    assert!(out.iter().all(|frame| frame.name.is_empty()));
    out
}

/// Encodes events as chunks. A frame that is not JSON, such as `[DONE]`, becomes a string.
fn chunks(events: &[Event]) -> Vec<Value> {
    let frames = frames(response_context(), events).into_iter();
    let read = |frame: Frame| {
        let text = || Value::from(String::from_utf8_lossy(&frame.data));
        serde_json::from_slice(&frame.data).unwrap_or_else(|_| text())
    };
    frames.map(read).collect()
}

fn deltas(events: &[Event]) -> Vec<Value> {
    let chunks = chunks(events).into_iter();
    chunks
        .map(|chunk| chunk["choices"][0]["delta"].clone())
        .collect()
}

fn decode<'a>(data: impl Iterator<Item = &'a [u8]>) -> Vec<Event> {
    let mut decoder = decoder();
    let mut out = Vec::new();
    for data in data {
        decoder.event("", data, &mut out).unwrap();
    }
    decoder.finish(&mut out);
    out
}

fn start() -> Event {
    let (id, model) = ("i".to_owned(), "p".to_owned());
    Event::Start { id, model }
}

fn text(text: &str) -> Event {
    Event::Delta(Delta::Text(text.to_owned()))
}

#[test]
fn golden_streams_round_trip() {
    for stream in STREAMS {
        let data = stream
            .lines()
            .filter_map(|line| line.strip_prefix("data: "));
        let mut events = decode(data.map(str::as_bytes));
        let written = frames(response_context(), &events);
        // The client gets Jackfield's id and the client's own name of the model.
        let (id, model) = ("chatcmpl-x".to_owned(), "m".to_owned());
        events[0] = Event::Start { id, model };
        assert_eq!(decode(written.iter().map(|frame| &frame.data[..])), events);
    }
}

#[test]
fn writes_chunks_in_documented_order() {
    let usage = Usage {
        input: 1,
        output: 2,
        cached_input: 0,
        cache_write_input: 0,
        reasoning: 0,
    };
    let events = [
        start(),
        Event::PartStart(PartStart::Text),
        text("a"),
        Event::PartEnd,
        Event::Usage(usage),
        Event::Finish(FinishReason::Length),
        Event::Done,
        Event::Done,
        text("after the end"),
    ];
    let chunk = |choices: Value, usage: Value| {
        json!({
            "id": "chatcmpl-x", "object": "chat.completion.chunk", "created": 7, "model": "m",
            "choices": choices, "usage": usage,
        })
    };
    let choice = |delta: Value, finish: Value| json!([{"index": 0, "delta": delta, "logprobs": null, "finish_reason": finish}]);
    let usage_body = json!({
        "prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3,
        "prompt_tokens_details": {"cached_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0},
    });
    let none = Value::Null;
    let expected = [
        chunk(
            choice(json!({"role": "assistant", "content": ""}), none.clone()),
            none.clone(),
        ),
        chunk(choice(json!({"content": "a"}), none.clone()), none.clone()),
        chunk(choice(json!({}), json!("length")), none),
        chunk(json!([]), usage_body),
        json!("[DONE]"),
    ];
    assert_eq!(chunks(&events), expected);
    let without_usage = ResponseContext {
        include_usage: false,
        ..response_context()
    };
    let frames = frames(without_usage, &events);
    assert_eq!(frames.len(), 4);
    let bytes: Vec<u8> = frames.into_iter().flat_map(|frame| frame.data).collect();
    assert!(!String::from_utf8_lossy(&bytes).contains("usage"));
}

#[test]
fn error_is_last_event() {
    let error = ProviderError {
        message: "m".to_owned(),
        kind: None,
        code: Some("c".to_owned()),
        param: None,
        passed_on: None,
    };
    let chunks = chunks(&[start(), Event::Error(error), Event::Done]);
    let expected =
        json!({"error": {"message": "m", "type": "server_error", "param": null, "code": "c"}});
    assert_eq!(chunks[1..], [expected]);
}

#[test]
fn writes_tool_calls_with_index_and_custom_input() {
    let signature = Signature {
        origin: Dialect::Gemini,
        data: "s".to_owned(),
    };
    let call = |id: &str, name: &str, signature| {
        let (id, name) = (id.to_owned(), name.to_owned());
        Event::PartStart(PartStart::ToolCall {
            id,
            name,
            signature,
        })
    };
    let arguments = |text: &str| Event::Delta(Delta::Arguments(text.to_owned()));
    let deltas = deltas(&[
        call("1", "f", Some(signature.clone())),
        arguments("{}"),
        Event::PartEnd,
        call("2", "patch", None),
        arguments(r#"{"inp"#),
        arguments(r#"ut":"a\nb"}"#),
        Event::PartEnd,
    ]);
    let signed = signature.encode_for(Dialect::OpenaiChat);
    let expected = [
        json!({"index": 0, "id": "1", "type": "function", "function": {"name": "f", "arguments": ""},
            "extra_content": {"google": {"thought_signature": signed}}}),
        json!({"index": 0, "function": {"arguments": "{}"}}),
        json!({"index": 1, "id": "2", "type": "custom", "custom": {"name": "patch", "input": ""}}),
        json!({"index": 1, "custom": {"input": "a\nb"}}),
    ];
    assert_eq!(deltas, expected.map(|call| json!({"tool_calls": [call]})));
}

#[test]
fn rejects_endless_custom_input() {
    let mut events = vec![Event::PartStart(PartStart::ToolCall {
        id: "1".to_owned(),
        name: "patch".to_owned(),
        signature: None,
    })];
    let piece = Event::Delta(Delta::Arguments("x".repeat(1 << 20)));
    events.extend(std::iter::repeat_n(piece, 5));
    events.extend([Event::PartEnd, Event::Done]);
    let chunks = chunks(&events);
    assert_eq!(chunks.len(), 2, "the beginning of the call, and the error");
    let message = "the arguments of a tool call are too long";
    assert_eq!(chunks[1]["error"]["message"], message);
}

#[test]
fn writes_reasoning_details_with_spans() {
    let foreign = Signature {
        origin: Dialect::AnthropicMessages,
        data: "s".to_owned(),
    };
    let sign = || Event::Delta(Delta::Signature(foreign.clone()));
    let events = [
        start(),
        Event::PartStart(PartStart::Reasoning { redacted: false }),
        Event::Delta(Delta::Reasoning("é".to_owned())),
        sign(),
        Event::PartEnd,
        Event::PartStart(PartStart::Reasoning { redacted: true }),
        sign(),
        Event::PartEnd,
    ];
    let data = foreign.encode_for(Dialect::OpenaiChat);
    let expected = [
        json!({"reasoning_content": "é"}),
        json!({"reasoning_details": [{"type": "reasoning.encrypted", "data": data, "index": 0, "span": [0, 2]}]}),
        json!({"reasoning_details": [{"type": "reasoning.encrypted", "data": data, "index": 1}]}),
    ];
    assert_eq!(deltas(&events)[1..], expected);
    let frames = frames(response_context(), &events);
    let decoded = decode(frames.iter().map(|frame| &frame.data[..]));
    assert_eq!(decoded[1..], events[1..]);
}

#[test]
fn citation_offsets_count_from_message_start() {
    let citation = Citation {
        url: Some("https://a.example".to_owned()),
        title: Some("A".to_owned()),
        quoted: None,
        span: Some((0, 1)),
        raw: Value::Null,
    };
    let deltas = deltas(&[
        Event::PartStart(PartStart::Text),
        text("éa"),
        Event::PartEnd,
        Event::PartStart(PartStart::Text),
        text("b"),
        Event::Delta(Delta::Citation(citation)),
        Event::PartEnd,
    ]);
    let cited = json!({"start_index": 2, "end_index": 3, "title": "A", "url": "https://a.example"});
    let expected =
        json!({"annotations": [{"type": "url_citation", "url_citation": cited, "index": 0}]});
    assert_eq!(deltas[2], expected);
}

#[test]
fn writes_images_and_refusals() {
    let media = crate::openai_chat::media::from_url("https://a.example/x".to_owned()).unwrap();
    let deltas = deltas(&[
        Event::PartStart(PartStart::Complete(Part::Image(media))),
        Event::PartEnd,
        Event::PartStart(PartStart::Refusal),
        Event::Delta(Delta::Refusal("No.".to_owned())),
        Event::PartEnd,
    ]);
    let image =
        json!({"type": "image_url", "image_url": {"url": "https://a.example/x"}, "index": 0});
    assert_eq!(
        deltas,
        [json!({"images": [image]}), json!({"refusal": "No."})]
    );
}
