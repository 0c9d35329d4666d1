//! A stream that is relayed is watched by its dialect's observer; one that is translated, by its decoder.
//! Both must judge it alike, or a call would fail over for some clients and not for others.

use std::error::Error;
use std::fs;
use std::path::Path;

use bytes::Bytes;
use jackfield_dialect::interlingua::ResponseContext;
use jackfield_dialect::sse::{SseEvent, SseReader};
use jackfield_dialect::{Dialect, EventClass, Translator};

type Outcome<T> = Result<T, Box<dyn Error>>;

/// How a stream is judged, at its end.
#[derive(Debug, PartialEq, Eq)]
struct Judged {
    /// Whether an event of it is an error, or makes no sense.
    wrong: bool,
    /// Whether the client has all of an answer.
    whole: bool,
}

#[test]
fn observers_and_decoders_judge_alike() -> Outcome<()> {
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
                let (own, translated) = (observed(dialect, &events), decoded(dialect, &events));
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
fn streams_without_content_are_empty_for_both() {
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
        let (own, translated) = (observed(dialect, &events), decoded(dialect, &events));
        assert!(!own.whole && !own.wrong, "{dialect}: {own:?}");
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

fn observed(dialect: Dialect, events: &[SseEvent]) -> Judged {
    let mut observer = dialect.observer();
    let mut judged = judged(events, |event| observer.observe(event.name(), &event.data));
    judged.whole = !judged.wrong && observer.completed() && observer.has_content();
    judged
}

fn decoded(dialect: Dialect, events: &[SseEvent]) -> Judged {
    let client = match dialect {
        Dialect::OpenaiChat => Dialect::AnthropicMessages,
        _ => Dialect::OpenaiChat,
    };
    let mut translator = Translator::new(dialect, client, ResponseContext::default());
    let mut out = Vec::new();
    let mut judged = judged(events, |event| {
        translator.translate_event(event.name(), &event.data, &mut out)
    });
    if !judged.wrong {
        translator.finish(&mut out);
        judged.whole = translator.completed();
    }
    judged
}

fn judged(events: &[SseEvent], mut judge: impl FnMut(&SseEvent) -> EventClass) -> Judged {
    let mut judged = Judged {
        wrong: false,
        whole: false,
    };
    for event in events {
        match judge(event) {
            EventClass::Done => break,
            EventClass::Error(_) | EventClass::Malformed => {
                judged.wrong = true;
                break;
            }
            EventClass::Content | EventClass::Preamble => {}
        }
    }
    judged
}
