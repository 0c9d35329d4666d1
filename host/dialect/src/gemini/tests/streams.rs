//! Streams of unusual providers, and the streams that clients get.

use serde_json::{Value, json};

use super::super::{check_body, decode_response, decoder, encoder, observer};
use super::{Outcome, events};
use crate::ir::{
    Citation, Delta, Event, FinishReason, Frame, Malformed, Part, PartStart, ResponseContext,
    Signature,
};
use crate::{BodyCheck, Dialect, EventClass, ProviderError, Usage};

fn part_response(part: &Value) -> Value {
    json!({"candidates": [{"content": {"parts": [part]}}]})
}

fn read(responses: &[Value]) -> Outcome<Vec<Event>> {
    let data: Vec<String> = responses.iter().map(Value::to_string).collect();
    Ok(events(data.iter().map(String::as_bytes))?)
}

fn start() -> Event {
    Event::Start {
        id: String::new(),
        model: String::new(),
    }
}

fn text_delta(piece: &str) -> Event {
    Event::Delta(Delta::Text(piece.to_owned()))
}

#[test]
fn infers_part_boundaries() -> Outcome {
    let read = read(&[
        part_response(&json!({"text": "hm", "thought": true})),
        part_response(&json!({"text": "a"})),
        part_response(&json!({"text": "b", "thoughtSignature": "c2ln"})),
        part_response(&json!({"functionCall": {"name": "f"}})),
        json!({"candidates": [{"finishReason": "STOP"}], "usageMetadata": {"promptTokenCount": 1}}),
    ])?;
    let signature = Signature {
        origin: Dialect::Gemini,
        data: "c2ln".to_owned(),
    };
    let usage = Usage {
        input: 1,
        ..Usage::default()
    };
    let expected = [
        start(),
        Event::PartStart(PartStart::Reasoning { redacted: false }),
        Event::Delta(Delta::Reasoning("hm".to_owned())),
        Event::PartEnd,
        Event::PartStart(PartStart::Text),
        text_delta("a"),
        text_delta("b"),
        Event::PartEnd,
        Event::PartStart(PartStart::Reasoning { redacted: false }),
        Event::Delta(Delta::Signature(signature)),
        Event::PartEnd,
        Event::PartStart(PartStart::ToolCall {
            id: "call_0".to_owned(),
            name: "f".to_owned(),
            signature: None,
        }),
        Event::Delta(Delta::Arguments("{}".to_owned())),
        Event::PartEnd,
        Event::Usage(usage),
        Event::Finish(FinishReason::ToolCalls),
        Event::Done,
    ];
    assert_eq!(read, expected);
    Ok(())
}

#[test]
fn keeps_parts_after_finish_reason() -> Outcome {
    let stop = |piece: &str| json!({"candidates": [{"content": {"parts": [{"text": piece}]}, "finishReason": "STOP"}]});
    let read = read(&[stop("a"), stop("b")])?;
    let expected = [
        start(),
        Event::PartStart(PartStart::Text),
        text_delta("a"),
        text_delta("b"),
        Event::PartEnd,
        Event::Finish(FinishReason::Stop),
        Event::Done,
    ];
    assert_eq!(read, expected);
    Ok(())
}

#[test]
fn reads_last_of_duplicate_members() -> Outcome {
    let data = r#"{"candidates": [{"content": {"parts": [{"text": "a", "text": "b"}]}}]}"#;
    let read = events([data.as_bytes()])?;
    assert_eq!(read[2], text_delta("b"));
    Ok(())
}

#[test]
fn rejects_invalid_json_only_in_content() {
    let content = r#"{"candidates": [{"content": {"parts": [{"inlineData": {"data": 1e999}}]}}]}"#;
    let expected = Malformed("an event is not valid JSON");
    assert_eq!(events([content.as_bytes()]), Err(expected));
    let other = r#"{"candidates": [{"content": {"parts": [{"text": "a"}]}, "other": 1e999}]}"#;
    assert!(events([other.as_bytes()]).is_ok());
}

#[test]
fn finish_reason_that_explains_an_empty_response_is_content() -> Outcome {
    let data = json!({"candidates": [{"finishReason": "MAX_TOKENS"}]}).to_string();
    let (mut observer, mut decoder, mut out) = (observer(), decoder(), Vec::new());
    let class = observer.observe("", data.as_bytes());
    assert_eq!(class, EventClass::Content);
    assert_eq!(decoder.event("", data.as_bytes(), &mut out)?, class);
    decoder.finish(&mut out);
    assert_eq!(
        out,
        [start(), Event::Finish(FinishReason::Length), Event::Done]
    );
    assert!(observer.completed() && observer.has_content() && decoder.has_content());
    Ok(())
}

#[test]
fn truncated_stream_is_not_done() -> Outcome {
    let read = read(&[part_response(&json!({"text": "a"}))])?;
    assert_eq!(
        read,
        [start(), Event::PartStart(PartStart::Text), text_delta("a")]
    );
    Ok(())
}

#[test]
fn blocked_prompt_is_a_response() -> Outcome {
    let blocked = json!({"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": {"promptTokenCount": 3}});
    let read = read(std::slice::from_ref(&blocked))?;
    assert!(read.ends_with(&[Event::Finish(FinishReason::ContentFilter), Event::Done]));
    let body = blocked.to_string();
    let response = decode_response(body.as_bytes())?;
    assert_eq!(
        (response.finish, response.parts.len()),
        (FinishReason::ContentFilter, 0)
    );
    let check = check_body(body.as_bytes());
    assert!(matches!(check, BodyCheck::Complete { .. }));
    Ok(())
}

#[test]
fn nothing_follows_error_event() -> Outcome {
    let error = json!({"error": {"code": 503, "message": "m", "status": "UNAVAILABLE"}});
    let finish = json!({"candidates": [{"finishReason": "STOP"}]});
    let read = read(&[part_response(&json!({"text": "a"})), error, finish])?;
    assert!(matches!(read.last(), Some(Event::Error(error)) if error.message == "m"));
    assert!(events([&b"<html>"[..]]).is_err());
    Ok(())
}

#[test]
fn generates_same_call_ids_in_responses_and_streams() -> Outcome {
    let calls =
        json!([{"functionCall": {"name": "f"}}, {"functionCall": {"name": "g", "args": {"a": 1}}}]);
    let mut whole = json!({"candidates": [{"content": {"parts": calls}, "finishReason": "STOP"}]});
    whole["responseId"] = "r_é1".into();
    let ids = |parts: &[Part]| -> Vec<String> {
        let id = |part: &Part| match part {
            Part::ToolCall(call) => Some(call.id.clone()),
            _ => None,
        };
        parts.iter().filter_map(id).collect()
    };
    let response_ids = ids(&decode_response(whole.to_string().as_bytes())?.parts);
    assert_eq!(response_ids, ["call_r_1_0", "call_r_1_1"]);
    let mut pieces = [part_response(&calls[0]), part_response(&calls[1])];
    pieces
        .iter_mut()
        .for_each(|piece| piece["responseId"] = "r_é1".into());
    let stream_ids = read(&pieces)?.into_iter().filter_map(|event| match event {
        Event::PartStart(PartStart::ToolCall { id, .. }) => Some(id),
        _ => None,
    });
    assert_eq!(stream_ids.collect::<Vec<_>>(), response_ids);
    Ok(())
}

#[test]
fn deduplicates_citations_and_keeps_spans() -> Outcome {
    let grounding = json!({
        "groundingChunks": [{"web": {"uri": "https://a.example", "title": "A"}}],
        "groundingSupports": [{"segment": {"endIndex": 3, "text": "Zü"}, "groundingChunkIndices": [0]}],
    });
    let cited = json!({"candidates": [{"content": {"parts": [{"text": "Zü"}]}, "groundingMetadata": grounding}]});
    let again = json!({"candidates": [{"finishReason": "STOP", "groundingMetadata": grounding}]});
    let read = read(&[cited, again])?;
    let citations: Vec<&Citation> = read
        .iter()
        .filter_map(|event| match event {
            Event::Delta(Delta::Citation(citation)) => Some(citation),
            _ => None,
        })
        .collect();
    assert_eq!(citations.len(), 1);
    assert_eq!(citations[0].span, Some((0, 2)));

    let (frames, last) = encode_stream(&read)?;
    assert_eq!(frames.len(), 2);
    let segment = &last["candidates"][0]["groundingMetadata"]["groundingSupports"][0]["segment"];
    assert_eq!(
        *segment,
        json!({"startIndex": 0, "endIndex": 3, "text": "Zü"})
    );
    Ok(())
}

/// Encodes a stream; returns its frames, and the data of the last one.
fn encode_stream(events: &[Event]) -> Outcome<(Vec<Frame>, Value)> {
    let mut writer = encoder(ResponseContext {
        id: "i".to_owned(),
        model: "m".to_owned(),
        ..ResponseContext::default()
    });
    let mut frames = Vec::new();
    events
        .iter()
        .for_each(|event| writer.event(event, &mut frames));
    let last = frames.last().ok_or("nothing was written")?;
    let last = serde_json::from_slice(&last.data)?;
    assert!(frames.iter().all(|frame| frame.name.is_empty()));
    Ok((frames, last))
}

#[test]
fn encodes_each_event_as_full_response() -> Outcome {
    let signature = Signature {
        origin: Dialect::AnthropicMessages,
        data: "s".to_owned(),
    };
    let usage = Usage {
        input: 3,
        output: 5,
        cached_input: 0,
        cache_write_input: 0,
        reasoning: 2,
    };
    let (frames, last) = encode_stream(&[
        start(),
        Event::PartStart(PartStart::Reasoning { redacted: false }),
        Event::Delta(Delta::Reasoning("hm".to_owned())),
        Event::Delta(Delta::Signature(signature.clone())),
        Event::PartEnd,
        Event::PartStart(PartStart::ToolCall {
            id: "c".to_owned(),
            name: "f".to_owned(),
            signature: None,
        }),
        Event::Delta(Delta::Arguments("{\"a\"".to_owned())),
        Event::Delta(Delta::Arguments(":1}".to_owned())),
        Event::PartEnd,
        Event::Usage(usage),
        Event::Finish(FinishReason::ToolCalls),
        Event::Done,
        Event::Done,
    ])?;
    let of = |part: Value| {
        json!({
            "candidates": [{"content": {"parts": [part], "role": "model"}, "index": 0}],
            "modelVersion": "m",
            "responseId": "i",
        })
    };
    let wrapped = signature.encode_for(Dialect::Gemini);
    let expected = [
        of(json!({"text": "hm", "thought": true})),
        of(json!({"text": "", "thought": true, "thoughtSignature": wrapped})),
        of(json!({"functionCall": {"id": "c", "name": "f", "args": {"a": 1}}})),
    ];
    for (frame, expected) in frames.iter().zip(expected) {
        assert_eq!(serde_json::from_slice::<Value>(&frame.data)?, expected);
    }
    assert_eq!(frames.len(), 4, "nothing is written after the end");
    assert_eq!(last["candidates"][0]["finishReason"], "STOP");
    let counts = json!({"promptTokenCount": 3, "candidatesTokenCount": 3, "thoughtsTokenCount": 2, "totalTokenCount": 8});
    assert_eq!(last["usageMetadata"], counts);
    Ok(())
}

#[test]
fn maps_foreign_errors_to_google_status() -> Outcome {
    for (kind, code, expected) in [
        (
            "rate_limit_error",
            None,
            json!({"code": 429, "message": "m", "status": "RESOURCE_EXHAUSTED"}),
        ),
        (
            "overloaded_error",
            None,
            json!({"code": 503, "message": "m", "status": "UNAVAILABLE"}),
        ),
        (
            "server_error",
            Some("504"),
            json!({"code": 504, "message": "m", "status": "DEADLINE_EXCEEDED"}),
        ),
        (
            "odd",
            Some("odd"),
            json!({"code": 500, "message": "m", "status": "INTERNAL"}),
        ),
    ] {
        let error = ProviderError {
            message: "m".to_owned(),
            kind: Some(kind.to_owned()),
            code: code.map(str::to_owned),
            param: None,
            passed_on: None,
        };
        let (frames, last) = encode_stream(&[Event::Error(error), Event::Done])?;
        assert_eq!((frames.len(), &last["error"]), (1, &expected));
    }
    Ok(())
}

#[test]
fn rejects_endless_arguments() -> Outcome {
    let mut long = vec![Event::PartStart(PartStart::ToolCall {
        id: "c".to_owned(),
        name: "f".to_owned(),
        signature: None,
    })];
    let piece = Event::Delta(Delta::Arguments("x".repeat(1 << 20)));
    long.extend(std::iter::repeat_n(piece, 5));
    let (frames, last) = encode_stream(&long)?;
    assert_eq!(
        (frames.len(), &last["error"]["status"]),
        (1, &json!("INTERNAL"))
    );
    Ok(())
}
