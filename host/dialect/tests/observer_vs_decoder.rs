//! A stream that is relayed is watched by its dialect's observer; one that is translated, by its decoder.
//! Both must judge it alike, or a call would fail over for some clients and not for others.

use std::error::Error;
use std::fs;
use std::path::Path;

use bytes::Bytes;
use jackfield_dialect::ir::ResponseContext;
use jackfield_dialect::sse::{SseEvent, SseReader};
use jackfield_dialect::{Dialect, EventClass, Translator};

type Outcome<T> = Result<T, Box<dyn Error>>;

/// How a stream is judged, at its end.
#[derive(Debug, PartialEq, Eq)]
struct StreamOutcome {
    /// Whether an event of it is an error, or makes no sense.
    failed: bool,
    /// Whether the client has all of an answer.
    complete: bool,
}

#[test]
fn observer_and_decoder_agree() -> Outcome<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/cases/dialects");
    let mut compared = 0;
    for case in fs::read_dir(root)? {
        let case = case?.path();
        for dialect in Dialect::ALL {
            let Ok(stream) = fs::read(case.join(format!("{dialect}.stream.sse"))) else {
                continue;
            };
            let events = events(&stream)?;
            // Cut off after every event, and without one of those that tell the end. Where others are
            // missing, a decoder may have to give up what a client of the same dialect bears with.
            let cut = (0..=events.len()).map(|end| events[..end].to_vec());
            let left_out = (events.len().saturating_sub(2)..events.len()).map(|index| {
                let mut left = events.clone();
                left.remove(index);
                left
            });
            for events in cut.chain(left_out) {
                let (own, translated) = (
                    with_observer(dialect, &events),
                    with_decoder(dialect, &events),
                );
                let shown: Vec<_> = events.iter().map(|event| &event.raw).collect();
                assert_eq!(own, translated, "{dialect}, {}: {shown:?}", case.display());
                compared += 1;
            }
        }
    }
    assert!(compared > 150, "{compared}");
    Ok(())
}

#[test]
fn both_report_streams_without_content_as_empty() {
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
        let (own, translated) = (
            with_observer(dialect, &events),
            with_decoder(dialect, &events),
        );
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

fn with_observer(dialect: Dialect, events: &[SseEvent]) -> StreamOutcome {
    let mut observer = dialect.codec().observer();
    let mut outcome = classify(events, |event| observer.observe(event.name(), &event.data));
    outcome.complete = !outcome.failed && observer.completed() && observer.has_content();
    outcome
}

fn with_decoder(dialect: Dialect, events: &[SseEvent]) -> StreamOutcome {
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
