//! The provider's response as a stream.

use bytes::Bytes;
use jackfield_corpus::{Case, Expectations, HttpMessage, splits};
use jackfield_dialect::ir::Frame;
use jackfield_dialect::sse::{SseReader, write_event};
use jackfield_dialect::{Dialect, EventClass, ProviderError, Translator};

use crate::{Exchange, Failure, Outcome, error_text, whole};

/// An event's name and data.
pub(crate) type EventText = (String, Bytes);

/// Reads the events of a stream, in chunks of all kinds: the events must not depend on them.
pub(crate) fn events(stream: &[u8]) -> Outcome<Vec<EventText>> {
    let read_split = |ends: &[usize]| -> Outcome<Vec<EventText>> {
        let (mut reader, mut events) = (SseReader::default(), Vec::new());
        let mut start = 0;
        for end in ends {
            reader.push(Bytes::copy_from_slice(&stream[start..*end]));
            start = *end;
            while let Some(event) = reader.next_event()? {
                events.push((event.name().to_owned(), event.data));
            }
        }
        // Some providers close without the blank line after the last event.
        reader.push(Bytes::from_static(b"\n\n"));
        while let Some(event) = reader.finish()? {
            events.push((event.name().to_owned(), event.data));
        }
        Ok(events)
    };
    let whole = read_split(&[stream.len()])?;
    for ends in splits(stream.len()) {
        assert_eq!(read_split(&ends)?, whole, "in chunks that end at {ends:?}");
    }
    Ok(whole)
}

/// Translates a stream for the client.
pub(crate) fn translate(exchange: &Exchange<'_>) -> Outcome<Result<Vec<u8>, Failure>> {
    let translator = exchange.request.translator();
    let mut translator = translator.ok_or("no translator of a chat")?;
    let mut frames = Vec::new();
    let mut has_content = false;
    let mut failure = None;
    for (name, data) in exchange.events {
        match translator.translate_event(name, data, &mut frames) {
            EventClass::Content => has_content = true,
            EventClass::Preamble => {}
            EventClass::Done => break,
            EventClass::Error(error) => failure = Some(Failure::Error(200, error)),
            EventClass::Malformed => failure = Some(Failure::Unusable("malformed")),
        }
        if failure.is_some() {
            break;
        }
    }
    if failure.is_none() {
        translator.finish(&mut frames);
        if !translator.completed() {
            failure = Some(Failure::Unusable("cut off, or empty"));
        }
    }
    match failure {
        Some(failure) if !has_content => return Ok(Err(failure)),
        Some(failure) => fail(&mut translator, failure, &mut frames),
        None => check_usage(exchange, &translator)?,
    }
    Ok(Ok(written(&frames)))
}

/// Writes a whole response as the client's stream.
pub(crate) fn translate_whole(
    exchange: &Exchange<'_>,
    response: &HttpMessage,
) -> Outcome<Result<Vec<u8>, Failure>> {
    if let Err(failure) = whole::check(exchange.provider, response) {
        return Ok(Err(failure));
    }
    let Ok(decoded) = exchange.provider.codec().decode_response(&response.body) else {
        return Ok(Err(Failure::Unusable("malformed")));
    };
    let translator = exchange.request.translator();
    let mut translator = translator.ok_or("no translator of a chat")?;
    let mut frames = Vec::new();
    translator.translate_response(&decoded, &mut frames);
    translator.finish(&mut frames);
    if !translator.completed() {
        return Err("a whole response is a stream without an end".into());
    }
    Ok(Ok(written(&frames)))
}

/// Compares what the host learns from a stream that it relays: the event that commits it, its end, its usage.
pub(crate) fn check_relay(
    case: &Case,
    provider: Dialect,
    events: &[EventText],
    expectations: &mut Expectations,
) {
    if case.stream.is_none() {
        return;
    }
    let mut observer = provider.codec().observer();
    let mut verdict = String::new();
    for (index, (name, data)) in events.iter().enumerate() {
        match observer.observe(name, data) {
            EventClass::Content if verdict.is_empty() => {
                verdict = format!("content from event {index}\n");
            }
            EventClass::Content | EventClass::Preamble => {}
            EventClass::Done => break,
            EventClass::Error(error) => {
                verdict += &error_text(None, &error);
                break;
            }
            EventClass::Malformed => {
                verdict += "malformed\n";
                break;
            }
        }
    }
    let complete = observer.completed() && observer.has_content();
    verdict += if complete {
        "complete\n"
    } else {
        "not complete\n"
    };
    verdict += &format!("{:?}\n", observer.usage());
    expectations.check_text("relay-stream.txt", &verdict);
}

/// The host must book the same tokens, whether it relays a stream or translates it.
fn check_usage(exchange: &Exchange<'_>, translator: &Translator) -> Outcome<()> {
    let mut observer = exchange.provider.codec().observer();
    for (name, data) in exchange.events {
        if observer.observe(name, data) == EventClass::Done {
            break;
        }
    }
    let (relayed, translated) = (observer.usage(), translator.usage());
    if relayed == translated {
        return Ok(());
    }
    Err(format!("usage relayed {relayed:?}, translated {translated:?}").into())
}

fn fail(translator: &mut Translator, failure: Failure, frames: &mut Vec<Frame>) {
    let error = match failure {
        Failure::Error(_, error) => error,
        Failure::Unusable(reason) => ProviderError {
            message: reason.to_owned(),
            ..ProviderError::default()
        },
    };
    translator.fail(&error, frames);
}

fn written(frames: &[Frame]) -> Vec<u8> {
    let mut out = Vec::new();
    for frame in frames {
        write_event(&frame.name, &frame.data, &mut out);
    }
    out
}
