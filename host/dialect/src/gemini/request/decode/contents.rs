//! Decodes `contents`: the conversation.

use std::collections::{HashMap, HashSet, VecDeque};

use serde_json::{Map, Value};

use crate::gemini::request::members::{nested, object};
use crate::gemini::{media, reasoning};
use crate::ir::{
    ObjectReader, Part, ReasoningPart, Role, Signature, ToolCall, ToolResult, TranslationError,
    TranslationReport, Turn,
};
use crate::json;

/// Decodes a conversation: a list of contents, one content, or a text.
///
/// # Errors
/// If a content is not valid or cannot be translated, or there is no part at all.
pub(crate) fn decode(
    value: Value,
    path: &str,
    report: &mut TranslationReport,
) -> Result<Vec<Turn>, TranslationError> {
    let items = match value {
        Value::Array(items) => items,
        item => vec![item],
    };
    let mut reader = ContentsReader::default();
    for (index, item) in items.into_iter().enumerate() {
        reader.content(item, &format!("{path}[{index}]"), report)?;
    }
    if reader.turns.is_empty() {
        return Err(TranslationError::new(path, "must have at least one part"));
    }
    Ok(reader.turns)
}

/// Returns the parts of a content: an object with `parts`, one part alone, or a text. `parts` itself may be a
/// list, one part, or a text.
pub(crate) fn parts_of(
    value: Value,
    path: &str,
    report: &mut TranslationReport,
) -> Result<Vec<Value>, TranslationError> {
    let text_part = |text: String| -> Value {
        let text = ("text".to_owned(), Value::String(text));
        Value::Object(Map::from_iter([text]))
    };
    match &value {
        Value::String(text) if json::long_number(text).is_none() => {
            return Ok(vec![text_part(text.clone())]);
        }
        Value::Object(members) if is_part(members) => return Ok(vec![value]),
        _ => {}
    }
    let mut fields = object(value, path)?;
    fields.skip("role");
    let parts = match fields.take("parts") {
        Some(Value::Array(parts)) => parts,
        Some(part) => vec![part],
        None => Vec::new(),
    };
    fields.warn_unread(report);
    let parts = parts.into_iter().map(|part| match part {
        Value::String(text) if json::long_number(&text).is_none() => text_part(text),
        part => part,
    });
    Ok(parts.collect())
}

/// Whether an object in the place of a content is a part.
fn is_part(members: &Map<String, Value>) -> bool {
    let of_content = |name: &&str| members.contains_key(*name);
    !members.is_empty() && !["parts", "role"].iter().any(of_content)
}

#[derive(Default)]
struct ContentsReader {
    turns: Vec<Turn>,
    /// The names of the calls so far, by id.
    names: HashMap<String, String>,
    /// The ids of the calls that have no result yet, by name, oldest first.
    unresolved: HashMap<String, VecDeque<String>>,
    resolved: HashSet<String>,
    /// The number of calls so far.
    calls: usize,
    /// How many of them the client did not send.
    added: usize,
}

impl ContentsReader {
    fn content(
        &mut self,
        value: Value,
        path: &str,
        report: &mut TranslationReport,
    ) -> Result<(), TranslationError> {
        let role = decode_role(&value, path)?;
        let parts = parts_of(value, path, report)?;
        for (index, part) in parts.into_iter().enumerate() {
            let fields = object(part, format!("{path}.parts[{index}]"))?;
            self.part(fields, role, report)?;
        }
        Ok(())
    }

    fn part(
        &mut self,
        mut fields: ObjectReader,
        role: Role,
        report: &mut TranslationReport,
    ) -> Result<(), TranslationError> {
        let is_reasoning = fields.flag("thought")?.unwrap_or(false);
        let signature = fields.string("thoughtSignature")?;
        let signature = signature.as_deref().and_then(reasoning::decode);
        if let Some(text) = fields.string("text")? {
            fields.warn_unread(report);
            if is_reasoning {
                self.push_reasoning(role, text, signature);
            } else {
                self.push_text(role, text, signature);
            }
            return Ok(());
        }
        let path = fields.path().to_owned();
        let part = if let Some(part) = media::take(&mut fields, report)? {
            Some(part)
        } else if let Some(mut call) = nested(&mut fields, "functionCall")? {
            let tool_call = self.call(&mut call, signature)?;
            call.warn_unread(report);
            Some(Part::ToolCall(tool_call))
        } else if let Some(response) = nested(&mut fields, "functionResponse")? {
            Some(Part::ToolResult(self.result(response, report)?))
        } else {
            None
        };
        let named = report.warnings().len();
        fields.warn_unread(report);
        match part {
            // Older versions of the API took contents without roles. Calls are always the model's, results the user's.
            Some(part @ Part::ToolCall(_)) => self.push(Role::Assistant, part),
            Some(part @ Part::ToolResult(_)) => self.push(Role::User, part),
            Some(part) => self.push(role, part),
            // Other dialects have no such part, for example code that Google ran. There is a warning for each
            // member already.
            None if report.warnings().len() > named => {}
            None => report.warn_dropped(path),
        }
        Ok(())
    }

    fn call(
        &mut self,
        fields: &mut ObjectReader,
        signature: Option<Signature>,
    ) -> Result<ToolCall, TranslationError> {
        let name = fields.required_string("name")?;
        let arguments = match fields.take("args") {
            None => "{}".to_owned(),
            Some(args @ Value::Object(_)) => json::to_text(&args),
            Some(_) => return Err(fields.error("args", "must be an object")),
        };
        let given = fields.string("id")?.filter(|id| !id.is_empty());
        let id = given.unwrap_or_else(|| format!("call_{}", self.calls));
        self.calls += 1;
        self.names.insert(id.clone(), name.clone());
        // A later call may have the id of an earlier one, but its result is still missing.
        self.resolved.remove(&id);
        self.unresolved
            .entry(name.clone())
            .or_default()
            .push_back(id.clone());
        Ok(ToolCall {
            id,
            name,
            arguments,
            signature,
        })
    }

    fn result(
        &mut self,
        mut fields: ObjectReader,
        report: &mut TranslationReport,
    ) -> Result<ToolResult, TranslationError> {
        let name = fields.required_string("name")?;
        // The id of a result is optional. If no call has it, the name decides.
        let given = fields
            .string("id")?
            .filter(|id| self.names.contains_key(id));
        let known = given.or_else(|| self.next_unresolved(&name));
        let call_id = match known {
            Some(id) => id,
            None if self.calls == self.added => {
                report.warn("functionResponse", "changed: a call was added before it");
                self.add_call(&name)
            }
            None => return Err(fields.error("name", NO_OPEN_CALL)),
        };
        self.resolved.insert(call_id.clone());
        let (mut parts, is_error) = decode_result(fields.take("response"));
        let inline = fields.member_path("parts");
        for (index, part) in fields.list("parts")?.into_iter().enumerate() {
            let path = format!("{inline}[{index}]");
            let mut part = object(part, path.clone())?;
            parts.extend(media::take(&mut part, report)?);
            part.warn_unread(report);
        }
        fields.warn_unread(report);
        Ok(ToolResult {
            call_id,
            name: Some(name),
            parts,
            is_error,
        })
    }

    /// Adds a call before a result of a conversation without calls, and returns its id. Gemini CLI counts the tokens
    /// of results by themselves (`countTokens`).
    fn add_call(&mut self, name: &str) -> String {
        let id = format!("call_{}", self.calls);
        self.calls += 1;
        self.added += 1;
        let call = Part::ToolCall(ToolCall {
            id: id.clone(),
            name: name.to_owned(),
            arguments: "{}".to_owned(),
            signature: None,
        });
        let is_result = |part: &Part| matches!(part, Part::ToolResult(_));
        match self.turns.as_mut_slice() {
            [.., last] if last.role == Role::Assistant => last.parts.push(call),
            [.., calls, last] if last.parts.iter().any(is_result) => calls.parts.push(call),
            _ => self.push(Role::Assistant, call),
        }
        id
    }

    /// Returns the id of the oldest call of that name that has no result yet.
    fn next_unresolved(&mut self, name: &str) -> Option<String> {
        let open = self.unresolved.get_mut(name)?;
        loop {
            // The queue still has the calls whose results came with an id.
            let id = open.pop_front()?;
            if !self.resolved.contains(&id) {
                return Some(id);
            }
        }
    }

    /// Adds reasoning. Clients store each piece of a stream as a part of its own, so the pieces up to the
    /// signature are joined.
    fn push_reasoning(&mut self, role: Role, text: String, signature: Option<Signature>) {
        if text.is_empty() && signature.is_none() {
            return;
        }
        if let Some(Part::Reasoning(last)) = self.last(role)
            && last.signature.is_none()
            && !last.redacted
        {
            last.text.push_str(&text);
            last.signature = signature;
            return;
        }
        let redacted = text.is_empty();
        self.push(
            role,
            Part::Reasoning(ReasoningPart {
                text,
                signature,
                redacted,
            }),
        );
    }

    fn push_text(&mut self, role: Role, text: String, signature: Option<Signature>) {
        if !text.is_empty() {
            self.push(role, Part::text(text));
        }
        // Text has no signature in the common form. It goes into a part of its own, from where the next
        // request of the conversation takes it back.
        if signature.is_some() {
            let reasoning = ReasoningPart {
                text: String::new(),
                signature,
                redacted: false,
            };
            self.push(role, Part::Reasoning(reasoning));
        }
    }

    /// Adds a part to the last turn, or to a new one if the role changes. Pieces of the model's text are
    /// joined.
    fn push(&mut self, role: Role, part: Part) {
        if role == Role::Assistant
            && let Part::Text { text: more, .. } = &part
            && let Some(Part::Text { text, .. }) = self.last(role)
        {
            text.push_str(more);
            return;
        }
        match self.turns.last_mut().filter(|turn| turn.role == role) {
            Some(turn) => turn.parts.push(part),
            None => self.turns.push(Turn {
                role,
                parts: vec![part],
            }),
        }
    }

    fn last(&mut self, role: Role) -> Option<&mut Part> {
        let turn = self.turns.last_mut().filter(|turn| turn.role == role)?;
        turn.parts.last_mut()
    }
}

/// The error text for a result without a call.
const NO_OPEN_CALL: &str = "no earlier tool call of this name waits for a result";

fn decode_role(value: &Value, path: &str) -> Result<Role, TranslationError> {
    match value.get("role") {
        // The API needs roles only in conversations of several turns. A single content is the user's.
        None | Some(Value::Null) => Ok(Role::User),
        // `function` and `tool` are the roles of results in older versions of the API.
        Some(Value::String(role)) => match role.as_str() {
            "" | "user" | "function" | "tool" => Ok(Role::User),
            "model" => Ok(Role::Assistant),
            _ => Err(TranslationError::new(
                format!("{path}.role"),
                "must be `user` or `model`",
            )),
        },
        Some(_) => Err(TranslationError::new(
            format!("{path}.role"),
            "must be a string",
        )),
    }
}

/// Decodes a function's response, and whether the function failed. By Google's convention the only member is
/// `output` (`result` in older examples) or, for a failure, `error`. Any other object is the result itself.
fn decode_result(value: Option<Value>) -> (Vec<Part>, bool) {
    let Some(value) = value else {
        return (Vec::new(), false);
    };
    let Value::Object(mut members) = value else {
        return (text_parts(value), false);
    };
    let mut names = members.keys().map(String::as_str);
    let failed = match (names.next(), names.next()) {
        (None, _) => return (Vec::new(), false),
        (Some("result" | "output"), None) => false,
        (Some("error"), None) => true,
        _ => {
            return (
                vec![Part::text(json::to_text(&Value::Object(members)))],
                false,
            );
        }
    };
    let inner = members.values_mut().next().map(Value::take);
    (text_parts(inner.unwrap_or_default()), failed)
}

fn text_parts(value: Value) -> Vec<Part> {
    match value {
        Value::String(text) if json::long_number(&text).is_none() => vec![Part::text(text)],
        other => vec![Part::text(json::to_text(&other))],
    }
}
