//! The cases that all dialects share: decoded values and round trips.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{read, write};
use crate::anthropic::{check_body, decode_response, decoder, encode_response, encoder, observer};
use crate::ir::{
    Delta, Effort, Event, FinishReason, Format, Frame, MediaSource, Part, PartStart, Request,
    Response, ResponseContext, Role, ToolChoice,
};
use crate::sse::{SseReader, write_event};
use crate::{BodyCheck, Dialect, EventClass, Observer, ProviderError, Usage};

fn case(name: &str, kind: &str) -> Vec<u8> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/cases/dialects");
    fs::read(root.join(name).join(format!("anthropic-messages.{kind}"))).unwrap()
}

fn names() -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/cases/dialects");
    let folders = fs::read_dir(root)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let name = |path: PathBuf| path.file_name().unwrap().to_str().unwrap().to_owned();
    folders.map(name).collect()
}

fn has(name: &str, kind: &str) -> bool {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/cases/dialects");
    root.join(name)
        .join(format!("anthropic-messages.{kind}"))
        .exists()
}

fn decoded_request(name: &str) -> Request {
    let body: Value = serde_json::from_slice(&case(name, "request.json")).unwrap();
    let (request, warnings) = read(&body);
    assert_eq!(warnings, [], "{name}");
    request.unwrap()
}

fn decoded_response(name: &str) -> Response {
    decode_response(&case(name, "response.json")).unwrap()
}

/// Decodes a stream that arrives in chunks of `size` bytes.
fn events(stream: &[u8], size: usize) -> Vec<Event> {
    let mut reader = SseReader::default();
    let mut decoder = decoder();
    let mut events = Vec::new();
    for chunk in stream.chunks(size) {
        reader.push(bytes::Bytes::copy_from_slice(chunk));
        while let Some(event) = reader.next_event().unwrap() {
            decoder
                .event(event.name(), &event.data, &mut events)
                .unwrap();
        }
    }
    decoder.finish(&mut events);
    events
}

/// Builds the response from the events of a stream.
pub(super) fn collect_response(events: &[Event]) -> Response {
    let mut response = Response::default();
    for event in events {
        match event {
            Event::Start { id, model } => {
                response.id.clone_from(id);
                response.model.clone_from(model);
            }
            Event::PartStart(part_start) => response.parts.push(match part_start {
                PartStart::Reasoning { redacted } => Part::Reasoning(crate::ir::ReasoningPart {
                    text: String::new(),
                    signature: None,
                    redacted: *redacted,
                }),
                PartStart::Refusal => Part::Refusal(String::new()),
                PartStart::Text => Part::text(""),
                PartStart::ToolCall {
                    id,
                    name,
                    signature,
                } => Part::ToolCall(crate::ir::ToolCall {
                    id: id.clone(),
                    name: name.clone(),
                    arguments: String::new(),
                    signature: signature.clone(),
                }),
                PartStart::Complete(part) => part.clone(),
            }),
            Event::Delta(delta) => match (response.parts.last_mut().unwrap(), delta) {
                (Part::ToolCall(call), Delta::Arguments(piece)) => call.arguments += piece,
                (Part::Text { citations, .. }, Delta::Citation(it)) => citations.push(it.clone()),
                (Part::Reasoning(reasoning_part), Delta::Reasoning(piece)) => {
                    reasoning_part.text += piece
                }
                (Part::Refusal(text), Delta::Refusal(piece)) => *text += piece,
                (Part::Reasoning(reasoning_part), Delta::Signature(it)) => {
                    reasoning_part.signature = Some(it.clone());
                }
                (Part::Text { text, .. }, Delta::Text(piece)) => *text += piece,
                (part, delta) => panic!("{delta:?} in {part:?}"),
            },
            Event::Finish(finish) => response.finish = finish.clone(),
            Event::Usage(usage) => response.usage = Some(*usage),
            Event::Done | Event::PartEnd | Event::Error(_) => {}
        }
    }
    response
}

#[test]
fn requests_round_trip() {
    let mut seen = 0;
    for name in names().into_iter().filter(|name| has(name, "request.json")) {
        let body: Value = serde_json::from_slice(&case(&name, "request.json")).unwrap();
        let (written, warnings) = write(&decoded_request(&name));
        assert_eq!(written.unwrap(), body, "{name}");
        assert_eq!(warnings, [], "{name}");
        seen += 1;
    }
    assert!(seen >= 8, "only {seen} cases");
}

#[test]
fn responses_round_trip() {
    for name in names()
        .into_iter()
        .filter(|name| has(name, "response.json"))
    {
        let mut body: Value = serde_json::from_slice(&case(&name, "response.json")).unwrap();
        let read = decoded_response(&name);
        let response_context = ResponseContext {
            id: "call-1".to_owned(),
            model: "mine".to_owned(),
            ..ResponseContext::default()
        };
        let written: Value =
            serde_json::from_slice(&encode_response(&read, &response_context)).unwrap();
        body["id"] = "msg_call-1".into();
        body["model"] = "mine".into();
        assert_eq!(written, body, "{name}");
        let check = check_body(&case(&name, "response.json"));
        assert!(matches!(check, BodyCheck::Complete { usage, .. } if usage == read.usage));
    }
}

#[test]
fn streams_do_not_depend_on_chunking() {
    for name in names().into_iter().filter(|name| has(name, "stream.sse")) {
        let stream = case(&name, "stream.sse");
        let whole = events(&stream, stream.len());
        for size in 1..200 {
            assert_eq!(
                events(&stream, size),
                whole,
                "{name} in chunks of {size} bytes"
            );
        }
        // The events survive encoding and decoding.
        let mut encoder = encoder(ResponseContext::default());
        let mut frames: Vec<Frame> = Vec::new();
        whole
            .iter()
            .for_each(|event| encoder.event(event, &mut frames));
        let mut written = Vec::new();
        for frame in &frames {
            write_event(&frame.name, &frame.data, &mut written);
        }
        let (mut once, mut again) = (
            collect_response(&whole),
            collect_response(&events(&written, 64)),
        );
        once.id = "msg_".to_owned();
        once.model.clear();
        if name == "errors" {
            // This stream ends with an error, and the encoder writes the usage only at the end.
            (once.usage, again.usage) = (None, None);
        }
        assert_eq!(again, once, "{name}");
    }
}

#[test]
fn decodes_text() {
    let decoded = decoded_request("text");
    assert_eq!(decoded.sampling.temperature, Some(0.5));
    assert_eq!(decoded.sampling.top_p, Some(0.9));
    assert_eq!(decoded.sampling.tokens_max, Some(256));
    assert_eq!(decoded.stop, ["END"]);
    assert_eq!(decoded.turns.len(), 1);
    assert_eq!(
        decoded.turns[0].parts,
        [Part::text("What is the capital of France?")]
    );
    let whole = decoded_response("text");
    assert_eq!(whole.parts, [Part::text("The capital of France is Paris.")]);
    assert_eq!(whole.finish, FinishReason::Stop);
    let streamed = case("streamed-text", "stream.sse");
    let streamed = collect_response(&events(&streamed, 16));
    assert_eq!((streamed.parts, streamed.usage), (whole.parts, whole.usage));
    assert!(decoded_request("streamed-text").stream);
}

#[test]
fn decodes_tools() {
    let decoded = decoded_request("parallel-tools");
    assert_eq!(decoded.tools.len(), 2);
    assert_eq!(decoded.tool_choice, Some(ToolChoice::Auto));
    let whole = decoded_response("parallel-tools");
    assert_eq!(whole.finish, FinishReason::ToolCalls);
    let calls = |response: &Response| -> Vec<(String, Value)> {
        let call = |part: &Part| match part {
            Part::ToolCall(call) => {
                let arguments = serde_json::from_str(&call.arguments).unwrap();
                Some((call.name.clone(), arguments))
            }
            _ => None,
        };
        response.parts.iter().filter_map(call).collect()
    };
    let streamed = collect_response(&events(&case("streamed-tools", "stream.sse"), 16));
    assert_eq!(streamed.parts[0], Part::text("Let me look."));
    assert_eq!(calls(&whole).len(), 2);
    assert_eq!(calls(&streamed), calls(&whole));
    let results = &decoded_request("tool-results").turns[2].parts;
    let Part::ToolResult(failed) = &results[1] else {
        panic!("{results:?}");
    };
    assert_eq!(failed.name.as_deref(), Some("get_time"));
    assert!(failed.is_error);
    assert_eq!(failed.parts, [Part::text("no such zone")]);
    assert_eq!(results[2], Part::text("And?"));
}

#[test]
fn decodes_images_system_and_schemas() {
    let parts = &decoded_request("images").turns[0].parts;
    let [
        _,
        Part::Image(inline),
        Part::Image(linked),
        Part::Document(page),
    ] = parts.as_slice()
    else {
        panic!("{parts:?}");
    };
    assert_eq!(inline.media_type.as_deref(), Some("image/png"));
    assert!(matches!(&linked.source, MediaSource::Url(url) if url.ends_with("dot.png")));
    assert_eq!(page.title.as_deref(), Some("dot.pdf"));
    let decoded = decoded_request("system");
    assert_eq!(
        decoded.system,
        [Part::text("Be brief."), Part::text("Answer in French.")]
    );
    assert_eq!(decoded.turns[1].role, Role::Assistant);
    let decoded = decoded_request("structured-output");
    assert!(matches!(
        decoded.format,
        Format::Schema {
            strict: Some(true),
            ..
        }
    ));
}

#[test]
fn decodes_reasoning_with_signature() {
    let request = decoded_request("reasoning");
    let reasoning = request.reasoning.unwrap();
    assert_eq!(
        reasoning.budget_tokens.map(Effort::from_budget),
        Some(Effort::High)
    );
    assert_eq!(reasoning.shown, Some(true));
    let Part::Reasoning(reasoning_part) = &request.turns[1].parts[0] else {
        panic!("{request:?}");
    };
    assert!(
        reasoning_part
            .signature
            .as_ref()
            .unwrap()
            .data_for(Dialect::AnthropicMessages)
            .is_some()
    );
    let (whole, streamed) = (
        decoded_response("reasoning"),
        collect_response(&events(&case("reasoning", "stream.sse"), 16)),
    );
    assert_eq!(whole.parts, streamed.parts);
    assert_eq!(whole.usage, streamed.usage);
}

#[test]
fn usage_includes_cached_input() {
    let spent = Usage {
        input: 100,
        output: 50,
        cached_input: 40,
        cache_write_input: 0,
        reasoning: 30,
    };
    assert_eq!(decoded_response("usage").usage, Some(spent));
    let stream = case("usage", "stream.sse");
    assert_eq!(collect_response(&events(&stream, 16)).usage, Some(spent));
    let (observer, _) = observe_stream(&stream);
    assert_eq!(observer.usage(), Some(spent));
    assert!(observer.completed());
}

#[test]
fn decodes_errors() {
    let error = ProviderError::read(&case("errors", "error.json")).unwrap();
    assert_eq!(error.kind.as_deref(), Some("rate_limit_error"));
    assert!(
        matches!(check_body(&case("errors", "error.json")), BodyCheck::Error(it) if it == error)
    );
    let stream = case("errors", "stream.sse");
    let events = events(&stream, 16);
    assert!(matches!(events.last(), Some(Event::Error(it)) if it.message == "Overloaded"));
    let (observer, seen) = observe_stream(&stream);
    assert!(observer.has_content() && !observer.completed());
    assert!(matches!(seen.last(), Some(EventClass::Error(it)) if it.message == "Overloaded"));
}

fn observe_stream(stream: &[u8]) -> (Box<dyn Observer>, Vec<EventClass>) {
    let mut reader = SseReader::default();
    reader.push(bytes::Bytes::copy_from_slice(stream));
    let mut observer = observer();
    let mut seen = Vec::new();
    while let Some(event) = reader.next_event().unwrap() {
        seen.push(observer.observe(event.name(), &event.data));
    }
    (observer, seen)
}

#[test]
fn stream_commits_at_first_content() {
    let (observer, seen) = observe_stream(&case("streamed-text", "stream.sse"));
    let quiet = seen.iter().take_while(|it| **it == EventClass::Preamble);
    assert_eq!(quiet.count(), 3, "the start, an empty block, a ping");
    assert_eq!(seen[3], EventClass::Content);
    assert_eq!(seen.last(), Some(&EventClass::Done));
    assert!(observer.has_content());
    let (_, seen) = observe_stream(&case("streamed-tools", "stream.sse"));
    assert!(!seen.contains(&EventClass::Malformed));
    let mut observer = crate::anthropic::observer();
    assert_eq!(observer.observe("", b"<html>"), EventClass::Malformed);
    let empty =
        br#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":""}}"#;
    assert_eq!(
        observer.observe("content_block_delta", empty),
        EventClass::Preamble
    );
    assert!(!observer.has_content());
}
