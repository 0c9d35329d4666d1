//! A stream of Converse, as the events of Anthropic's API.

use jackfield_plugin::executor::{Failure, Frame, Output, Payload, Usage};
use serde_json::{Value, json};

use super::{TokenUsage, malformed, message_id, stop_reason};
use crate::errors;

/// Converts one stream.
pub(crate) struct ConverseStream {
    model: String,
    request_id: Option<String>,
    /// The block that is open: Converse's index and the type.
    open: Option<(u64, BlockType)>,
    /// Anthropic's index of the next block.
    next_index: u64,
    /// The stop reason, once it is known. The usage follows it.
    stop_reason: Option<String>,
    ended: bool,
    usage: Option<Usage>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum BlockType {
    Text,
    Thinking,
    ToolUse,
}

impl ConverseStream {
    pub(crate) fn new(model: String) -> Self {
        Self {
            model,
            request_id: None,
            open: None,
            next_index: 0,
            stop_reason: None,
            ended: false,
            usage: None,
        }
    }

    pub(crate) fn set_id(&mut self, request_id: String) {
        self.request_id = Some(request_id);
    }

    /// Converts events (`ConverseStreamOutput`). Unknown ones are skipped.
    pub(crate) fn push(&mut self, frames: Vec<Frame>, last: bool) -> Result<Output, Failure> {
        let mut events = Vec::new();
        for frame in frames {
            if let Some(failure) = errors::of_frame(&frame) {
                return Err(failure);
            }
            let event: Value = serde_json::from_slice(frame.data.as_bytes())
                .map_err(|_| malformed("an event is not JSON"))?;
            match frame.name.as_str() {
                "messageStart" => events.push(self.message_start()),
                "contentBlockStart" => self.block_start(&event, &mut events),
                "contentBlockDelta" => self.delta(&event, &mut events)?,
                "contentBlockStop" => self.stop_block(&mut events),
                "messageStop" => {
                    let reason = event["stopReason"].as_str();
                    let reason = reason.ok_or_else(|| malformed("there is no `stopReason`"))?;
                    self.stop_reason = Some(stop_reason(reason)?.to_owned());
                }
                "metadata" => {
                    let counts = TokenUsage::read(&event["usage"]);
                    self.usage = Some(counts.of_contract());
                    self.end(&counts, &mut events);
                }
                _ => {}
            }
        }
        if last {
            // A stream without the usage is complete, too.
            self.end(&TokenUsage::read(&Value::Null), &mut events);
        }
        Ok(Output {
            usage: self.usage.clone(),
            ..Output::frames(events)
        })
    }

    fn message_start(&self) -> Frame {
        event(&json!({ "type": "message_start", "message": {
            "id": message_id(self.request_id.as_deref()),
            "type": "message",
            "role": "assistant",
            "model": self.model,
            "content": [],
            "stop_reason": null,
            "stop_sequence": null,
            // Converse has the usage at the end.
            "usage": { "input_tokens": 0, "output_tokens": 0 },
        } }))
    }

    /// Begins a tool call. Texts and reasoning begin with their first delta.
    fn block_start(&mut self, start: &Value, events: &mut Vec<Frame>) {
        let call = &start["start"]["toolUse"];
        if call.is_object() {
            let block = json!({
                "type": "tool_use", "id": call["toolUseId"], "name": call["name"], "input": {},
            });
            let index = start["contentBlockIndex"].as_u64().unwrap_or_default();
            self.open_block(index, BlockType::ToolUse, &block, events);
        }
    }

    fn delta(&mut self, delta: &Value, events: &mut Vec<Frame>) -> Result<(), Failure> {
        let index = delta["contentBlockIndex"].as_u64().unwrap_or_default();
        let delta = &delta["delta"];
        if let Some(text) = delta.get("text") {
            let block = json!({ "type": "text", "text": "" });
            self.open_block(index, BlockType::Text, &block, events);
            self.push_delta(&json!({ "type": "text_delta", "text": text }), events);
            return Ok(());
        }
        if let Some(call) = delta.get("toolUse") {
            if self.open != Some((index, BlockType::ToolUse)) {
                return Err(malformed("a tool call has no beginning"));
            }
            let part = json!({ "type": "input_json_delta", "partial_json": call["input"] });
            self.push_delta(&part, events);
            return Ok(());
        }
        let Some(reasoning) = delta.get("reasoningContent") else {
            return Ok(());
        };
        if let Some(data) = reasoning.get("redactedContent") {
            let block = json!({ "type": "redacted_thinking", "data": data });
            self.stop_block(events);
            self.open_block(index, BlockType::Thinking, &block, events);
            self.stop_block(events);
            return Ok(());
        }
        let block = json!({ "type": "thinking", "thinking": "", "signature": "" });
        self.open_block(index, BlockType::Thinking, &block, events);
        if let Some(text) = reasoning.get("text") {
            let part = json!({ "type": "thinking_delta", "thinking": text });
            self.push_delta(&part, events);
        }
        if let Some(signature) = reasoning.get("signature") {
            let part = json!({ "type": "signature_delta", "signature": signature });
            self.push_delta(&part, events);
        }
        Ok(())
    }

    /// Opens a block unless it is open. Another one that is open ends.
    fn open_block(
        &mut self,
        index: u64,
        block_type: BlockType,
        block: &Value,
        events: &mut Vec<Frame>,
    ) {
        if self.open == Some((index, block_type)) {
            return;
        }
        self.stop_block(events);
        self.open = Some((index, block_type));
        events.push(event(&json!({
            "type": "content_block_start", "index": self.next_index, "content_block": block,
        })));
    }

    fn push_delta(&self, delta: &Value, events: &mut Vec<Frame>) {
        events.push(event(&json!({
            "type": "content_block_delta", "index": self.next_index, "delta": delta,
        })));
    }

    fn stop_block(&mut self, events: &mut Vec<Frame>) {
        if self.open.take().is_some() {
            let index = self.next_index;
            events.push(event(
                &json!({ "type": "content_block_stop", "index": index }),
            ));
            self.next_index += 1;
        }
    }

    /// Ends the message, if its stop reason is known.
    fn end(&mut self, counts: &TokenUsage, events: &mut Vec<Frame>) {
        if self.ended {
            return;
        }
        let Some(reason) = &self.stop_reason else {
            return;
        };
        let delta = json!({ "stop_reason": reason, "stop_sequence": null });
        let usage = counts.anthropic();
        self.stop_block(events);
        events.push(event(
            &json!({ "type": "message_delta", "delta": delta, "usage": usage }),
        ));
        events.push(event(&json!({ "type": "message_stop" })));
        self.ended = true;
    }
}

/// An event of Anthropic's API, whose name is its type.
fn event(data: &Value) -> Frame {
    Frame {
        name: data["type"].as_str().unwrap_or_default().to_owned(),
        data: Payload::Text(data.to_string()),
    }
}
