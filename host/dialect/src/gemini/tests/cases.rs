//! The story that all dialects tell, as this one has it.

use std::fs;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use serde_json::{Value, json};

use super::super::{
    StreamObserver, decode_answer, decode_request, decoder, encode_answer, encode_request, encoder,
    read_answer,
};
use super::{Outcome, asked, fields};
use crate::interlingua::{
    Answer, Effort, Event, Finish, Format, Notes, Owed, Part, Request, Role, Source, ToolChoice,
};
use crate::sse::Reader;
use crate::{Dialect, Observed, ProviderError, Usage, Verdict};

fn path(case: &str, name: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/cases/dialects");
    root.join(case).join(format!("gemini.{name}"))
}

fn request(case: &str) -> Outcome<Request> {
    let mut notes = Notes::default();
    let request = decode_request(&fs::read(path(case, "request.json"))?, &asked(), &mut notes)?;
    assert_eq!(fields(&notes), [""; 0], "{case}");
    Ok(request)
}

fn answer(case: &str) -> Outcome<Answer> {
    Ok(decode_answer(&fs::read(path(case, "answer.json"))?)?)
}

/// The events of a stream, which must not depend on how it is cut.
fn stream(case: &str) -> Outcome<Vec<Event>> {
    let bytes = fs::read(path(case, "stream.sse"))?;
    let whole = chunked(&bytes, bytes.len())?;
    for size in 1..CHUNK_SIZES_END {
        assert_eq!(chunked(&bytes, size)?, whole, "{case} in chunks of {size}");
    }
    Ok(whole)
}

fn chunked(bytes: &[u8], size: usize) -> Outcome<Vec<Event>> {
    let mut reader = Reader::default();
    let mut decoder = decoder();
    let mut out = Vec::new();
    for chunk in bytes.chunks(size) {
        reader.push(Bytes::copy_from_slice(chunk));
        while let Some(event) = reader.next_event()? {
            decoder.event(event.name(), &event.data, &mut out)?;
        }
    }
    while let Some(event) = reader.finish()? {
        decoder.event(event.name(), &event.data, &mut out)?;
    }
    decoder.finish(&mut out);
    Ok(out)
}

fn cases(name: &str) -> Vec<&'static str> {
    let all = CASES.into_iter().filter(|case| path(case, name).exists());
    all.collect()
}

/// Written and read again nothing is lost, and what is read is what Google's own words are read as.
#[test]
fn every_case_is_the_same_there_and_back() -> Outcome {
    let requests = cases("request.json");
    assert_eq!(requests.len(), 9);
    for case in requests {
        let read = request(case)?;
        let mut notes = Notes::default();
        let written = encode_request(&read, &mut notes)?;
        assert_eq!(fields(&notes), [""; 0], "{case}");
        assert_eq!(
            decode_request(&written, &asked(), &mut notes)?,
            read,
            "{case}"
        );
    }
    let answers = cases("answer.json");
    assert_eq!(answers.len(), 8);
    for case in answers {
        let read = answer(case)?;
        let owed = Owed {
            id: read.id.clone(),
            model: read.model.clone(),
            ..Owed::default()
        };
        let written = encode_answer(&read, &owed);
        assert_eq!(decode_answer(&written)?, read, "{case}");
    }
    Ok(())
}

/// Where Google has one way to say it, it is said so: down to the JSON.
#[test]
fn requests_are_written_as_google_has_them() -> Outcome {
    for case in ["text", "system", "images", "structured-output", "reasoning"] {
        let original: Value = serde_json::from_slice(&fs::read(path(case, "request.json"))?)?;
        let written = encode_request(&request(case)?, &mut Notes::default())?;
        let written: Value = serde_json::from_slice(&written)?;
        assert_eq!(written, original, "{case}");
    }
    Ok(())
}

#[test]
fn requests_say_what_the_story_says() -> Outcome {
    let text = request("text")?;
    assert_eq!(
        text.turns[0].parts,
        [Part::text("What is the capital of France?")]
    );
    assert_eq!(
        (text.sampling.temperature, text.sampling.top_p),
        (Some(0.5), Some(0.9))
    );
    assert_eq!(
        (text.sampling.tokens_max, text.stop),
        (Some(256), vec!["END".to_owned()])
    );

    let tools = request("parallel-tools")?;
    assert_eq!(tools.tool_choice, Some(ToolChoice::Auto));
    let schema = serde_json::to_value(format!("{:?}", tools.tools[0].kind))?.to_string();
    assert!(
        schema.contains("celsius") && !schema.contains("STRING"),
        "{schema}"
    );

    let system = request("system")?;
    assert_eq!(
        system.system,
        [Part::text("Be brief."), Part::text("Answer in French.")]
    );
    assert_eq!(system.turns.len(), 3);

    let reasoning = request("reasoning")?;
    let asked = reasoning.reasoning.unwrap_or_default();
    assert_eq!(
        (asked.budget_tokens, asked.shown),
        (Some(24_576), Some(true))
    );
    assert_eq!(
        asked.budget_tokens.map(Effort::of_budget),
        Some(Effort::High)
    );
    let Part::Reasoning(thought) = &reasoning.turns[1].parts[0] else {
        return Err("the thought is not there".into());
    };
    assert!(
        thought
            .signature
            .as_ref()
            .is_some_and(|it| it.origin == Dialect::Gemini)
    );

    let Format::Schema { schema, .. } = request("structured-output")?.format else {
        return Err("the schema is not there".into());
    };
    assert_eq!(schema["properties"]["age"], json!({"type": "integer"}));
    Ok(())
}

#[test]
fn results_and_pictures_are_what_the_story_has() -> Outcome {
    let results = request("tool-results")?;
    let roles: Vec<Role> = results.turns.iter().map(|turn| turn.role).collect();
    assert_eq!(roles, [Role::User, Role::Assistant, Role::User]);
    let [Part::ToolResult(first), Part::ToolResult(second), last] = &*results.turns[2].parts else {
        return Err("the results are not there".into());
    };
    assert_eq!((&*first.call_id, first.is_error), ("fc1x8a2b", false));
    assert_eq!(first.parts, [Part::text("18 C, sunny")]);
    assert_eq!(
        (second.is_error, &second.parts[..]),
        (true, &[Part::text("no such zone")][..])
    );
    assert_eq!(*last, Part::text("And?"));

    let images = request("images")?;
    let [
        _,
        Part::Image(inline),
        Part::Image(url),
        Part::Document(pdf),
    ] = &*images.turns[0].parts
    else {
        return Err("the pictures are not there".into());
    };
    assert!(matches!(&inline.source, Source::Base64(data) if data.starts_with("iVBOR")));
    assert_eq!(
        url.source,
        Source::Url("https://example.com/dot.png".to_owned())
    );
    assert_eq!(pdf.media_type.as_deref(), Some("application/pdf"));
    Ok(())
}

#[test]
fn answers_say_what_the_story_says() -> Outcome {
    let text = answer("text")?;
    assert_eq!(text.parts, [Part::text("The capital of France is Paris.")]);
    assert_eq!(
        (text.finish, &*text.model),
        (Finish::Stop, "gemini-2.5-flash")
    );

    let tools = answer("parallel-tools")?;
    assert_eq!(tools.finish, Finish::ToolCalls);
    let [Part::ToolCall(weather), Part::ToolCall(time)] = &*tools.parts else {
        return Err("the calls are not there".into());
    };
    assert_eq!(weather.arguments, r#"{"city":"Paris","unit":"celsius"}"#);
    assert!(weather.signature.is_some() && time.signature.is_none());
    assert_eq!(
        (&*time.name, &*time.arguments),
        ("get_time", r#"{"zone":"Europe/Paris"}"#)
    );

    let usage = Usage {
        input: 100,
        output: 50,
        cached_input: 40,
        reasoning: 30,
    };
    assert_eq!(answer("usage")?.usage, Some(usage));
    assert!(stream("usage")?.contains(&Event::Usage(usage)));

    let body = fs::read(path("errors", "error.json"))?;
    let error = ProviderError::read(&body).ok_or("no error was read")?;
    assert_eq!(
        (error.kind.as_deref(), error.code.as_deref()),
        (Some("RESOURCE_EXHAUSTED"), Some("429"))
    );
    assert_eq!(read_answer(&body), Verdict::Error(error));
    Ok(())
}

/// What a client of this dialect reads from a stream is what it reads from the whole answer.
#[test]
fn streams_are_the_same_there_and_back() -> Outcome {
    for case in cases("stream.sse") {
        let events = stream(case)?;
        let mut frames = Vec::new();
        let mut writer = encoder(Owed {
            id: "mAitaLmkHPPlz7IPvtfUqQ4".to_owned(),
            model: "gemini-2.5-flash".to_owned(),
            ..Owed::default()
        });
        events
            .iter()
            .for_each(|event| writer.event(event, &mut frames));
        let read = super::events(frames.iter().map(|frame| &*frame.data))?;
        let told = |events: &[Event]| -> Vec<Event> {
            let counts = |event: &&Event| !matches!(event, Event::Usage(_));
            events.iter().filter(counts).cloned().collect()
        };
        assert_eq!(told(&read), told(&events), "{case}");
        let last = |events: &[Event]| {
            let usage = |event: &Event| matches!(event, Event::Usage(_));
            events.iter().rfind(|event| usage(event)).cloned()
        };
        if case != "errors" {
            assert_eq!(last(&read), last(&events), "{case}");
        }
    }
    Ok(())
}

#[test]
fn observers_see_the_same_as_decoders() -> Outcome {
    let streams = cases("stream.sse");
    assert_eq!(streams.len(), 5);
    for case in streams {
        let mut observer = StreamObserver::new();
        let mut reader = Reader::default();
        reader.push(fs::read(path(case, "stream.sse"))?.into());
        let mut failed = false;
        while let Some(event) = reader.next_event()? {
            match observer.observe(event.name(), &event.data) {
                Observed::Content => {}
                Observed::Error(error) => {
                    failed = true;
                    assert_eq!(error.kind.as_deref(), Some("UNAVAILABLE"));
                }
                other => return Err(format!("{case}: {other:?}").into()),
            }
        }
        let events = stream(case)?;
        let usage = events.iter().rev().find_map(|event| match event {
            Event::Usage(usage) => Some(*usage),
            _ => None,
        });
        assert!(observer.has_content());
        assert_eq!(observer.usage(), usage, "{case}");
        assert_eq!(failed, case == "errors");
        assert_eq!(observer.completed(), !failed, "{case}");
        assert_eq!(events.contains(&Event::Done), !failed, "{case}");
    }
    for case in cases("answer.json") {
        let body = fs::read(path(case, "answer.json"))?;
        let Verdict::Complete {
            usage,
            finish_reason,
        } = read_answer(&body)
        else {
            return Err(format!("{case} is not complete").into());
        };
        assert_eq!(usage, answer(case)?.usage, "{case}");
        assert_eq!(finish_reason.as_deref(), Some("STOP"), "{case}");
    }
    Ok(())
}

const CASES: [&str; 11] = [
    "errors",
    "images",
    "parallel-tools",
    "reasoning",
    "streamed-text",
    "streamed-tools",
    "structured-output",
    "system",
    "text",
    "tool-results",
    "usage",
];

/// Longer than any line end or field name.
const CHUNK_SIZES_END: usize = 100;
