//! Gemini's answers: whole, and as the chunks of a stream, which are answers of their own.

use axum::body::Bytes;
use serde_json::{Value, json};

use super::DIALECT;
use crate::practice::answer::{Answer, Call, End};
use crate::practice::asked::Asked;
use crate::practice::signature::sign;
use crate::practice::voice::event;

/// The whole answer.
pub(super) fn whole(asked: &Asked, answer: &Answer) -> Value {
    let mut parts = Vec::new();
    if !answer.reasoning.is_empty() {
        parts.push(json!({ "text": answer.reasoning.concat(), "thought": true }));
    }
    if !answer.text.is_empty() {
        parts.push(signed(
            json!({ "text": answer.text.concat() }),
            answer,
            "text",
        ));
    }
    parts.extend(calls(asked, answer));
    response(asked, answer, &parts, true)
}

/// The chunks of the answer.
fn chunks(asked: &Asked, answer: &Answer) -> Vec<Value> {
    let mut chunks = Vec::new();
    let mut chunk = |part: Value| chunks.push(response(asked, answer, &[part], false));
    for piece in &answer.reasoning {
        chunk(json!({ "text": piece, "thought": true }));
    }
    for piece in &answer.text {
        chunk(json!({ "text": piece }));
    }
    calls(asked, answer).into_iter().for_each(&mut chunk);
    // The signature of a text comes at its end, in a part that is empty otherwise.
    let last = if answer.text.is_empty() {
        json!({ "text": "" })
    } else {
        signed(json!({ "text": "" }), answer, "text")
    };
    chunks.push(response(asked, answer, &[last], true));
    chunks
}

/// The answer's chunks as events.
pub(super) fn events(asked: &Asked, answer: &Answer) -> Vec<Bytes> {
    chunks(asked, answer)
        .iter()
        .map(|chunk| event(None, chunk))
        .collect()
}

/// The answer's chunks as the items of one array. The last of these is only its end.
pub(super) fn items(asked: &Asked, answer: &Answer) -> Vec<Bytes> {
    let chunks = chunks(asked, answer);
    let item = |(index, chunk): (usize, &Value)| {
        let before = if index == 0 { "[" } else { ",\r\n" };
        Bytes::from(format!("{before}{chunk}\n"))
    };
    let mut items: Vec<Bytes> = chunks.iter().enumerate().map(item).collect();
    items.push(Bytes::from_static(b"]\n"));
    items
}

/// Reasoning is signed on the first call, or at the end of the text.
fn signed(mut part: Value, answer: &Answer, what: &str) -> Value {
    if !answer.reasoning.is_empty() {
        part["thoughtSignature"] = json!(sign(DIALECT, &format!("{what} of {}", answer.served_by)));
    }
    part
}

fn calls(asked: &Asked, answer: &Answer) -> Vec<Value> {
    let part = |(index, call): (usize, &Call)| {
        let mut made = json!({ "name": call.name, "args": call.arguments });
        if asked.wishes.call_ids {
            made["id"] = json!(format!("practice-{}", call.number));
        }
        let part = json!({ "functionCall": made });
        if index == 0 {
            signed(part, answer, &call.name)
        } else {
            part
        }
    };
    answer.calls.iter().enumerate().map(part).collect()
}

fn response(asked: &Asked, answer: &Answer, parts: &[Value], last: bool) -> Value {
    let candidate = |index: u64| {
        let mut candidate = json!({ "index": index });
        // An answer with nothing in it has no parts.
        candidate["content"] = if parts.is_empty() {
            json!({ "role": "model" })
        } else {
            json!({ "role": "model", "parts": parts })
        };
        if last {
            candidate["finishReason"] = json!(reason(answer));
        }
        candidate
    };
    json!({
        "candidates": (0..asked.answers).map(candidate).collect::<Vec<_>>(),
        "usageMetadata": usage(answer),
        "modelVersion": asked.model,
        // As unique within a conversation as the real ones are: ids of calls may be made of it.
        "responseId": format!("practice-{}", answer.calls.first().map_or(0, |call| call.number)),
    })
}

/// A call of a function ends an answer like any other.
fn reason(answer: &Answer) -> &'static str {
    match answer.end {
        End::Done | End::Calls | End::Stop(_) => "STOP",
        End::Length => "MAX_TOKENS",
    }
}

/// Thoughts are counted apart from the candidates.
fn usage(answer: &Answer) -> Value {
    let tokens = answer.tokens;
    let mut usage = json!({
        "promptTokenCount": tokens.input,
        "candidatesTokenCount": tokens.output - tokens.reasoning,
        "totalTokenCount": tokens.total(),
    });
    if tokens.reasoning > 0 {
        usage["thoughtsTokenCount"] = json!(tokens.reasoning);
    }
    if tokens.cached > 0 {
        usage["cachedContentTokenCount"] = json!(tokens.cached);
    }
    usage
}
