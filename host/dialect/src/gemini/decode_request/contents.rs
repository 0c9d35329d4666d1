//! Reads `contents`: the conversation.

use std::collections::{HashMap, HashSet, VecDeque};

use serde_json::{Map, Value};

use super::super::{media, object, signatures};
use crate::interlingua::{Fields, Notes, Part, Refusal, Role, Thought, ToolCall, ToolResult, Turn};

/// Reads a conversation: contents, one content, or a text.
pub(super) fn decode(value: Value, path: &str, notes: &mut Notes) -> Result<Vec<Turn>, Refusal> {
    let items = match value {
        Value::Array(items) => items,
        item => vec![item],
    };
    let mut reader = Reader::default();
    for (index, item) in items.into_iter().enumerate() {
        reader.content(item, &format!("{path}[{index}]"), notes)?;
    }
    if reader.turns.is_empty() {
        return Err(Refusal::new(path, "must have at least one part"));
    }
    Ok(reader.turns)
}

/// The parts of a content: of an object with `parts`, of a part alone, or of a text. `parts` itself may
/// be a list, one part, or a text.
pub(super) fn parts_of(value: Value, path: &str, notes: &mut Notes) -> Result<Vec<Value>, Refusal> {
    let text_part = |text: String| -> Value {
        let text = ("text".to_owned(), Value::String(text));
        Value::Object(Map::from_iter([text]))
    };
    match &value {
        Value::String(text) => return Ok(vec![text_part(text.clone())]),
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
    fields.warn_of_rest(notes);
    let parts = parts.into_iter().map(|part| match part {
        Value::String(text) => text_part(text),
        part => part,
    });
    Ok(parts.collect())
}

/// Whether an object is a part that stands where a content should.
fn is_part(members: &Map<String, Value>) -> bool {
    let of_content = |name: &&str| members.contains_key(*name);
    !members.is_empty() && !["parts", "role"].iter().any(of_content)
}

#[derive(Default)]
struct Reader {
    turns: Vec<Turn>,
    /// The names of the calls so far, by id.
    names: HashMap<String, String>,
    /// The ids of the calls that have no result yet, by name, oldest first.
    open: HashMap<String, VecDeque<String>>,
    answered: HashSet<String>,
    /// How many calls there were.
    calls: usize,
}

impl Reader {
    fn content(&mut self, value: Value, path: &str, notes: &mut Notes) -> Result<(), Refusal> {
        let role = role(&value, path)?;
        let parts = parts_of(value, path, notes)?;
        for (index, part) in parts.into_iter().enumerate() {
            let fields = object(part, format!("{path}.parts[{index}]"))?;
            self.part(fields, role, notes)?;
        }
        Ok(())
    }

    fn part(&mut self, mut fields: Fields, role: Role, notes: &mut Notes) -> Result<(), Refusal> {
        let thought = fields.flag("thought")?.unwrap_or(false);
        let signature = fields.string("thoughtSignature")?;
        let signature = signature.as_deref().and_then(signatures::read);
        let text = fields.string("text")?;
        let path = fields.path().to_owned();
        if let Some(text) = text {
            fields.warn_of_rest(notes);
            if thought {
                let redacted = text.is_empty();
                let thought = Thought {
                    text,
                    signature,
                    redacted,
                };
                self.thought(role, thought);
                return Ok(());
            }
            if !text.is_empty() {
                self.push(role, Part::text(text));
            }
            // A signature of text has no part of its own; the next turn brings it back here.
            if signature.is_some() {
                let thought = Thought {
                    text: String::new(),
                    signature,
                    redacted: false,
                };
                self.push(role, Part::Reasoning(thought));
            }
            return Ok(());
        }
        let part = if let Some(value) = fields.take("inlineData") {
            Some(media::decode_inline(
                value,
                &fields.at("inlineData"),
                notes,
            )?)
        } else if let Some(value) = fields.take("fileData") {
            Some(media::decode_file(value, &fields.at("fileData"), notes)?)
        } else if let Some(value) = fields.take("functionCall") {
            let mut call = object(value, fields.at("functionCall"))?;
            let made = self.call(&mut call)?;
            call.warn_of_rest(notes);
            Some(Part::ToolCall(ToolCall { signature, ..made }))
        } else if let Some(value) = fields.take("functionResponse") {
            let response = object(value, fields.at("functionResponse"))?;
            Some(Part::ToolResult(self.result(response, notes)?))
        } else {
            None
        };
        let named = notes.warnings().len();
        fields.warn_of_rest(notes);
        match part {
            Some(part) => self.push(role, part),
            // Code that Google ran and its like are no part elsewhere: named above, member by member.
            None if notes.warnings().len() > named => {}
            None => notes.dropped(path),
        }
        Ok(())
    }

    fn call(&mut self, fields: &mut Fields) -> Result<ToolCall, Refusal> {
        let name = fields.needed_string("name")?;
        let arguments = match fields.take("args") {
            None => "{}".to_owned(),
            Some(args @ Value::Object(_)) => args.to_string(),
            Some(_) => return Err(fields.refusal("args", "must be an object")),
        };
        let given = fields.string("id")?.filter(|id| !id.is_empty());
        let id = given.unwrap_or_else(|| format!("call_{}", self.calls));
        self.calls += 1;
        self.names.insert(id.clone(), name.clone());
        self.answered.remove(&id);
        self.open
            .entry(name.clone())
            .or_default()
            .push_back(id.clone());
        Ok(ToolCall {
            id,
            name,
            arguments,
            signature: None,
        })
    }

    fn result(&mut self, mut fields: Fields, notes: &mut Notes) -> Result<ToolResult, Refusal> {
        let name = fields.needed_string("name")?;
        let given = fields
            .string("id")?
            .filter(|id| self.names.contains_key(id));
        let call_id = given.or_else(|| self.next_open(&name)).ok_or_else(|| {
            fields.refusal("name", "answers no function call that stands before it")
        })?;
        self.answered.insert(call_id.clone());
        let (mut parts, is_error) = response(fields.take("response"));
        let inline = fields.at("parts");
        for (index, part) in fields.list("parts")?.into_iter().enumerate() {
            let path = format!("{inline}[{index}]");
            let mut part = object(part, path.clone())?;
            if let Some(value) = part.take("inlineData") {
                parts.push(media::decode_inline(value, &part.at("inlineData"), notes)?);
            } else if let Some(value) = part.take("fileData") {
                parts.push(media::decode_file(value, &part.at("fileData"), notes)?);
            }
            part.warn_of_rest(notes);
        }
        fields.warn_of_rest(notes);
        Ok(ToolResult {
            call_id,
            name: Some(name),
            parts,
            is_error,
        })
    }

    /// The oldest call of that name that has no result yet.
    fn next_open(&mut self, name: &str) -> Option<String> {
        let open = self.open.get_mut(name)?;
        loop {
            let id = open.pop_front()?;
            if !self.answered.contains(&id) {
                return Some(id);
            }
        }
    }

    /// Clients keep each piece of a stream as a part of its own: what the model thought goes on until
    /// its signature, and what it said until something else comes.
    fn thought(&mut self, role: Role, thought: Thought) {
        if thought.text.is_empty() && thought.signature.is_none() {
            return;
        }
        if let Some(Part::Reasoning(last)) = self.last(role)
            && last.signature.is_none()
            && !last.redacted
        {
            last.text.push_str(&thought.text);
            last.signature = thought.signature;
            return;
        }
        self.push(role, Part::Reasoning(thought));
    }

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

fn role(value: &Value, path: &str) -> Result<Role, Refusal> {
    match value.get("role") {
        None | Some(Value::Null) => Ok(Role::User),
        // `function` and `tool` are older words for a turn of results.
        Some(Value::String(role)) => match role.as_str() {
            "" | "user" | "function" | "tool" => Ok(Role::User),
            "model" => Ok(Role::Assistant),
            _ => Err(Refusal::new(
                format!("{path}.role"),
                "must be `user` or `model`",
            )),
        },
        Some(_) => Err(Refusal::new(format!("{path}.role"), "must be a string")),
    }
}

/// What a function answered. By Google's own convention `output` (or `result`, as its older examples
/// have it) holds the answer and `error` a failure; anything else is the answer itself, as JSON.
fn response(value: Option<Value>) -> (Vec<Part>, bool) {
    let Some(value) = value else {
        return (Vec::new(), false);
    };
    let Value::Object(mut members) = value else {
        return (text_of(value), false);
    };
    let mut names = members.keys().map(String::as_str);
    let failed = match (names.next(), names.next()) {
        (None, _) => return (Vec::new(), false),
        (Some("result" | "output"), None) => false,
        (Some("error"), None) => true,
        _ => return (vec![Part::text(Value::Object(members).to_string())], false),
    };
    let inner = members.values_mut().next().map(Value::take);
    (text_of(inner.unwrap_or_default()), failed)
}

fn text_of(value: Value) -> Vec<Part> {
    match value {
        Value::String(text) => vec![Part::text(text)],
        other => vec![Part::text(other.to_string())],
    }
}
