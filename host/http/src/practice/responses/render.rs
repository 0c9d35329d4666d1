//! A response: what it has in common whether it is whole or streamed, and its items.

use serde_json::{Value, json};

use super::DIALECT;
use crate::practice::answer::{Answer, Call, End};
use crate::practice::asked::Asked;
use crate::practice::signature::sign;

/// The whole answer.
pub(in crate::practice) fn whole(asked: &Asked, answer: &Answer) -> Value {
    let mut output = Vec::new();
    if !answer.reasoning.is_empty() {
        output.push(reasoning(asked, &answer.reasoning.concat()));
    }
    if !answer.text.is_empty() {
        output.push(message(&answer.text.concat(), end(answer)));
    }
    output.extend(
        answer
            .calls
            .iter()
            .map(|call| function_call(call, "completed")),
    );
    finished(asked, answer, output)
}

/// The response when it has ended.
pub(super) fn finished(asked: &Asked, answer: &Answer, output: Vec<Value>) -> Value {
    let mut response = response(asked, end(answer));
    response["output"] = Value::Array(output);
    response["usage"] = usage(answer);
    if answer.end == End::Length {
        response["incomplete_details"] = json!({ "reason": "max_output_tokens" });
    } else {
        response["completed_at"] = json!(2);
    }
    response
}

/// How an answer ended, as its status.
pub(super) fn end(answer: &Answer) -> &'static str {
    if answer.end == End::Length {
        "incomplete"
    } else {
        "completed"
    }
}

/// A response with nothing in it yet. It repeats what was asked for.
pub(super) fn response(asked: &Asked, status: &str) -> Value {
    let body = &asked.body;
    let or = |name: &str, otherwise: Value| match body.get(name) {
        Some(value) if !value.is_null() => value.clone(),
        _ => otherwise,
    };
    let mut text = or("text", json!({}));
    if text.get("format").is_none() {
        text["format"] = json!({ "type": "text" });
    }
    json!({
        "id": "resp_practice_1",
        "object": "response",
        "created_at": 1,
        "completed_at": null,
        "status": status,
        "background": false,
        "error": null,
        "incomplete_details": null,
        "instructions": or("instructions", Value::Null),
        "max_output_tokens": or("max_output_tokens", Value::Null),
        "max_tool_calls": or("max_tool_calls", Value::Null),
        "model": asked.model,
        "output": [],
        "parallel_tool_calls": asked.parallel,
        "previous_response_id": null,
        "reasoning": or("reasoning", json!({ "effort": null, "summary": null })),
        "service_tier": "default",
        "store": or("store", json!(true)),
        "temperature": or("temperature", json!(1.0)),
        "text": text,
        "tool_choice": or("tool_choice", json!("auto")),
        "tools": or("tools", json!([])),
        "top_p": or("top_p", json!(1.0)),
        "truncation": or("truncation", json!("disabled")),
        "usage": null,
        "user": or("user", Value::Null),
        "metadata": or("metadata", json!({})),
    })
}

fn usage(answer: &Answer) -> Value {
    let tokens = answer.tokens;
    json!({
        "input_tokens": tokens.input,
        "input_tokens_details": { "cached_tokens": tokens.cached, "cache_write_tokens": 0 },
        "output_tokens": tokens.output,
        "output_tokens_details": { "reasoning_tokens": tokens.reasoning },
        "total_tokens": tokens.total(),
    })
}

/// Thoughts as an item. They are sealed if that was asked for.
pub(super) fn reasoning(asked: &Asked, summary: &str) -> Value {
    let parts = if summary.is_empty() {
        json!([])
    } else {
        json!([summary_part(summary)])
    };
    let mut item = json!({ "type": "reasoning", "id": REASONING_ID, "summary": parts });
    let include = asked.body["include"].as_array();
    let sealed =
        include.is_some_and(|include| include.iter().any(|it| it == "reasoning.encrypted_content"));
    if sealed {
        item["encrypted_content"] = json!(sign(DIALECT, &format!("{} thoughts", asked.model)));
    }
    item
}

/// A part of a summary.
pub(super) fn summary_part(text: &str) -> Value {
    json!({ "type": "summary_text", "text": text })
}

/// A text as an item.
pub(super) fn message(text: &str, status: &str) -> Value {
    let content = if status == "in_progress" {
        json!([])
    } else {
        json!([text_part(text)])
    };
    json!({ "type": "message", "id": MESSAGE_ID, "status": status, "role": "assistant", "content": content })
}

/// A part of a message.
pub(super) fn text_part(text: &str) -> Value {
    json!({ "type": "output_text", "text": text, "annotations": [], "logprobs": [] })
}

/// A call as an item.
pub(super) fn function_call(call: &Call, status: &str) -> Value {
    let arguments = if status == "in_progress" {
        String::new()
    } else {
        call.arguments.to_string()
    };
    json!({
        "type": "function_call",
        "id": call_item_id(call),
        "call_id": format!("call_practice_{}", call.number),
        "name": call.name,
        "arguments": arguments,
        "status": status,
    })
}

/// The id that the item of a call has.
pub(super) fn call_item_id(call: &Call) -> String {
    format!("fc_practice_{}", call.number)
}

/// The id of a message.
pub(super) const MESSAGE_ID: &str = "msg_practice_1";

/// The id of reasoning.
pub(super) const REASONING_ID: &str = "rs_practice_1";
