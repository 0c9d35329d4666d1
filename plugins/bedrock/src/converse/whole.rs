//! A whole response of Converse, as a message of Anthropic's API.

use jackfield_plugin::executor::{Failure, Frame, Output, Payload};
use serde_json::{Value, json};

use super::content::to_anthropic;
use super::{TokenUsage, malformed, message_id, stop_reason};

/// Converts one response.
pub(crate) struct ConverseWhole {
    model: String,
    request_id: Option<String>,
}

impl ConverseWhole {
    pub(crate) fn new(model: String) -> Self {
        Self {
            model,
            request_id: None,
        }
    }

    pub(crate) fn set_id(&mut self, request_id: String) {
        self.request_id = Some(request_id);
    }

    /// Converts the response, which is one frame.
    pub(crate) fn push(&mut self, frames: Vec<Frame>) -> Result<Output, Failure> {
        let mut converted = Vec::with_capacity(frames.len());
        let mut usage = None;
        for frame in frames {
            let response: Value = serde_json::from_slice(frame.data.as_bytes())
                .map_err(|_| malformed("it is not JSON"))?;
            let counts = TokenUsage::read(&response["usage"]);
            let message = self.message(&response, &counts)?;
            usage = Some(counts.of_contract());
            converted.push(Frame {
                name: String::new(),
                data: Payload::Text(message.to_string()),
            });
        }
        Ok(Output {
            usage,
            ..Output::frames(converted)
        })
    }

    fn message(&self, response: &Value, counts: &TokenUsage) -> Result<Value, Failure> {
        let content = response["output"]["message"]["content"].as_array();
        let content = content.ok_or_else(|| malformed("it has no message"))?;
        let reason = response["stopReason"].as_str();
        let reason = reason.ok_or_else(|| malformed("it has no `stopReason`"))?;
        Ok(json!({
            "id": message_id(self.request_id.as_deref()),
            "type": "message",
            "role": "assistant",
            "model": self.model,
            "content": content.iter().filter_map(to_anthropic).collect::<Vec<_>>(),
            "stop_reason": stop_reason(reason)?,
            "stop_sequence": null,
            "usage": counts.anthropic(),
        }))
    }
}
