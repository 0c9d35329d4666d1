//! Requests for the encoder, and parts of them.

use serde_json::{Map, Value};

use super::write;
use crate::Dialect;
use crate::ir::{
    Effort, Part, Reasoning, ReasoningPart, Request, Role, Signature, Tool, ToolCall, ToolKind,
    ToolResult, Turn,
};

pub(super) fn base_request(model: &str) -> Request {
    Request {
        model: model.to_owned(),
        turns: vec![user("Hi")],
        ..Request::default()
    }
}

pub(super) fn turn(role: Role, parts: Vec<Part>) -> Turn {
    Turn { role, parts }
}

pub(super) fn user(text: &str) -> Turn {
    turn(Role::User, vec![Part::text(text)])
}

pub(super) fn assistant(text: &str) -> Turn {
    turn(Role::Assistant, vec![Part::text(text)])
}

pub(super) fn tool(name: &str) -> Tool {
    Tool {
        name: name.to_owned(),
        description: None,
        kind: ToolKind::Function(None),
        strict: None,
    }
}

pub(super) fn reasoning_options(
    effort: Option<Effort>,
    budget_tokens: Option<u64>,
) -> Option<Reasoning> {
    Some(Reasoning {
        effort,
        budget_tokens,
        shown: None,
    })
}

/// Encodes a request. Returns the named members, and the fields of the warnings.
pub(super) fn encode_members(request: &Request, names: &[&str]) -> (Value, Vec<String>) {
    let (written, warnings) = write(request);
    let written = written.unwrap();
    let selected: Map<String, Value> = names
        .iter()
        .filter_map(|name| Some(((*name).to_owned(), written.get(name)?.clone())))
        .collect();
    (
        selected.into(),
        warnings.into_iter().map(|(field, _)| field).collect(),
    )
}

pub(super) fn call_part(id: &str, arguments: &str) -> Part {
    Part::ToolCall(ToolCall {
        id: id.to_owned(),
        name: "a".to_owned(),
        arguments: arguments.to_owned(),
        signature: None,
    })
}

pub(super) fn result_part(id: &str) -> Part {
    Part::ToolResult(ToolResult {
        call_id: id.to_owned(),
        name: None,
        parts: Vec::new(),
        is_error: false,
    })
}

pub(super) fn reasoning_part(origin: Dialect) -> Part {
    Part::Reasoning(ReasoningPart {
        text: "t".to_owned(),
        signature: Some(Signature {
            origin,
            data: "s".to_owned(),
        }),
        redacted: false,
    })
}
