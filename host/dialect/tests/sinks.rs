//! An `Observer` reads a relayed stream, a `Translator` reads a translated one. Both must classify a stream
//! in the same way. Otherwise, failover would depend on the client's dialect.

use std::error::Error;
use std::fs;
use std::path::Path;

use bytes::Bytes;
use jackfield_dialect::ir::ResponseContext;
use jackfield_dialect::sse::{SseEvent, SseReader};
use jackfield_dialect::{Dialect, EventClass, Translator};

type Outcome<T> = Result<T, Box<dyn Error>>;

/// The outcome of a stream.
#[derive(Debug, PartialEq, Eq)]
struct StreamOutcome {
    /// Whether an event was an error or malformed.
    failed: bool,
    /// Whether the client has a complete response.
    complete: bool,
}

#[test]
fn sinks_agree_on_truncated_streams() -> Outcome<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/cases/dialects");
    let mut compared = 0;
    for case in fs::read_dir(root)? {
        let case = case?.path();
        for dialect in Dialect::ALL {
            let Ok(stream) = fs::read(case.join(format!("{dialect}.stream.sse"))) else {
                continue;
            };
            let events = events(&stream)?;
            // Truncates the stream after each event, and removes each of the last two events. Does not remove
            // others: a translator may have to reject a stream that a client of the same dialect accepts.
            let cut = (0..=events.len()).map(|end| events[..end].to_vec());
            let left_out = (events.len().saturating_sub(2)..events.len()).map(|index| {
                let mut left = events.clone();
                left.remove(index);
                left
            });
            for events in cut.chain(left_out) {
                let (own, translated) = (watch(dialect, &events), translate(dialect, &events));
                let shown: Vec<_> = events.iter().map(|event| &event.raw).collect();
                assert_eq!(own, translated, "{dialect}, {}: {shown:?}", case.display());
                compared += 1;
            }
        }
    }
    assert!(compared > 150, "compared only {compared} streams");
    Ok(())
}

#[test]
fn both_sinks_report_streams_without_content_as_empty() {
    let cases = [
        (Dialect::OpenaiChat, "data: [DONE]\n\n"),
        (
            Dialect::OpenaiChat,
            "data: {\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\"}}]}\n\ndata: [DONE]\n\n",
        ),
        (
            Dialect::AnthropicMessages,
            "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
        ),
        (Dialect::Gemini, "data: [DONE]\n\n"),
        (
            Dialect::OpenaiResponses,
            "data: {\"type\":\"response.completed\",\"response\":{\"id\":\"r\",\"output\":[],\"status\":\"completed\"}}\n\n",
        ),
    ];
    for (dialect, stream) in cases {
        let events = events(stream.as_bytes()).unwrap();
        let (own, translated) = (watch(dialect, &events), translate(dialect, &events));
        assert!(!own.complete && !own.failed, "{dialect}: {own:?}");
        assert_eq!(own, translated, "{dialect}");
    }
}

fn events(stream: &[u8]) -> Outcome<Vec<SseEvent>> {
    let mut reader = SseReader::default();
    reader.push(Bytes::copy_from_slice(stream));
    let mut events = Vec::new();
    while let Some(event) = reader.next_event()? {
        events.push(event);
    }
    Ok(events)
}

fn watch(dialect: Dialect, events: &[SseEvent]) -> StreamOutcome {
    let mut observer = dialect.codec().observer();
    let mut outcome = classify(events, |event| observer.observe(event.name(), &event.data));
    outcome.complete = !outcome.failed && observer.completed() && observer.has_content();
    outcome
}

fn translate(dialect: Dialect, events: &[SseEvent]) -> StreamOutcome {
    let client = match dialect {
        Dialect::OpenaiChat => Dialect::AnthropicMessages,
        _ => Dialect::OpenaiChat,
    };
    let mut translator = Translator::new(dialect, client, ResponseContext::default());
    let mut out = Vec::new();
    let mut outcome = classify(events, |event| {
        translator.translate_event(event.name(), &event.data, &mut out)
    });
    if !outcome.failed {
        translator.finish(&mut out);
        outcome.complete = translator.completed();
    }
    outcome
}

fn classify(
    events: &[SseEvent],
    mut observe_event: impl FnMut(&SseEvent) -> EventClass,
) -> StreamOutcome {
    let mut outcome = StreamOutcome {
        failed: false,
        complete: false,
    };
    for event in events {
        match observe_event(event) {
            EventClass::Done => break,
            EventClass::Error(_) | EventClass::Malformed => {
                outcome.failed = true;
                break;
            }
            EventClass::Content | EventClass::Preamble => {}
        }
    }
    outcome
}
