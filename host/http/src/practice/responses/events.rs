//! A response as events: every one that OpenAI documents for what is in it, in order and numbered.

use axum::body::Bytes;
use serde_json::{Value, json};

use super::render::{
    MESSAGE_ID, REASONING_ID, call_item_id, end, finished, function_call, message, reasoning,
    response, summary_part, text_part,
};
use crate::practice::answer::{Answer, Call, End, pieces};
use crate::practice::asked::Asked;
use crate::practice::voice::event;

/// The events so far, and the items that are done.
struct Events {
    sent: Vec<Bytes>,
    output: Vec<Value>,
}

/// The answer's events.
pub(in crate::practice) fn events(asked: &Asked, answer: &Answer) -> Vec<Bytes> {
    let mut events = Events {
        sent: Vec::new(),
        output: Vec::new(),
    };
    let begun = response(asked, "in_progress");
    events.send("response.created", json!({ "response": begun }));
    events.send("response.in_progress", json!({ "response": begun }));
    if !answer.reasoning.is_empty() {
        events.think(asked, answer);
    }
    if !answer.text.is_empty() {
        events.say(answer);
    }
    for call in &answer.calls {
        events.call(call);
    }
    let name = if answer.end == End::Length {
        "response.incomplete"
    } else {
        "response.completed"
    };
    let whole = finished(asked, answer, events.output.clone());
    events.send(name, json!({ "response": whole }));
    events.sent
}

impl Events {
    fn send(&mut self, name: &str, mut data: Value) {
        data["type"] = json!(name);
        data["sequence_number"] = json!(self.sent.len());
        self.sent.push(event(Some(name), &data));
    }

    fn add(&mut self, item: &Value) {
        let index = self.output.len();
        self.send(
            "response.output_item.added",
            json!({ "output_index": index, "item": item }),
        );
    }

    fn done(&mut self, item: Value) {
        let index = self.output.len();
        self.send(
            "response.output_item.done",
            json!({ "output_index": index, "item": item }),
        );
        self.output.push(item);
    }

    fn think(&mut self, asked: &Asked, answer: &Answer) {
        self.add(&reasoning(asked, ""));
        let index = self.output.len();
        let at = |mut data: Value| {
            data["item_id"] = json!(REASONING_ID);
            data["output_index"] = json!(index);
            data["summary_index"] = json!(0);
            data
        };
        let summary = answer.reasoning.concat();
        self.send(
            "response.reasoning_summary_part.added",
            at(json!({ "part": summary_part("") })),
        );
        for piece in &answer.reasoning {
            self.send(
                "response.reasoning_summary_text.delta",
                at(json!({ "delta": piece })),
            );
        }
        self.send(
            "response.reasoning_summary_text.done",
            at(json!({ "text": summary })),
        );
        self.send(
            "response.reasoning_summary_part.done",
            at(json!({ "part": summary_part(&summary) })),
        );
        self.done(reasoning(asked, &summary));
    }

    fn say(&mut self, answer: &Answer) {
        self.add(&message("", "in_progress"));
        let index = self.output.len();
        let at = |mut data: Value| {
            data["item_id"] = json!(MESSAGE_ID);
            data["output_index"] = json!(index);
            data["content_index"] = json!(0);
            data
        };
        let text = answer.text.concat();
        self.send(
            "response.content_part.added",
            at(json!({ "part": text_part("") })),
        );
        for piece in &answer.text {
            let delta = json!({ "delta": piece, "logprobs": [] });
            self.send("response.output_text.delta", at(delta));
        }
        self.send(
            "response.output_text.done",
            at(json!({ "text": text, "logprobs": [] })),
        );
        self.send(
            "response.content_part.done",
            at(json!({ "part": text_part(&text) })),
        );
        self.done(message(&text, end(answer)));
    }

    fn call(&mut self, call: &Call) {
        self.add(&function_call(call, "in_progress"));
        let index = self.output.len();
        let at = |mut data: Value| {
            data["item_id"] = json!(call_item_id(call));
            data["output_index"] = json!(index);
            data
        };
        let arguments = call.arguments.to_string();
        for piece in pieces(&arguments) {
            self.send(
                "response.function_call_arguments.delta",
                at(json!({ "delta": piece })),
            );
        }
        let whole = json!({ "arguments": arguments, "name": call.name });
        self.send("response.function_call_arguments.done", at(whole));
        self.done(function_call(call, "completed"));
    }
}
