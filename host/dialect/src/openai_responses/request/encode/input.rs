//! Encodes turns as the items of an input.

use std::collections::HashSet;

use serde_json::{Map, Value, json};

use crate::ir::tool_text;
use crate::ir::{
    Citation, Media, Part, ReasoningPart, Request, Role, ToolCall, ToolResult, TranslationError,
    TranslationReport, loss,
};
use crate::json::object;
use crate::openai_responses::response::item;
use crate::openai_responses::{DIALECT, media, reasoning, tools};

/// Encodes the items of the conversation, with all system instructions but the first.
pub(crate) fn encode(
    request: &Request,
    report: &mut TranslationReport,
) -> Result<Vec<Value>, TranslationError> {
    let custom = request.tools.iter().filter(|tool| tools::is_custom(tool));
    let mut items = InputItems {
        custom: custom.map(|tool| tool.name.as_str()).collect(),
        custom_calls: HashSet::new(),
        items: Vec::new(),
        content: Vec::new(),
        report,
    };
    // The first one is in `instructions`.
    for part in request.system.iter().skip(1) {
        items.part(Role::System, part)?;
    }
    items.close_message(Role::System);
    for turn in &request.turns {
        for part in &turn.parts {
            items.part(turn.role, part)?;
        }
        items.close_message(turn.role);
    }
    Ok(items.items)
}

struct InputItems<'r> {
    /// The names of the custom tools.
    custom: HashSet<&'r str>,
    /// The ids of their calls so far.
    custom_calls: HashSet<&'r str>,
    items: Vec<Value>,
    /// The content of the message that is being encoded.
    content: Vec<Value>,
    report: &'r mut TranslationReport,
}

impl<'r> InputItems<'r> {
    fn part(&mut self, role: Role, part: &'r Part) -> Result<(), TranslationError> {
        match (part, role) {
            (Part::CacheMark(_), _) => {}
            (Part::ToolCall(call), _) => {
                self.close_message(role);
                self.call(call);
            }
            (Part::ToolResult(result), _) => {
                self.close_message(role);
                self.result(result)?;
            }
            (Part::Reasoning(reasoning), _) => {
                self.close_message(role);
                self.reasoning(reasoning);
            }
            (Part::Text { text, citations }, Role::Assistant) => {
                self.assistant_text(text, citations)
            }
            (Part::Refusal(text), Role::Assistant) => {
                self.assistant_content(item::refusal(text));
            }
            (Part::Image(media), Role::Assistant) => self.image(media),
            (Part::Audio(_) | Part::Document(_), Role::Assistant) => {
                self.report
                    .warn(loss::CONTENT, loss::ASSISTANT_CONTENT_DROPPED);
            }
            (_, Role::System | Role::User) => {
                let written = media::encode(part, self.report)?;
                self.content.extend(written);
            }
        }
        Ok(())
    }

    fn close_message(&mut self, role: Role) {
        let role = match role {
            Role::Assistant => "assistant",
            Role::System => "developer",
            Role::User => "user",
        };
        let content = std::mem::take(&mut self.content);
        if !content.is_empty() {
            let message = object! {"type": "message", "role": role, "content": content};
            self.items.push(message);
        }
    }

    /// Encodes a text of the assistant: as a string, which needs neither an id nor a status.
    fn assistant_text(&mut self, text: &str, citations: &[Citation]) {
        let annotations = item::annotations(text, citations);
        if annotations.len() < citations.len() {
            self.report.warn_dropped(loss::CITATIONS);
        }
        if annotations.is_empty() {
            let message = json!({"type": "message", "role": "assistant", "content": text});
            self.items.push(message);
        } else {
            self.assistant_content(item::output_text(text, &annotations));
        }
    }

    /// Encodes a message in the form of a response's, with a synthesized id, since an id is required.
    fn assistant_content(&mut self, content: Value) {
        let id = format!("msg_{}", self.items.len());
        self.items.push(item::message(&id, "completed", &[content]));
    }

    fn image(&mut self, media: &Media) {
        let id = format!("ig_{}", self.items.len());
        match item::image_generation_call(&id, "completed", media) {
            Some(item) => self.items.push(item),
            None => self
                .report
                .warn(loss::CONTENT, loss::ASSISTANT_CONTENT_DROPPED),
        }
    }

    fn reasoning(&mut self, reasoning: &ReasoningPart) {
        let signature = reasoning.signature.as_ref();
        let Some(data) = signature.and_then(|signature| signature.data_for(DIALECT)) else {
            self.report.warn(loss::REASONING, loss::REASONING_DROPPED);
            return;
        };
        let (id, encrypted) = reasoning::split(data);
        let mut item = item::reasoning("", &reasoning.text, Some(encrypted));
        if let Some(members) = item.as_object_mut() {
            // A synthesized id would not match the encrypted content; the API accepts it without an id.
            match id {
                Some(id) => members.insert("id".to_owned(), id.into()),
                None => members.shift_remove("id"),
            };
        }
        self.items.push(item);
    }

    fn call(&mut self, call: &'r ToolCall) {
        if call.signature.is_some() {
            self.report
                .warn(loss::CALL_SIGNATURE, loss::CALL_SIGNATURE_DROPPED);
        }
        let custom = self.custom.contains(call.name.as_str());
        let mut out = Map::new();
        let mut put = |name: &str, value: &str| out.insert(name.to_owned(), value.into());
        if custom {
            self.custom_calls.insert(&call.id);
            put("type", "custom_tool_call");
        } else {
            put("type", "function_call");
        }
        put("call_id", &call.id);
        put("name", &call.name);
        if custom {
            put("input", &tool_text::input_or_arguments(&call.arguments));
        } else {
            put("arguments", tool_text::arguments_or_empty(&call.arguments));
        }
        self.items.push(Value::Object(out));
    }

    fn result(&mut self, result: &ToolResult) -> Result<(), TranslationError> {
        if result.is_error {
            self.report
                .warn(loss::TOOL_FAILURE, loss::TOOL_FAILURE_AS_TEXT);
        }
        let kind = if self.custom_calls.contains(result.call_id.as_str()) {
            "custom_tool_call_output"
        } else {
            "function_call_output"
        };
        let lead = if result.is_error {
            tool_text::TOOL_ERROR_PREFIX
        } else {
            ""
        };
        let output = match result.parts.as_slice() {
            [] => lead.trim_end().into(),
            [Part::Text { text, .. }] => format!("{lead}{text}").into(),
            parts => {
                let mut list = Vec::with_capacity(parts.len() + 1);
                if result.is_error {
                    list.push(json!({"type": "input_text", "text": lead.trim_end()}));
                }
                for part in parts {
                    list.extend(media::encode(part, self.report)?);
                }
                Value::Array(list)
            }
        };
        let call_id = &result.call_id;
        let item = object! {"type": kind, "call_id": call_id.as_str(), "output": output};
        self.items.push(item);
        Ok(())
    }
}
