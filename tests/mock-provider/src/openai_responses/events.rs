//! Renders a response as events: all that OpenAI documents for its items, in order and numbered.

use axum::body::Bytes;
use serde_json::{Value, json};

use super::render::{
    MESSAGE_ID, REASONING_ID, final_status, finished_response, message_item, reasoning_item,
    response_object, summary_part, text_part,
};
use super::tools::{CallForm, CallKind, custom_input};
use crate::errors::sse_event;
use crate::request::ModelRequest;
use crate::response::{FinishReason, ModelResponse, ToolCall, pieces};

/// Writes the events, and collects the complete items.
struct EventWriter {
    sent: Vec<Bytes>,
    output: Vec<Value>,
}

/// Renders the response as events.
pub(crate) fn events(request: &ModelRequest, response: &ModelResponse) -> Vec<Bytes> {
    let mut events = EventWriter {
        sent: Vec::new(),
        output: Vec::new(),
    };
    let created = response_object(request, "in_progress");
    events.send("response.created", json!({ "response": created }));
    events.send("response.in_progress", json!({ "response": created }));
    if !response.reasoning.is_empty() {
        events.write_reasoning(request, response);
    }
    if !response.text.is_empty() {
        events.write_message(response);
    }
    for call in &response.calls {
        events.write_call(call, &CallForm::of(call, &request.body));
    }
    let name = if response.finish_reason == FinishReason::Length {
        "response.incomplete"
    } else {
        "response.completed"
    };
    let whole = finished_response(request, response, events.output.clone());
    events.send(name, json!({ "response": whole }));
    events.sent
}

impl EventWriter {
    fn send(&mut self, name: &str, mut data: Value) {
        data["type"] = json!(name);
        data["sequence_number"] = json!(self.sent.len());
        self.sent.push(sse_event(Some(name), &data));
    }

    fn write_item_added(&mut self, item: &Value) {
        let index = self.output.len();
        self.send(
            "response.output_item.added",
            json!({ "output_index": index, "item": item }),
        );
    }

    fn write_item_done(&mut self, item: Value) {
        let index = self.output.len();
        self.send(
            "response.output_item.done",
            json!({ "output_index": index, "item": item }),
        );
        self.output.push(item);
    }

    fn write_reasoning(&mut self, request: &ModelRequest, response: &ModelResponse) {
        self.write_item_added(&reasoning_item(request, ""));
        let index = self.output.len();
        let at = |mut data: Value| {
            data["item_id"] = json!(REASONING_ID);
            data["output_index"] = json!(index);
            data["summary_index"] = json!(0);
            data
        };
        let summary = response.reasoning.concat();
        self.send(
            "response.reasoning_summary_part.added",
            at(json!({ "part": summary_part("") })),
        );
        for piece in &response.reasoning {
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
        self.write_item_done(reasoning_item(request, &summary));
    }

    fn write_message(&mut self, response: &ModelResponse) {
        self.write_item_added(&message_item("", "in_progress"));
        let index = self.output.len();
        let at = |mut data: Value| {
            data["item_id"] = json!(MESSAGE_ID);
            data["output_index"] = json!(index);
            data["content_index"] = json!(0);
            data
        };
        let text = response.text.concat();
        self.send(
            "response.content_part.added",
            at(json!({ "part": text_part("") })),
        );
        for piece in &response.text {
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
        self.write_item_done(message_item(&text, final_status(response)));
    }

    fn write_call(&mut self, call: &ToolCall, form: &CallForm) {
        self.write_item_added(&form.item(call, "in_progress"));
        let index = self.output.len();
        let at = |mut data: Value| {
            data["item_id"] = json!(form.item_id(call));
            data["output_index"] = json!(index);
            data
        };
        match form.kind {
            CallKind::Search => {}
            CallKind::Function => {
                let arguments = call.arguments.to_string();
                for piece in pieces(&arguments) {
                    let delta = at(json!({ "delta": piece }));
                    self.send("response.function_call_arguments.delta", delta);
                }
                let whole = at(json!({ "arguments": arguments, "name": call.name }));
                self.send("response.function_call_arguments.done", whole);
            }
            CallKind::Custom => {
                let input = custom_input(call);
                for piece in pieces(&input) {
                    let delta = at(json!({ "delta": piece }));
                    self.send("response.custom_tool_call_input.delta", delta);
                }
                let whole = at(json!({ "input": input }));
                self.send("response.custom_tool_call_input.done", whole);
            }
        }
        self.write_item_done(form.item(call, "completed"));
    }
}
