//! The cases that all dialects share.

use crate::traits::Traits;
use std::fs;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use serde_json::{Value, json};

use super::super::{
    check_body, decode_request, decode_response, decoder, encode_request, encode_response, encoder,
    observer,
};
use super::{Outcome, fields, request_head};
use crate::ir::{
    Effort, Event, FinishReason, Format, MediaSource, Part, Request, Response, ResponseContext,
    Role, ToolChoice, TranslationReport,
};
use crate::sse::SseReader;
use crate::{BodyCheck, Dialect, EventClass, ProviderError, Usage};

fn path(case: &str, name: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/cases/dialects");
    root.join(case).join(format!("gemini.{name}"))
}

fn request(case: &str) -> Outcome<Request> {
    let mut report = TranslationReport::default();
    let request = decode_request(
        &fs::read(path(case, "request.json"))?,
        &request_head(),
        &mut report,
    )?;
    assert_eq!(fields(&report), [""; 0], "{case}");
    Ok(request)
}

fn response(case: &str) -> Outcome<Response> {
    Ok(decode_response(&fs::read(path(case, "response.json"))?)?)
}

/// Decodes a stream, in chunks of every size: the events must not depend on the chunks.
fn stream(case: &str) -> Outcome<Vec<Event>> {
    let bytes = fs::read(path(case, "stream.sse"))?;
    let whole = chunked(&bytes, bytes.len())?;
    for size in 1..CHUNK_SIZES_END {
        assert_eq!(chunked(&bytes, size)?, whole, "{case} in chunks of {size}");
    }
    Ok(whole)
}

fn chunked(bytes: &[u8], size: usize) -> Outcome<Vec<Event>> {
    let mut reader = SseReader::default();
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

/// A case that is encoded and decoded again must not change.
#[test]
fn every_case_round_trips() -> Outcome {
    let requests = cases("request.json");
    assert_eq!(requests.len(), 9);
    for case in requests {
        let read = request(case)?;
        let mut report = TranslationReport::default();
        let written = encode_request(&read, &Traits::everything(), &mut report)?;
        assert_eq!(fields(&report), [""; 0], "{case}");
        assert_eq!(
            decode_request(&written, &request_head(), &mut report)?,
            read,
            "{case}"
        );
    }
    let responses = cases("response.json");
    assert_eq!(responses.len(), 8);
    for case in responses {
        let read = response(case)?;
        let response_context = ResponseContext {
            id: read.id.clone(),
            model: read.model.clone(),
            ..ResponseContext::default()
        };
        let written = encode_response(&read, &response_context);
        assert_eq!(decode_response(&written)?, read, "{case}");
    }
    Ok(())
}

/// Where the API has only one form of a request, the encoder writes the same JSON.
#[test]
fn encodes_requests_like_google() -> Outcome {
    for case in ["text", "system", "images", "structured-output", "reasoning"] {
        let original: Value = serde_json::from_slice(&fs::read(path(case, "request.json"))?)?;
        let written = encode_request(
            &request(case)?,
            &Traits::everything(),
            &mut TranslationReport::default(),
        )?;
        let written: Value = serde_json::from_slice(&written)?;
        assert_eq!(written, original, "{case}");
    }
    Ok(())
}

#[test]
fn decodes_case_requests() -> Outcome {
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
    let reasoning_options = reasoning.reasoning.unwrap_or_default();
    assert_eq!(
        (reasoning_options.budget_tokens, reasoning_options.shown),
        (Some(24_576), Some(true))
    );
    assert_eq!(
        reasoning_options.budget_tokens.map(Effort::from_budget),
        Some(Effort::High)
    );
    let Part::Reasoning(reasoning_part) = &reasoning.turns[1].parts[0] else {
        return Err("there is no reasoning".into());
    };
    assert!(
        reasoning_part
            .signature
            .as_ref()
            .is_some_and(|it| it.origin == Dialect::Gemini)
    );

    let Format::Schema { schema, .. } = request("structured-output")?.format else {
        return Err("there is no schema".into());
    };
    assert_eq!(schema["properties"]["age"], json!({"type": "integer"}));
    Ok(())
}

#[test]
fn decodes_case_results_and_images() -> Outcome {
    let results = request("tool-results")?;
    let roles: Vec<Role> = results.turns.iter().map(|turn| turn.role).collect();
    assert_eq!(roles, [Role::User, Role::Assistant, Role::User]);
    let [Part::ToolResult(first), Part::ToolResult(second), last] = &*results.turns[2].parts else {
        return Err("there are no results".into());
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
        return Err("there are no images".into());
    };
    assert!(matches!(&inline.source, MediaSource::Base64(data) if data.starts_with("iVBOR")));
    assert_eq!(
        url.source,
        MediaSource::Url("https://example.com/dot.png".to_owned())
    );
    assert_eq!(pdf.media_type.as_deref(), Some("application/pdf"));
    Ok(())
}

#[test]
fn decodes_case_responses() -> Outcome {
    let text = response("text")?;
    assert_eq!(text.parts, [Part::text("The capital of France is Paris.")]);
    assert_eq!(
        (text.finish, &*text.model),
        (FinishReason::Stop, "gemini-2.5-flash")
    );

    let tools = response("parallel-tools")?;
    assert_eq!(tools.finish, FinishReason::ToolCalls);
    let [Part::ToolCall(weather), Part::ToolCall(time)] = &*tools.parts else {
        return Err("there are no calls".into());
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
        cache_write_input: 0,
        reasoning: 30,
    };
    assert_eq!(response("usage")?.usage, Some(usage));
    assert!(stream("usage")?.contains(&Event::Usage(usage)));

    let body = fs::read(path("errors", "error.json"))?;
    let error = ProviderError::read(&body).ok_or("no error was read")?;
    assert_eq!(
        (error.kind.as_deref(), error.code.as_deref()),
        (Some("RESOURCE_EXHAUSTED"), Some("429"))
    );
    assert_eq!(check_body(&body), BodyCheck::Error(error));
    Ok(())
}

/// A stream that is encoded and decoded again must not change, apart from how often it reports the usage.
#[test]
fn streams_round_trip() -> Outcome {
    for case in cases("stream.sse") {
        let events = stream(case)?;
        let mut frames = Vec::new();
        let mut writer = encoder(ResponseContext {
            id: "mAitaLmkHPPlz7IPvtfUqQ4".to_owned(),
            model: "gemini-2.5-flash".to_owned(),
            ..ResponseContext::default()
        });
        events
            .iter()
            .for_each(|event| writer.event(event, &mut frames));
        let read = super::events(frames.iter().map(|frame| &*frame.data))?;
        let without_usage = |events: &[Event]| -> Vec<Event> {
            let counts = |event: &&Event| !matches!(event, Event::Usage(_));
            events.iter().filter(counts).cloned().collect()
        };
        assert_eq!(without_usage(&read), without_usage(&events), "{case}");
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
fn observer_matches_decoder() -> Outcome {
    let streams = cases("stream.sse");
    assert_eq!(streams.len(), 5);
    for case in streams {
        let mut observer = observer();
        let mut reader = SseReader::default();
        reader.push(fs::read(path(case, "stream.sse"))?.into());
        let mut failed = false;
        while let Some(event) = reader.next_event()? {
            match observer.observe(event.name(), &event.data) {
                EventClass::Content => {}
                EventClass::Error(error) => {
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
    for case in cases("response.json") {
        let body = fs::read(path(case, "response.json"))?;
        let BodyCheck::Complete { usage } = check_body(&body) else {
            return Err(format!("{case} is not complete").into());
        };
        assert_eq!(usage, response(case)?.usage, "{case}");
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

/// The end of the range of chunk sizes, in bytes. Longer than any line end or field name.
const CHUNK_SIZES_END: usize = 100;
