//! Joins the items of an input into turns.

use std::collections::HashMap;

use crate::ir::{Part, ReasoningPart, Role, Signature, ToolCall, ToolResult, Turn};

/// A conversation that is being built from items. Its turns have tool results first, directly after the
/// turn with the calls, whatever items are between them.
#[derive(Debug, Default)]
pub(crate) struct Conversation {
    /// The instructions before all turns.
    system: Vec<Part>,
    /// Complete turns. The last one is the assistant's, if there is one.
    turns: Vec<Turn>,
    /// The tool results since then.
    results: Vec<Part>,
    /// The turns of the user and of the system since then.
    pending_turns: Vec<Turn>,
    /// The names of the called tools, by the ids of the calls.
    tool_names: HashMap<String, String>,
    /// A signature that waits for its call.
    signature: Option<Signature>,
}

impl Conversation {
    /// Adds parts of a role. Instructions before all turns become system instructions.
    pub(crate) fn add(&mut self, role: Role, parts: Vec<Part>) {
        if parts.is_empty() {
            return;
        }
        self.flush_signature();
        match role {
            Role::Assistant => self.add_assistant(parts),
            Role::System if self.has_no_turns() => self.system.extend(parts),
            Role::System | Role::User => append(&mut self.pending_turns, role, parts),
        }
    }

    /// Adds a tool call.
    pub(crate) fn call(&mut self, mut call: ToolCall) {
        call.signature = self.signature.take();
        self.tool_names.insert(call.id.clone(), call.name.clone());
        self.add_assistant(vec![Part::ToolCall(call)]);
    }

    /// Adds a tool result. Returns false if there is no such call.
    pub(crate) fn result(&mut self, call_id: String, parts: Vec<Part>) -> bool {
        let Some(name) = self.tool_names.get(&call_id) else {
            return false;
        };
        let name = name.clone();
        self.flush_signature();
        self.results.push(Part::ToolResult(ToolResult {
            name: Some(name),
            call_id,
            parts,
            is_error: false,
        }));
        true
    }

    /// Keeps a signature for the next call.
    pub(crate) fn sign_next_call(&mut self, signature: Signature) {
        self.flush_signature();
        self.signature = Some(signature);
    }

    /// Returns the system instructions and the turns.
    pub(crate) fn finish(mut self) -> (Vec<Part>, Vec<Turn>) {
        self.flush_signature();
        self.flush_pending();
        (self.system, self.turns)
    }

    fn has_no_turns(&self) -> bool {
        self.turns.is_empty() && self.pending_turns.is_empty() && self.results.is_empty()
    }

    fn add_assistant(&mut self, parts: Vec<Part>) {
        self.flush_signature();
        self.flush_pending();
        append(&mut self.turns, Role::Assistant, parts);
    }

    /// A signature without a call becomes reasoning.
    fn flush_signature(&mut self) {
        if let Some(signature) = self.signature.take() {
            self.flush_pending();
            let reasoning = ReasoningPart {
                text: String::new(),
                signature: Some(signature),
                redacted: false,
            };
            append(
                &mut self.turns,
                Role::Assistant,
                vec![Part::Reasoning(reasoning)],
            );
        }
    }

    fn flush_pending(&mut self) {
        let mut after = std::mem::take(&mut self.pending_turns)
            .into_iter()
            .peekable();
        let mut results = std::mem::take(&mut self.results);
        if !results.is_empty() {
            if let Some(turn) = after.next_if(|turn| turn.role == Role::User) {
                results.extend(turn.parts);
            }
            self.turns.push(Turn {
                role: Role::User,
                parts: results,
            });
        }
        self.turns.extend(after);
    }
}

fn append(turns: &mut Vec<Turn>, role: Role, parts: Vec<Part>) {
    match turns.last_mut() {
        Some(turn) if turn.role == role => turn.parts.extend(parts),
        _ => turns.push(Turn { role, parts }),
    }
}
