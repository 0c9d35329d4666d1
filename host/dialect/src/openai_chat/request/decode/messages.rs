//! Decodes messages into turns.

use std::collections::HashMap;

use super::content::{MessageRole, cache_mark, decode_content};
use super::required_object;
use crate::ir::tool_text::input_object;
use crate::ir::{
    ObjectReader, Part, Role, ToolCall, ToolResult, TranslationError, TranslationReport, Turn,
};
use crate::openai_chat::{citations, reasoning, tools};

/// The conversation so far.
#[derive(Debug, Default)]
pub(crate) struct ConversationReader {
    /// The instructions before the first turn.
    pub(crate) system: Vec<Part>,
    pub(crate) turns: Vec<Turn>,
    /// The names of the called tools, by the ids of the calls.
    tool_names: HashMap<String, String>,
    /// The id and the function of the last `function_call`, which is deprecated.
    deprecated: Option<(String, String)>,
}

impl ConversationReader {
    /// Decodes the next message, the one at `index`.
    pub(crate) fn message(
        &mut self,
        index: usize,
        mut message: ObjectReader,
        report: &mut TranslationReport,
    ) -> Result<(), TranslationError> {
        let role = message.required_string("role")?;
        // Of the whole message: a place at its end.
        let mark = cache_mark(&mut message).map(Part::CacheMark);
        match role.as_str() {
            "system" | "developer" => {
                let mut parts = decode_content(&mut message, MessageRole::System, report)?;
                parts.extend(mark);
                if self.turns.is_empty() {
                    self.system.extend(parts);
                } else {
                    self.add(Role::System, parts);
                }
            }
            "user" => {
                let mut parts = decode_content(&mut message, MessageRole::User, report)?;
                parts.extend(mark);
                self.add(Role::User, parts);
            }
            "assistant" => {
                let mut parts = self.assistant(index, &mut message, report)?;
                parts.extend(mark);
                self.add(Role::Assistant, parts);
            }
            "tool" => {
                let call_id = message.required_string("tool_call_id")?;
                // The call has the name too. Clients of Gemini's endpoint send it, because it is required there.
                message.skip("name");
                self.result(call_id, &mut message, report)?;
                self.add(Role::User, mark.into_iter().collect());
            }
            "function" => {
                let call_id = self.deprecated_call(&mut message)?;
                self.result(call_id, &mut message, report)?;
            }
            _ => {
                return Err(message.error(
                    "role",
                    "must be developer, system, user, assistant, tool or function",
                ));
            }
        }
        message.warn_unread(report);
        Ok(())
    }

    fn add(&mut self, role: Role, parts: Vec<Part>) {
        match self.turns.last_mut() {
            _ if parts.is_empty() => {}
            Some(turn) if turn.role == role => turn.parts.extend(parts),
            _ => self.turns.push(Turn { role, parts }),
        }
    }

    fn result(
        &mut self,
        call_id: String,
        message: &mut ObjectReader,
        report: &mut TranslationReport,
    ) -> Result<(), TranslationError> {
        let Some(name) = self.tool_names.get(&call_id).cloned() else {
            return Err(message.error("tool_call_id", ToolResult::UNKNOWN_CALL));
        };
        let mut parts = decode_content(message, MessageRole::Tool, report)?;
        // A place inside of a result is one after it.
        let is_mark = |part: &mut Part| matches!(part, Part::CacheMark(_));
        let mark = parts.extract_if(.., is_mark).last();
        let result = Part::ToolResult(ToolResult {
            name: Some(name),
            call_id,
            parts,
            is_error: false,
        });
        // Here each result is a message of its own. Anthropic requires all of them in one message.
        match self.turns.last_mut() {
            Some(turn) if turn.role == Role::User => {
                // Results come first in a turn of the common form.
                let other = |part: &Part| !matches!(part, Part::ToolResult(_));
                let at = turn.parts.iter().position(other);
                turn.parts.insert(at.unwrap_or(turn.parts.len()), result);
            }
            _ => self.add(Role::User, vec![result]),
        }
        self.add(Role::User, mark.into_iter().collect());
        Ok(())
    }

    fn assistant(
        &mut self,
        index: usize,
        message: &mut ObjectReader,
        report: &mut TranslationReport,
    ) -> Result<Vec<Part>, TranslationError> {
        if message.take("audio").is_some() {
            return Err(message.error(
                "audio",
                "audio stored by one provider is not available to others; send the transcript",
            ));
        }
        let text = message.string("reasoning_content")?;
        let same = message.string("reasoning")?;
        let details = message.list("reasoning_details")?;
        let text = text.or(same).unwrap_or_default();
        let reasoning_parts = reasoning::decode(&text, &details);
        let mut parts: Vec<Part> = reasoning_parts.into_iter().map(Part::Reasoning).collect();
        let mut content = decode_content(message, MessageRole::Assistant, report)?;
        citations::attach(&mut content, &message.list("annotations")?);
        parts.append(&mut content);
        if let Some(refusal) = message.string("refusal")?.filter(|text| !text.is_empty()) {
            parts.push(Part::Refusal(refusal));
        }
        for mut item in message.objects("tool_calls")? {
            let call = call(&mut item, report)?;
            item.warn_unread(report);
            self.tool_names.insert(call.id.clone(), call.name.clone());
            parts.push(Part::ToolCall(call));
        }
        if let Some(mut function) = message.object("function_call")? {
            let call = ToolCall {
                // These calls have no id. A message has at most one of them.
                id: format!("call_{index}"),
                name: function.required_string("name")?,
                arguments: function.string("arguments")?.unwrap_or_default(),
                signature: None,
            };
            function.warn_unread(report);
            self.tool_names.insert(call.id.clone(), call.name.clone());
            self.deprecated = Some((call.id.clone(), call.name.clone()));
            parts.push(Part::ToolCall(call));
        }
        Ok(parts)
    }

    fn deprecated_call(&self, message: &mut ObjectReader) -> Result<String, TranslationError> {
        let name = message.required_string("name")?;
        match &self.deprecated {
            Some((id, called)) if *called == name => Ok(id.clone()),
            _ => Err(message.error("name", "no earlier `function_call` called this function")),
        }
    }
}

fn call(
    item: &mut ObjectReader,
    report: &mut TranslationReport,
) -> Result<ToolCall, TranslationError> {
    let id = item.required_string("id")?;
    if id.is_empty() {
        return Err(item.error("id", "must not be empty"));
    }
    let extra = item.take("extra_content");
    let signature = extra.as_ref().and_then(tools::signature);
    if extra.is_some() && signature.is_none() {
        report.warn_dropped(item.member_path("extra_content"));
    }
    let kind = item
        .string("type")?
        .unwrap_or_else(|| "function".to_owned());
    let mut inner = match kind.as_str() {
        "function" | "custom" => required_object(item, &kind)?,
        _ => return Err(item.error("type", "must be function or custom")),
    };
    let arguments = if kind == "custom" {
        input_object(&inner.required_string("input")?)
    } else {
        inner.string("arguments")?.unwrap_or_default()
    };
    let name = inner.required_string("name")?;
    inner.warn_unread(report);
    // Some clients join the pieces of a stream, and keep the index.
    item.skip("index");
    Ok(ToolCall {
        id,
        name,
        arguments,
        signature,
    })
}
