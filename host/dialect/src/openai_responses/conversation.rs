//! Joins the items of an input into turns.

use std::collections::HashMap;

use crate::interlingua::{Part, Role, Signature, ReasoningPart, ToolCall, ToolResult, Turn};

/// A conversation in the making. Items come one by one here; turns have the results of tools first,
/// right behind the turn that called them, whatever stood between.
#[derive(Debug, Default)]
pub(super) struct Conversation {
    /// Instructions above all turns.
    system: Vec<Part>,
    /// Settled: they end in a turn of the assistant, if there is one.
    turns: Vec<Turn>,
    /// The results since.
    results: Vec<Part>,
    /// The user's and the system's turns since.
    after: Vec<Turn>,
    /// The names of the tools called so far, by the calls' ids.
    calls: HashMap<String, String>,
    /// A signature that waits for its call.
    signature: Option<Signature>,
}

impl Conversation {
    /// Adds what somebody says. Instructions before everything else stand above the conversation.
    pub(super) fn say(&mut self, role: Role, parts: Vec<Part>) {
        if parts.is_empty() {
            return;
        }
        self.give_up_signature();
        match role {
            Role::Assistant => self.answer(parts),
            Role::System if self.is_fresh() => self.system.extend(parts),
            Role::System | Role::User => join(&mut self.after, role, parts),
        }
    }

    /// Adds a call of the assistant's.
    pub(super) fn call(&mut self, mut call: ToolCall) {
        call.signature = self.signature.take();
        self.calls.insert(call.id.clone(), call.name.clone());
        self.answer(vec![Part::ToolCall(call)]);
    }

    /// Adds what a tool answered; false if nobody called it.
    pub(super) fn result(&mut self, call_id: String, parts: Vec<Part>) -> bool {
        let Some(name) = self.calls.get(&call_id) else {
            return false;
        };
        let name = name.clone();
        self.give_up_signature();
        self.results.push(Part::ToolResult(ToolResult {
            name: Some(name),
            call_id,
            parts,
            is_error: false,
        }));
        true
    }

    /// Keeps a signature for the call that follows.
    pub(super) fn sign_next_call(&mut self, signature: Signature) {
        self.give_up_signature();
        self.signature = Some(signature);
    }

    /// The instructions above it, and its turns.
    pub(super) fn finish(mut self) -> (Vec<Part>, Vec<Turn>) {
        self.give_up_signature();
        self.settle();
        (self.system, self.turns)
    }

    fn is_fresh(&self) -> bool {
        self.turns.is_empty() && self.after.is_empty() && self.results.is_empty()
    }

    fn answer(&mut self, parts: Vec<Part>) {
        self.give_up_signature();
        self.settle();
        join(&mut self.turns, Role::Assistant, parts);
    }

    /// A signature whose call did not come is a thought like any other.
    fn give_up_signature(&mut self) {
        if let Some(signature) = self.signature.take() {
            self.settle();
            let thought = ReasoningPart {
                text: String::new(),
                signature: Some(signature),
                redacted: false,
            };
            join(
                &mut self.turns,
                Role::Assistant,
                vec![Part::Reasoning(thought)],
            );
        }
    }

    fn settle(&mut self) {
        let mut after = std::mem::take(&mut self.after).into_iter().peekable();
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

fn join(turns: &mut Vec<Turn>, role: Role, parts: Vec<Part>) {
    match turns.last_mut() {
        Some(turn) if turn.role == role => turn.parts.extend(parts),
        _ => turns.push(Turn { role, parts }),
    }
}
