//! The cases that all dialects share: what is read of them, and that it is written again.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{read, write};
use crate::anthropic_messages::{
    StreamObserver, decode_answer, decoder, encode_answer, encoder, read_answer,
};
use crate::interlingua::{
    Answer, Begun, Delta, Effort, Event, Finish, Format, Frame, Owed, Part, Request, Role, Source,
    ToolChoice,
};
use crate::sse::{Reader, write_event};
use crate::{Dialect, Observed, ProviderError, Usage, Verdict};

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

fn request(name: &str) -> Request {
    let body: Value = serde_json::from_slice(&case(name, "request.json")).unwrap();
    let (request, said) = read(&body);
    assert_eq!(said, [], "{name}");
    request.unwrap()
}

fn answer(name: &str) -> Answer {
    decode_answer(&case(name, "answer.json")).unwrap()
}

/// Reads a stream that comes in chunks of so many bytes.
fn events(stream: &[u8], size: usize) -> Vec<Event> {
    let mut reader = Reader::default();
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

/// The answer that a stream's events tell.
pub(super) fn told(events: &[Event]) -> Answer {
    let mut answer = Answer::default();
    for event in events {
        match event {
            Event::Start { id, model } => {
                answer.id.clone_from(id);
                answer.model.clone_from(model);
            }
            Event::Begin(begun) => answer.parts.push(match begun {
                Begun::Reasoning { redacted } => Part::Reasoning(crate::interlingua::Thought {
                    text: String::new(),
                    signature: None,
                    redacted: *redacted,
                }),
                Begun::Refusal => Part::Refusal(String::new()),
                Begun::Text => Part::text(""),
                Begun::ToolCall {
                    id,
                    name,
                    signature,
                } => Part::ToolCall(crate::interlingua::ToolCall {
                    id: id.clone(),
                    name: name.clone(),
                    arguments: String::new(),
                    signature: signature.clone(),
                }),
                Begun::Whole(part) => part.clone(),
            }),
            Event::Delta(delta) => match (answer.parts.last_mut().unwrap(), delta) {
                (Part::ToolCall(call), Delta::Arguments(piece)) => call.arguments += piece,
                (Part::Text { citations, .. }, Delta::Citation(it)) => citations.push(it.clone()),
                (Part::Reasoning(thought), Delta::Reasoning(piece)) => thought.text += piece,
                (Part::Refusal(text), Delta::Refusal(piece)) => *text += piece,
                (Part::Reasoning(thought), Delta::Signature(it)) => {
                    thought.signature = Some(it.clone());
                }
                (Part::Text { text, .. }, Delta::Text(piece)) => *text += piece,
                (part, delta) => panic!("{delta:?} in {part:?}"),
            },
            Event::Finish(finish) => answer.finish = finish.clone(),
            Event::Usage(usage) => answer.usage = Some(*usage),
            Event::Done | Event::End | Event::Error(_) => {}
        }
    }
    answer
}

#[test]
fn every_request_is_written_as_it_was_read() {
    let mut seen = 0;
    for name in names().into_iter().filter(|name| has(name, "request.json")) {
        let body: Value = serde_json::from_slice(&case(&name, "request.json")).unwrap();
        let (written, said) = write(&request(&name));
        assert_eq!(written.unwrap(), body, "{name}");
        assert_eq!(said, [], "{name}");
        seen += 1;
    }
    assert!(seen >= 8, "only {seen} cases");
}

#[test]
fn every_answer_is_written_as_it_was_read() {
    for name in names().into_iter().filter(|name| has(name, "answer.json")) {
        let mut body: Value = serde_json::from_slice(&case(&name, "answer.json")).unwrap();
        let read = answer(&name);
        let owed = Owed {
            id: "call-1".to_owned(),
            model: "mine".to_owned(),
            ..Owed::default()
        };
        let written: Value = serde_json::from_slice(&encode_answer(&read, &owed)).unwrap();
        body["id"] = "msg_call-1".into();
        body["model"] = "mine".into();
        assert_eq!(written, body, "{name}");
        let verdict = read_answer(&case(&name, "answer.json"));
        assert!(matches!(verdict, Verdict::Complete { usage, .. } if usage == read.usage));
    }
}

#[test]
fn every_stream_reads_the_same_however_it_is_cut() {
    for name in names().into_iter().filter(|name| has(name, "stream.sse")) {
        let stream = case(&name, "stream.sse");
        let whole = events(&stream, stream.len());
        for size in 1..200 {
            assert_eq!(events(&stream, size), whole, "{name} in chunks of {size}");
        }
        // And what is written of it reads the same.
        let mut encoder = encoder(Owed::default());
        let mut frames: Vec<Frame> = Vec::new();
        whole
            .iter()
            .for_each(|event| encoder.event(event, &mut frames));
        let mut written = Vec::new();
        for frame in &frames {
            write_event(&frame.name, &frame.data, &mut written);
        }
        let (mut once, mut again) = (told(&whole), told(&events(&written, 64)));
        once.id = "msg_".to_owned();
        once.model.clear();
        if name == "errors" {
            // How much it cost is told at the end only.
            (once.usage, again.usage) = (None, None);
        }
        assert_eq!(again, once, "{name}");
    }
}

#[test]
fn the_text_is_read() {
    let asked = request("text");
    assert_eq!(asked.sampling.temperature, Some(0.5));
    assert_eq!(asked.sampling.top_p, Some(0.9));
    assert_eq!(asked.sampling.tokens_max, Some(256));
    assert_eq!(asked.stop, ["END"]);
    assert_eq!(asked.turns.len(), 1);
    assert_eq!(
        asked.turns[0].parts,
        [Part::text("What is the capital of France?")]
    );
    let said = answer("text");
    assert_eq!(said.parts, [Part::text("The capital of France is Paris.")]);
    assert_eq!(said.finish, Finish::Stop);
    let streamed = case("streamed-text", "stream.sse");
    let streamed = told(&events(&streamed, 16));
    assert_eq!((streamed.parts, streamed.usage), (said.parts, said.usage));
    assert!(request("streamed-text").stream);
}

#[test]
fn tools_are_read() {
    let asked = request("parallel-tools");
    assert_eq!(asked.tools.len(), 2);
    assert_eq!(asked.tool_choice, Some(ToolChoice::Auto));
    let said = answer("parallel-tools");
    assert_eq!(said.finish, Finish::ToolCalls);
    let calls = |answer: &Answer| -> Vec<(String, Value)> {
        let call = |part: &Part| match part {
            Part::ToolCall(call) => {
                let arguments = serde_json::from_str(&call.arguments).unwrap();
                Some((call.name.clone(), arguments))
            }
            _ => None,
        };
        answer.parts.iter().filter_map(call).collect()
    };
    let streamed = told(&events(&case("streamed-tools", "stream.sse"), 16));
    assert_eq!(streamed.parts[0], Part::text("Let me look."));
    assert_eq!(calls(&said).len(), 2);
    assert_eq!(calls(&streamed), calls(&said));
    let results = &request("tool-results").turns[2].parts;
    let Part::ToolResult(failed) = &results[1] else {
        panic!("{results:?}");
    };
    assert_eq!(failed.name.as_deref(), Some("get_time"));
    assert!(failed.is_error);
    assert_eq!(failed.parts, [Part::text("no such zone")]);
    assert_eq!(results[2], Part::text("And?"));
}

#[test]
fn pictures_instructions_and_schemas_are_read() {
    let parts = &request("images").turns[0].parts;
    let [
        _,
        Part::Image(here),
        Part::Image(there),
        Part::Document(page),
    ] = parts.as_slice()
    else {
        panic!("{parts:?}");
    };
    assert_eq!(here.media_type.as_deref(), Some("image/png"));
    assert!(matches!(&there.source, Source::Url(url) if url.ends_with("dot.png")));
    assert_eq!(page.title.as_deref(), Some("dot.pdf"));
    let asked = request("system");
    assert_eq!(
        asked.system,
        [Part::text("Be brief."), Part::text("Answer in French.")]
    );
    assert_eq!(asked.turns[1].role, Role::Assistant);
    let asked = request("structured-output");
    assert!(matches!(
        asked.format,
        Format::Schema {
            strict: Some(true),
            ..
        }
    ));
}

#[test]
fn thoughts_are_read_with_their_signature() {
    let asked = request("reasoning");
    let reasoning = asked.reasoning.unwrap();
    assert_eq!(
        reasoning.budget_tokens.map(Effort::of_budget),
        Some(Effort::High)
    );
    assert_eq!(reasoning.shown, Some(true));
    let Part::Reasoning(thought) = &asked.turns[1].parts[0] else {
        panic!("{asked:?}");
    };
    assert!(
        thought
            .signature
            .as_ref()
            .unwrap()
            .of(Dialect::AnthropicMessages)
            .is_some()
    );
    let (whole, streamed) = (
        answer("reasoning"),
        told(&events(&case("reasoning", "stream.sse"), 16)),
    );
    assert_eq!(whole.parts, streamed.parts);
    assert_eq!(whole.usage, streamed.usage);
}

#[test]
fn usage_counts_what_was_cached_as_read() {
    let spent = Usage {
        input: 100,
        output: 50,
        cached_input: 40,
        reasoning: 30,
    };
    assert_eq!(answer("usage").usage, Some(spent));
    let stream = case("usage", "stream.sse");
    assert_eq!(told(&events(&stream, 16)).usage, Some(spent));
    let (observer, _) = watch(&stream);
    assert_eq!(observer.usage(), Some(spent));
    assert_eq!(observer.finish_reason(), Some("end_turn"));
    assert!(observer.completed());
}

#[test]
fn errors_are_read() {
    let error = ProviderError::read(&case("errors", "error.json")).unwrap();
    assert_eq!(error.kind.as_deref(), Some("rate_limit_error"));
    assert!(
        matches!(read_answer(&case("errors", "error.json")), Verdict::Error(it) if it == error)
    );
    let stream = case("errors", "stream.sse");
    let events = events(&stream, 16);
    assert!(matches!(events.last(), Some(Event::Error(it)) if it.message == "Overloaded"));
    let (observer, seen) = watch(&stream);
    assert!(observer.has_content() && !observer.completed());
    assert!(matches!(seen.last(), Some(Observed::Error(it)) if it.message == "Overloaded"));
}

fn watch(stream: &[u8]) -> (StreamObserver, Vec<Observed>) {
    let mut reader = Reader::default();
    reader.push(bytes::Bytes::copy_from_slice(stream));
    let mut observer = StreamObserver::new();
    let mut seen = Vec::new();
    while let Some(event) = reader.next_event().unwrap() {
        seen.push(observer.observe(event.name(), &event.data));
    }
    (observer, seen)
}

#[test]
fn a_stream_commits_at_its_first_words() {
    let (observer, seen) = watch(&case("streamed-text", "stream.sse"));
    let quiet = seen.iter().take_while(|it| **it == Observed::Preamble);
    assert_eq!(quiet.count(), 3, "the start, an empty block, a ping");
    assert_eq!(seen[3], Observed::Content);
    assert_eq!(seen.last(), Some(&Observed::Done));
    assert!(observer.has_content());
    let (_, seen) = watch(&case("streamed-tools", "stream.sse"));
    assert!(!seen.contains(&Observed::Malformed));
    let mut observer = StreamObserver::new();
    assert_eq!(observer.observe("", b"<html>"), Observed::Malformed);
    let empty =
        br#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":""}}"#;
    assert_eq!(
        observer.observe("content_block_delta", empty),
        Observed::Preamble
    );
    assert!(!observer.has_content());
}
