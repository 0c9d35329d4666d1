//! A message, whole and as events.

use axum::body::Bytes;
use serde_json::{Value, json};

use super::DIALECT;
use crate::practice::answer::{Answer, Call, End, pieces};
use crate::practice::asked::Asked;
use crate::practice::signature::sign;
use crate::practice::voice::event;

/// The whole answer.
pub(in crate::practice) fn whole(asked: &Asked, answer: &Answer) -> Value {
    let mut message = message(asked, answer);
    let mut content = Vec::new();
    if !answer.reasoning.is_empty() {
        let thought = thought(asked, answer).concat();
        content.push(json!({ "type": "thinking", "thinking": thought, "signature": sign(DIALECT, &thought) }));
    }
    if !answer.text.is_empty() {
        content.push(json!({ "type": "text", "text": answer.text.concat() }));
    }
    let call = |call: &Call| json!({ "type": "tool_use", "id": id(call), "name": call.name, "input": call.arguments });
    content.extend(answer.calls.iter().map(call));
    message["content"] = Value::Array(content);
    let (reason, sequence) = reason(answer);
    message["stop_reason"] = json!(reason);
    message["stop_sequence"] = sequence;
    message["usage"] = usage(answer, answer.tokens.output);
    message
}

fn message(asked: &Asked, answer: &Answer) -> Value {
    json!({
        "id": "msg_practice_1",
        "type": "message",
        "role": "assistant",
        "model": asked.model,
        "content": [],
        "stop_reason": null,
        "stop_sequence": null,
        "usage": usage(answer, 1),
    })
}

/// What it thought, unless that is to be left out.
fn thought<'a>(asked: &Asked, answer: &'a Answer) -> &'a [String] {
    if asked.body["thinking"]["display"] == "omitted" {
        &[]
    } else {
        &answer.reasoning
    }
}

fn id(call: &Call) -> String {
    format!("toolu_practice_{}", call.number)
}

fn reason(answer: &Answer) -> (&'static str, Value) {
    match &answer.end {
        End::Done => ("end_turn", Value::Null),
        End::Calls => ("tool_use", Value::Null),
        End::Length => ("max_tokens", Value::Null),
        End::Stop(stop) => ("stop_sequence", json!(stop)),
    }
}

/// Tokens from a cache are no input tokens here: they are counted apart.
fn usage(answer: &Answer, output: u64) -> Value {
    let tokens = answer.tokens;
    json!({
        "input_tokens": tokens.input - tokens.cached,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": tokens.cached,
        "output_tokens": output,
        "output_tokens_details": { "thinking_tokens": tokens.reasoning },
        "service_tier": "standard",
    })
}

/// The events, each named after its type.
pub(in crate::practice) fn events(asked: &Asked, answer: &Answer) -> Vec<Bytes> {
    let mut events = vec![
        named(&json!({ "type": "message_start", "message": message(asked, answer) })),
        named(&json!({ "type": "ping" })),
    ];
    let mut index = 0;
    let mut block = |start: Value, deltas: Vec<Value>| {
        events.push(named(
            &json!({ "type": "content_block_start", "index": index, "content_block": start }),
        ));
        for delta in deltas {
            events.push(named(
                &json!({ "type": "content_block_delta", "index": index, "delta": delta }),
            ));
        }
        events.push(named(
            &json!({ "type": "content_block_stop", "index": index }),
        ));
        index += 1;
    };
    if !answer.reasoning.is_empty() {
        let pieces = thought(asked, answer);
        let delta = |piece: &String| json!({ "type": "thinking_delta", "thinking": piece });
        let mut deltas: Vec<Value> = pieces.iter().map(delta).collect();
        let signature = sign(DIALECT, &pieces.concat());
        deltas.push(json!({ "type": "signature_delta", "signature": signature }));
        block(
            json!({ "type": "thinking", "thinking": "", "signature": "" }),
            deltas,
        );
    }
    if !answer.text.is_empty() {
        let said = |piece: &String| json!({ "type": "text_delta", "text": piece });
        block(
            json!({ "type": "text", "text": "" }),
            answer.text.iter().map(said).collect(),
        );
    }
    for call in &answer.calls {
        let piece = |piece: String| json!({ "type": "input_json_delta", "partial_json": piece });
        // The first piece is empty, as it is there.
        let deltas = std::iter::once(String::new()).chain(pieces(&call.arguments.to_string()));
        let start = json!({ "type": "tool_use", "id": id(call), "name": call.name, "input": {} });
        block(start, deltas.map(piece).collect());
    }
    let (reason, sequence) = reason(answer);
    events.push(named(&json!({
        "type": "message_delta",
        "delta": { "stop_reason": reason, "stop_sequence": sequence },
        "usage": usage(answer, answer.tokens.output),
    })));
    events.push(named(&json!({ "type": "message_stop" })));
    events
}

fn named(data: &Value) -> Bytes {
    event(data["type"].as_str(), data)
}
