//! A chat's answer, whole and as chunks.

use axum::body::Bytes;
use serde_json::{Value, json};

use crate::practice::answer::{Answer, Call, End, pieces};
use crate::practice::asked::Asked;
use crate::practice::voice::event;

/// The whole answer.
pub(in crate::practice) fn whole(asked: &Asked, answer: &Answer) -> Value {
    let mut message =
        json!({ "role": "assistant", "content": answer.text.concat(), "refusal": null });
    if !answer.calls.is_empty() {
        message["tool_calls"] = answer.calls.iter().map(call).collect();
        if answer.text.is_empty() {
            message["content"] = Value::Null;
        }
    }
    if !answer.reasoning.is_empty() {
        message["reasoning_content"] = json!(answer.reasoning.concat());
    }
    let choice = |index: u64| json!({ "index": index, "message": message, "logprobs": null, "finish_reason": reason(answer) });
    json!({
        "id": ID,
        "object": "chat.completion",
        "created": 1,
        "model": asked.model,
        "choices": (0..asked.answers).map(choice).collect::<Vec<_>>(),
        "usage": usage(answer),
        "x_practice": { "served_by": answer.served_by },
    })
}

fn call(call: &Call) -> Value {
    json!({
        "id": format!("call_practice_{}", call.number),
        "type": "function",
        "function": { "name": call.name, "arguments": call.arguments.to_string() },
    })
}

fn reason(answer: &Answer) -> &'static str {
    match answer.end {
        End::Done | End::Stop(_) => "stop",
        End::Calls => "tool_calls",
        End::Length => "length",
    }
}

/// What was used, as chats and completions have it.
pub(in crate::practice) fn usage(answer: &Answer) -> Value {
    let tokens = answer.tokens;
    json!({
        "prompt_tokens": tokens.input,
        "completion_tokens": tokens.output,
        "total_tokens": tokens.total(),
        "prompt_tokens_details": { "cached_tokens": tokens.cached, "audio_tokens": 0 },
        "completion_tokens_details": { "reasoning_tokens": tokens.reasoning, "audio_tokens": 0 },
    })
}

/// The chunks, and the mark that ends them.
pub(in crate::practice) fn events(asked: &Asked, answer: &Answer) -> Vec<Bytes> {
    let mut events = Vec::new();
    for index in 0..asked.answers {
        events.extend(choice_events(asked, answer, index));
    }
    if asked.usage {
        let mut last = chunk(asked, &json!([]));
        last["usage"] = usage(answer);
        events.push(event(None, &last));
    }
    events.push(Bytes::from_static(b"data: [DONE]\n\n"));
    events
}

fn choice_events(asked: &Asked, answer: &Answer, index: u64) -> Vec<Bytes> {
    let delta = |delta: Value, reason: Option<&str>| {
        let choice = json!({ "index": index, "delta": delta, "finish_reason": reason });
        event(None, &chunk(asked, &json!([choice])))
    };
    let mut events = vec![delta(json!({ "role": "assistant", "content": "" }), None)];
    let thought = |piece: &String| delta(json!({ "reasoning_content": piece }), None);
    events.extend(answer.reasoning.iter().map(thought));
    events.extend(
        answer
            .text
            .iter()
            .map(|piece| delta(json!({ "content": piece }), None)),
    );
    for (index, made) in answer.calls.iter().enumerate() {
        let mut begun = call(made);
        begun["index"] = json!(index);
        begun["function"]["arguments"] = json!("");
        events.push(delta(json!({ "tool_calls": [begun] }), None));
        let piece = |piece: String| {
            let call = json!({ "index": index, "function": { "arguments": piece } });
            delta(json!({ "tool_calls": [call] }), None)
        };
        events.extend(pieces(&made.arguments.to_string()).into_iter().map(piece));
    }
    events.push(delta(json!({}), Some(reason(answer))));
    events
}

fn chunk(asked: &Asked, choices: &Value) -> Value {
    let mut chunk = json!({
        "id": ID,
        "object": "chat.completion.chunk",
        "created": 1,
        "model": asked.model,
        "choices": choices,
    });
    if asked.usage {
        chunk["usage"] = Value::Null;
    }
    chunk
}

const ID: &str = "practice-1";
