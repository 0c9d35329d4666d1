//! An executor for the made-up provider of `tests/mock-provider/src/acme.rs`, which speaks no dialect: the host reads the
//! request for it, and writes the dialects of all clients from its events.

use jackfield_plugin::typed::prelude::*;
use serde_json::{Value, from_slice, from_str, json};

struct Acme;

impl Executor for Acme {
    fn describe() -> Descriptor {
        Descriptor::new("1", COMMON)
    }

    fn prepare(target: Target) -> Result<Plan, Failure> {
        let parsed = |text: &str| from_str::<Value>(text).unwrap_or_default();
        let who = |role: &str| if role == "assistant" { "model" } else { "user" };
        let message = |message| match message {
            Message::Text { role, text } => json!({ "who": who(&role), "text": text }),
            Message::Call(it) => json!({ "who": "model", "call": {
                "id": it.id, "tool": it.name, "input": parsed(&it.arguments) } }),
            Message::Result { id, text } => json!({ "who": "tool", "id": id, "text": text }),
        };
        let tool = |it: Tool| json!({ "name": it.name, "about": it.description, "schema": parsed(&it.schema) });
        let body = json!({
            "model": target.model, "stream": target.stream, "system": conversation::system(),
            "messages": text_messages()?.into_iter().map(message).collect::<Value>(),
            "tools": conversation::tools().into_iter().map(tool).collect::<Value>(),
            "limit": conversation::parameters().tokens_max, "heat": conversation::parameters().temperature,
        });
        let request = HttpRequest::post_json(target.url("/generate")?, body.to_string());
        Ok(request.bearer_of(&target)?.frames("lines"))
    }
}

impl ReadFrame for Acme {
    fn read_frame(line: &[u8], response: &mut TypedResponse) {
        let line: Value = from_slice(line).unwrap_or_default();
        response.reasoning(line["think"].as_str().unwrap_or_default());
        response.text(line["say"].as_str().unwrap_or_default());
        for call in line["calls"].as_array().into_iter().flatten() {
            let word = |name: &str| call[name].as_str().unwrap_or_default();
            response.call(word("id"), word("tool"), &call["input"].to_string());
        }
        if let Some(end) = line["end"].as_str() {
            response.usage(line["in"].as_u64(), line["out"].as_u64());
            response.finish(match end {
                "done" => "stop",
                "limit" => "length",
                "call" => "tool-calls",
                _ => "content-filter",
            });
        }
    }

    fn read_error(data: &[u8], status: Option<u16>) -> Option<Failure> {
        let error: Value = from_slice(data).ok()?;
        let kind = match error["problem"].as_str()? {
            "busy" => "overloaded",
            "too-long" => "invalid",
            "bad-key" => "authentication",
            _ => status.map_or("transient", |_| Failure::UNCLASSIFIED),
        };
        let failure = Failure::classified(kind, error["why"].as_str().unwrap_or_default());
        Some(failure.retry_after(error["wait"].as_u64()))
    }
}

jackfield_plugin::export_executor!(Acme, judge, typed_reply);
