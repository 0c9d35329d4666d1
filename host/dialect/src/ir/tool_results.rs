//! The results of tool calls, as all providers require them: each call has exactly one, in the turn after the call.
//! Clients differ from it: after a session is resumed, Gemini CLI sends each result twice; Codex may send instructions
//! between a call and its result; a call that the user interrupted may have no result at all.

use std::collections::{BTreeMap, BTreeSet};

use super::loss;
use super::part::{Part, ToolCall, ToolResult};
use super::report::TranslationReport;
use super::request::{Request, Role, Turn};

impl Request {
    /// Puts exactly one result of each call into the user's turn after it. The ids of calls must be unique. A call in
    /// the last turn may have no result.
    pub(crate) fn settle_tool_results(&mut self, report: &mut TranslationReport) {
        if self.has_settled_results() {
            return;
        }
        let mut results = self.take_results(report);
        let turns = std::mem::take(&mut self.turns);
        let last = turns.len().saturating_sub(1);
        for (index, turn) in turns.into_iter().enumerate() {
            let called: Vec<(String, String)> = calls_of(&turn)
                .map(|call| (call.id.clone(), call.name.clone()))
                .collect();
            self.add_turn(turn);
            let mut parts = Vec::new();
            for (id, name) in called {
                match results.remove(&id) {
                    Some(result) => parts.push(Part::ToolResult(result)),
                    None if index == last => {}
                    None => {
                        report.warn(loss::TOOL_RESULT, loss::RESULT_ADDED);
                        parts.push(Part::ToolResult(without_result(id, name)));
                    }
                }
            }
            if !parts.is_empty() {
                let role = Role::User;
                self.add_turn(Turn { role, parts });
            }
        }
        // A result without a call is an error of the encoder, as without this step.
        let parts: Vec<Part> = results.into_values().map(Part::ToolResult).collect();
        if !parts.is_empty() {
            let role = Role::User;
            self.turns.push(Turn { role, parts });
        }
    }

    /// Whether there is nothing to do, as nearly always.
    fn has_settled_results(&self) -> bool {
        let mut open: BTreeSet<&str> = BTreeSet::new();
        for turn in &self.turns {
            let mut results = turn.parts.iter().filter_map(|part| match part {
                Part::ToolResult(result) => Some(&*result.call_id),
                _ => None,
            });
            if results.any(|id| !open.remove(id)) || !open.is_empty() {
                return false;
            }
            open = calls_of(turn).map(|call| &*call.id).collect();
        }
        true
    }

    /// Takes the results out of the turns, by the ids of their calls. Several of one call become one.
    fn take_results(&mut self, report: &mut TranslationReport) -> BTreeMap<String, ToolResult> {
        let mut results: BTreeMap<String, ToolResult> = BTreeMap::new();
        for turn in &mut self.turns {
            for part in std::mem::take(&mut turn.parts) {
                let Part::ToolResult(result) = part else {
                    turn.parts.push(part);
                    continue;
                };
                match results.get_mut(&result.call_id) {
                    None => drop(results.insert(result.call_id.clone(), result)),
                    Some(first) => {
                        report.warn(loss::TOOL_RESULT, loss::RESULTS_JOINED);
                        if first.parts != result.parts {
                            first.parts.extend(result.parts);
                        }
                    }
                }
            }
        }
        results
    }

    /// Adds a turn after the others, to the last one if that has the same role.
    fn add_turn(&mut self, mut turn: Turn) {
        match self.turns.last_mut() {
            _ if turn.parts.is_empty() => {}
            Some(last) if last.role == turn.role => last.parts.append(&mut turn.parts),
            _ => self.turns.push(turn),
        }
    }
}

fn calls_of(turn: &Turn) -> impl Iterator<Item = &ToolCall> {
    turn.parts.iter().filter_map(|part| match part {
        Part::ToolCall(call) => Some(call),
        _ => None,
    })
}

/// The result of a call whose result the client does not have.
fn without_result(call_id: String, name: String) -> ToolResult {
    ToolResult {
        call_id,
        name: Some(name),
        parts: vec![Part::text(loss::RESULT_ADDED_TEXT)],
        is_error: true,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn call(id: &str) -> Part {
        Part::ToolCall(ToolCall {
            id: id.to_owned(),
            name: "f".to_owned(),
            arguments: "{}".to_owned(),
            signature: None,
        })
    }

    fn result(id: &str, text: &str) -> Part {
        Part::ToolResult(ToolResult {
            call_id: id.to_owned(),
            name: Some("f".to_owned()),
            parts: vec![Part::text(text)],
            is_error: false,
        })
    }

    fn settled(turns: &[(Role, Vec<Part>)]) -> (Vec<(Role, Vec<Part>)>, usize) {
        let turns = turns.iter().cloned();
        let turns = turns.map(|(role, parts)| Turn { role, parts }).collect();
        let mut request = Request {
            turns,
            ..Request::default()
        };
        let mut report = TranslationReport::default();
        request.settle_tool_results(&mut report);
        assert!(request.has_settled_results());
        let turns = request.turns.into_iter();
        let turns = turns.map(|turn| (turn.role, turn.parts)).collect();
        (turns, report.warnings().len())
    }

    #[test]
    fn leaves_results_that_follow_their_calls() {
        let turns = [
            (Role::User, vec![Part::text("x")]),
            (Role::Assistant, vec![call("a"), call("b")]),
            (Role::User, vec![result("b", "1"), result("a", "2")]),
            (Role::System, vec![Part::text("s")]),
            (Role::Assistant, vec![call("c")]),
        ];
        assert_eq!(settled(&turns), (turns.to_vec(), 0));
    }

    #[test]
    fn joins_the_results_of_one_call() {
        let twice = vec![result("a", "1"), result("a", "1"), result("a", "2")];
        let turns = [(Role::Assistant, vec![call("a")]), (Role::User, twice)];
        let (turns, warnings) = settled(&turns);
        let Part::ToolResult(only) = &turns[1].1[0] else {
            panic!("no result: {turns:?}");
        };
        assert_eq!((turns[1].1.len(), warnings), (1, 1));
        assert_eq!(only.parts, [Part::text("1"), Part::text("2")]);
    }

    #[test]
    fn moves_a_result_to_its_call() {
        let text = Part::text("s");
        let turns = [
            (Role::Assistant, vec![call("a")]),
            (Role::System, vec![text.clone()]),
            (Role::User, vec![result("a", "1"), text.clone()]),
        ];
        let expected = vec![
            (Role::Assistant, vec![call("a")]),
            (Role::User, vec![result("a", "1")]),
            (Role::System, vec![text.clone()]),
            (Role::User, vec![text]),
        ];
        assert_eq!(settled(&turns), (expected, 0));
    }

    #[test]
    fn adds_the_result_of_an_interrupted_call() {
        let text = Part::text("go on");
        let turns = [
            (Role::Assistant, vec![call("a")]),
            (Role::User, vec![text.clone()]),
        ];
        let added = Part::ToolResult(without_result("a".to_owned(), "f".to_owned()));
        let expected = vec![
            (Role::Assistant, vec![call("a")]),
            (Role::User, vec![added, text]),
        ];
        assert_eq!(settled(&turns), (expected, 1));
    }

    proptest! {
        /// Whatever the order of calls, results and texts: afterwards each call but those of the last turn has one
        /// result in the turn after it, and no text is lost or changes its place among the texts.
        #[test]
        fn settles_any_conversation(kinds in prop::collection::vec((0..3_u8, 0..4_usize), 1..12)) {
            let mut turns = vec![(Role::User, vec![Part::text("0")])];
            for (index, (kind, number)) in kinds.iter().enumerate() {
                let calls = turns.iter().flat_map(|(_, parts)| parts);
                let ids: Vec<String> = calls.filter_map(|part| match part {
                    Part::ToolCall(call) => Some(call.id.clone()),
                    _ => None,
                }).collect();
                turns.push(match (kind, ids.get(*number)) {
                    (0, _) => (Role::Assistant, vec![call(&format!("c{index}"))]),
                    (1, Some(id)) => (Role::User, vec![result(id, "r")]),
                    (2, _) => (Role::System, vec![Part::text(index.to_string())]),
                    _ => (Role::User, vec![Part::text(index.to_string())]),
                });
            }
            let texts = |turns: &[(Role, Vec<Part>)]| -> Vec<Part> {
                let parts = turns.iter().flat_map(|(_, parts)| parts);
                parts.filter(|part| matches!(part, Part::Text { .. })).cloned().collect()
            };
            let (after, _) = settled(&turns);
            prop_assert_eq!(texts(&after), texts(&turns));
        }
    }
}
