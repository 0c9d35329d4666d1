//! Streams: a response survives encoding and decoding, however its texts and its bytes are split.

use jackfield_dialect::Dialect;
use jackfield_dialect::ir::{Delta, Event, Part, PartStart, ReasoningPart, Response, ToolCall};
use jackfield_dialect::sse::{SseReader, write_event};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use crate::responses::{self, common, normalize};
use crate::{CASES, TestResult, failed, pairs, response_context};

/// Returns the events of a response. Splits the deltas at `cuts`, which are used in turn.
fn split_deltas(response: &Response, cuts: &[Index]) -> Vec<Event> {
    let mut cuts = cuts.iter().cycle();
    let mut split_deltas = Vec::new();
    for event in response.events() {
        let (variant, text): (fn(String) -> Delta, String) = match event {
            Event::Delta(Delta::Arguments(text)) => (Delta::Arguments, text),
            Event::Delta(Delta::Reasoning(text)) => (Delta::Reasoning, text),
            Event::Delta(Delta::Refusal(text)) => (Delta::Refusal, text),
            Event::Delta(Delta::Text(text)) => (Delta::Text, text),
            other => {
                split_deltas.push(other);
                continue;
            }
        };
        let mut rest = text.as_str();
        while let Some(cut) = cuts.next().filter(|_| !rest.is_empty()) {
            let end = rest.ceil_char_boundary(1 + cut.index(rest.len()));
            split_deltas.push(Event::Delta(variant(rest[..end].to_owned())));
            rest = &rest[end..];
        }
    }
    split_deltas
}

/// Builds a response from events. Fails if they are out of order or do not end.
fn collect_response(events: &[Event]) -> TestResult<Response> {
    let mut response = Response::default();
    let (mut open, mut done) = (false, false);
    for event in events {
        prop_assert!(!done, "event after the end: {:?}", event);
        match event {
            Event::PartStart(part_start) => {
                prop_assert!(!open, "part inside another part: {:?}", event);
                open = true;
                response.parts.push(start_part(part_start));
            }
            Event::Delta(delta) => {
                prop_assert!(open && !delta.is_empty(), "{:?}", event);
                let part = response.parts.last_mut();
                let part = part.ok_or_else(|| failed("no part", format!("{delta:?}")))?;
                extend(part, delta)?;
            }
            Event::Done => done = true,
            Event::PartEnd => {
                prop_assert!(open);
                open = false;
            }
            Event::Error(error) => return Err(failed("an error", &error.message)),
            Event::Finish(finish) => {
                prop_assert!(!open, "finish reason inside a part");
                response.finish = finish.clone();
            }
            Event::Start { .. } => prop_assert!(response.parts.is_empty()),
            Event::Usage(usage) => response.usage = Some(*usage),
        }
    }
    prop_assert!(done, "the events do not end: {:?}", events);
    Ok(response)
}

fn start_part(part_start: &PartStart) -> Part {
    match part_start {
        PartStart::Reasoning { redacted } => Part::Reasoning(ReasoningPart {
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
        } => Part::ToolCall(ToolCall {
            id: id.clone(),
            name: name.clone(),
            arguments: String::new(),
            signature: signature.clone(),
        }),
        PartStart::Complete(part) => part.clone(),
    }
}

fn extend(part: &mut Part, delta: &Delta) -> TestResult<()> {
    match (part, delta) {
        (Part::ToolCall(call), Delta::Arguments(piece)) => call.arguments.push_str(piece),
        (Part::Reasoning(reasoning), Delta::Reasoning(piece)) => reasoning.text.push_str(piece),
        (Part::Reasoning(reasoning), Delta::Signature(signature)) => {
            reasoning.signature = Some(signature.clone());
        }
        (Part::Refusal(text), Delta::Refusal(piece)) => text.push_str(piece),
        (Part::Text { text, .. }, Delta::Text(piece)) => text.push_str(piece),
        (Part::Text { citations, .. }, Delta::Citation(citation)) => {
            citations.push(citation.clone());
        }
        (part, delta) => return Err(failed(format!("{part:?}"), format!("{delta:?}"))),
    }
    Ok(())
}

/// Encodes events as bytes and decodes them again from chunks. `cuts` determine the chunk sizes.
fn recode_stream(dialect: Dialect, events: &[Event], cuts: &[Index]) -> TestResult<Vec<Event>> {
    let mut encoder = dialect.codec().encoder(response_context());
    let mut frames = Vec::new();
    for event in events {
        encoder.event(event, &mut frames);
    }
    let mut bytes = Vec::new();
    for frame in &frames {
        write_event(&frame.name, &frame.data, &mut bytes);
    }
    let mut decoder = dialect.codec().decoder();
    let mut reader = SseReader::default();
    let mut read = Vec::new();
    let mut rest = bytes.as_slice();
    let mut cuts = cuts.iter().cycle();
    while let Some(cut) = cuts.next().filter(|_| !rest.is_empty()) {
        let (chunk, after) = rest.split_at(1 + cut.index(rest.len().min(CHUNK_BYTES_MAX)));
        reader.push(bytes::Bytes::copy_from_slice(chunk));
        rest = after;
        while let Some(event) = reader
            .next_event()
            .map_err(|error| failed(dialect, error))?
        {
            decoder
                .event(event.name(), &event.data, &mut read)
                .map_err(|error| failed(dialect, error))?;
        }
    }
    decoder.finish(&mut read);
    Ok(read)
}

/// The maximum chunk size, in bytes. Most events span several chunks, some chunks hold several events.
const CHUNK_BYTES_MAX: usize = 512;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(CASES))]

    #[test]
    fn streams_round_trip(
        generated in responses::response(),
        cuts in vec(any::<Index>(), 1..24),
    ) {
        for (first, second) in pairs() {
            let response = common(&generated, &[first, second]);
            let expected = normalize(&response)?;
            let once = recode_stream(first, &split_deltas(&response, &cuts), &cuts)?;
            prop_assert_eq!(&normalize(&collect_response(&once)?)?, &expected, "{}", first);
            let there = recode_stream(second, &once, &cuts)?;
            let back = recode_stream(first, &there, &cuts)?;
            prop_assert_eq!(normalize(&collect_response(&back)?)?, expected, "{} via {}", first, second);
        }
    }
}
