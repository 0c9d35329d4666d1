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
        let (base_url, sampling) = (
            &target.require_credential()?.base_url,
            conversation::parameters(),
        );
        let parsed = |text: &str| from_str::<Value>(text).unwrap_or_default();
        let messages = text_messages()?.into_iter().map(|message| match message {
            Message::Text { role, text } if role == "assistant" => json!({ "who": "model", "text": text }),
            Message::Text { text, .. } => json!({ "who": "user", "text": text }),
            Message::Call { id, name, arguments } => json!({ "who": "model", "call": { "id": id, "tool": name, "input": parsed(&arguments) } }),
            Message::Result { id, text } => json!({ "who": "tool", "id": id, "text": text }),
        });
        let tools = conversation::tools().into_iter();
        let tools = tools.map(
            |it| json!({ "name": it.name, "about": it.description, "schema": parsed(&it.schema) }),
        );
        let body = json!({
            "model": target.model, "stream": target.stream, "system": conversation::system(),
            "messages": messages.collect::<Value>(), "tools": tools.collect::<Value>(),
            "limit": sampling.tokens_max, "heat": sampling.temperature,
        });
        let request = HttpRequest::post_json(format!("{base_url}/generate"), body.to_string());
        Ok(request.bearer_of(&target)?.frames("lines"))
    }
}

impl ReadFrame for Acme {
    fn read_frame(line: &[u8], answer: &mut Answer) {
        let line: Value = from_slice(line).unwrap_or_default();
        let text = |name: &str| line[name].as_str();
        let tokens = |name: &str| line[name].as_u64().unwrap_or_default();
        text("think").inspect(|piece| answer.reasoning(piece));
        text("say").inspect(|piece| answer.text(piece));
        for call in line["calls"].as_array().into_iter().flatten() {
            let word = |name: &str| call[name].as_str().unwrap_or_default();
            answer.call(word("id"), word("tool"), &call["input"].to_string());
        }
        if let Some(end) = text("end") {
            answer.usage(tokens("in"), tokens("out"));
            answer.finish(match end {
                "done" => "stop",
                "limit" => "length",
                "call" => "tool-calls",
                _ => "content-filter",
            });
        }
        failure(&line, "transient")
            .into_iter()
            .for_each(|failure| answer.fail(failure));
    }
}

fn failure(line: &Value, other: &str) -> Option<Failure> {
    let kind = match line["problem"].as_str()? {
        "busy" => "overloaded",
        "too-long" => "invalid",
        "bad-key" => "authentication",
        _ => other,
    };
    let failure = Failure::classified(kind, line["why"].as_str().unwrap_or_default());
    Some(failure.retry_after(line["wait"].as_u64()))
}

impl Judge for Acme {
    fn judge(_target: Target, head: HttpHead, body: Payload) -> Option<Failure> {
        let failure = failure(&from_slice(body.as_bytes()).ok()?, Failure::UNCLASSIFIED)?;
        Some(Failure {
            status: Some(head.status),
            ..failure
        })
    }
}

impl TypedReply for Acme {
    type Converter = PerFrame<Self>;
}

jackfield_plugin::export_executor!(Acme, judge, typed_reply);
