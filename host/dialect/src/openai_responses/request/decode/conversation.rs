//! Joins the items of an input into turns.

use std::collections::HashMap;

use crate::ir::{Part, ReasoningPart, Role, Signature, ToolCall, ToolResult, Turn};

/// A conversation in the making. Items come one by one here; turns have the results of tools first,
/// right behind the turn that called them, whatever stood between.
#[derive(Debug, Default)]
pub(crate) struct Conversation {
    /// Instructions above all turns.
    system: Vec<Part>,
    /// Settled: they end in a turn of the assistant, if there is one.
    turns: Vec<Turn>,
    /// The results since.
    results: Vec<Part>,
    /// The user's and the system's turns since.
    pending_turns: Vec<Turn>,
    /// The names of the tools called so far, by the calls' ids.
    tool_names: HashMap<String, String>,
    /// A signature that waits for its call.
    signature: Option<Signature>,
}

impl Conversation {
    /// Adds what somebody says. Instructions before everything else stand above the conversation.
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

    /// Adds a call of the assistant's.
    pub(crate) fn call(&mut self, mut call: ToolCall) {
        call.signature = self.signature.take();
        self.tool_names.insert(call.id.clone(), call.name.clone());
        self.add_assistant(vec![Part::ToolCall(call)]);
    }

    /// Adds what a tool answered; false if nobody called it.
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

    /// Keeps a signature for the call that follows.
    pub(crate) fn sign_next_call(&mut self, signature: Signature) {
        self.flush_signature();
        self.signature = Some(signature);
    }

    /// The instructions above it, and its turns.
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

    /// A signature whose call did not come is a thought like any other.
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
