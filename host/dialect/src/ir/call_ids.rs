//! Unique ids of tool calls. Clients and providers pair a call with its result by the id alone, but some providers send no
//! ids, start to count again in each response, or send one id twice.

use std::collections::{BTreeMap, BTreeSet, HashSet, VecDeque};

use super::part::Part;
use super::request::Request;
use super::response::Response;
use crate::limits::CALL_IDS_MAX;

/// The ids of the calls of one response.
#[derive(Debug)]
pub(crate) struct CallIds {
    /// The beginning of the ids that replace others; no other response has it.
    stem: String,
    known: BTreeSet<String>,
    /// The number in the next id that replaces another.
    next: usize,
}

impl CallIds {
    /// No ids, for the response with this id of Jackfield's.
    pub(crate) fn new(response_id: &str) -> Self {
        let is_id_char = |letter: &char| letter.is_ascii_alphanumeric() || "-_".contains(*letter);
        let letters: String = response_id.chars().filter(is_id_char).collect();
        let start = letters.len().saturating_sub(STEM_BYTES_MAX);
        Self {
            stem: format!("call_{}", letters.get(start..).unwrap_or_default()),
            known: BTreeSet::new(),
            next: 0,
        }
    }

    /// Returns the id of the next call: the provider's, unless it is missing, a mere number, or there already.
    pub(crate) fn unique(&mut self, id: &str) -> String {
        let base = if is_number(id) { &*self.stem } else { id };
        let mut unique = id.to_owned();
        if base != id || self.known.contains(id) {
            loop {
                unique = format!("{base}_{}", self.next);
                self.next += 1;
                if !self.known.contains(&unique) {
                    break;
                }
            }
        }
        if self.known.len() < CALL_IDS_MAX {
            self.known.insert(unique.clone());
        }
        unique
    }

    /// Makes the ids of a response unique.
    pub(crate) fn apply(mut self, response: &mut Response) {
        for part in &mut response.parts {
            if let Part::ToolCall(call) = part {
                call.id = self.unique(&call.id);
            }
        }
    }
}

/// Whether an id is empty, or only the number of the call in its response, with the tool's name or without: Kimi's are
/// `functions.NAME:0` and `NAME:0`, and begin again at 0.
fn is_number(id: &str) -> bool {
    let number = id
        .strip_prefix("call_")
        .or_else(|| id.strip_prefix("toolu_"))
        .or_else(|| Some(id.rsplit_once(':')?.1).filter(|number| !number.is_empty()));
    let number = number.unwrap_or(id);
    number.len() <= NUMBER_DIGITS_MAX && number.bytes().all(|byte| byte.is_ascii_digit())
}

impl Request {
    /// Makes the ids of the calls unique, with those of their results. Ids that differ only in letters that
    /// `anthropic-messages` does not allow count as equal.
    pub(crate) fn make_call_ids_unique(&mut self) {
        if self.has_unique_call_ids() {
            return;
        }
        let mut numbers = BTreeMap::new();
        let mut calls: BTreeMap<String, SameId> = BTreeMap::new();
        for part in self.turns.iter_mut().flat_map(|turn| &mut turn.parts) {
            match part {
                Part::ToolCall(call) => {
                    let unique = unused(&call.id, &mut numbers);
                    let same = calls.entry(call.id.clone()).or_default();
                    same.open.push_back(unique.clone());
                    call.id = unique;
                }
                Part::ToolResult(result) => {
                    let same = calls.get_mut(&result.call_id);
                    if let Some(id) = same.and_then(SameId::of_result) {
                        result.call_id = id;
                    }
                }
                _ => {}
            }
        }
    }
}

impl Request {
    /// Whether there is nothing to do, as nearly always.
    fn has_unique_call_ids(&self) -> bool {
        let mut known = HashSet::new();
        let mut parts = self.turns.iter().flat_map(|turn| &turn.parts);
        parts.all(|part| match part {
            Part::ToolCall(call) => {
                let is_plain =
                    |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
                call.id.bytes().all(is_plain) && known.insert(&*call.id)
            }
            _ => true,
        })
    }
}

/// The new ids of the calls with one id.
#[derive(Default)]
struct SameId {
    /// Those whose results have not come.
    open: VecDeque<String>,
    /// The one whose result came last.
    last: Option<String>,
}

impl SameId {
    /// Returns the id for the next result. A second result belongs to the same call as the first.
    fn of_result(&mut self) -> Option<String> {
        self.last = self.open.pop_front().or(self.last.take());
        self.last.clone()
    }
}

/// Returns the id, with a number if it is there already. `numbers` has the last number of each known id.
fn unused(id: &str, numbers: &mut BTreeMap<String, usize>) -> String {
    let is_other = |letter: char| !letter.is_ascii_alphanumeric() && letter != '-';
    let key = |id: &str| id.replace(is_other, "_");
    let mut unique = id.to_owned();
    let mut number = numbers.get(&key(id)).copied().unwrap_or(0);
    while numbers.contains_key(&key(&unique)) {
        number += 1;
        unique = format!("{id}_{}", number + 1);
    }
    numbers.insert(key(id), number);
    numbers.entry(key(&unique)).or_insert(0);
    unique
}

/// The maximum length of the part of a response's id in the ids of its calls, in bytes: OpenAI's API allows 64 in all.
const STEM_BYTES_MAX: usize = 40;

/// The maximum number of digits of an id that only numbers the calls of a response. Longer numbers are random.
const NUMBER_DIGITS_MAX: usize = 3;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::ir::{Role, ToolCall, ToolResult, Turn};

    #[test]
    fn replaces_missing_numbered_and_repeated_ids() {
        let mut ids = CallIds::new("r-1");
        let unique = ["", "call_0", "7", "a", "a", "call_abc", "toolu_1"].map(|id| ids.unique(id));
        let expected = [
            "call_r-1_0",
            "call_r-1_1",
            "call_r-1_2",
            "a",
            "a_3",
            "call_abc",
            "call_r-1_4",
        ];
        assert_eq!(unique, expected);
        assert_ne!(CallIds::new("r-2").unique(""), unique[0]);
        // Kimi counts from 0 in each response.
        let mut ids = CallIds::new("r-3");
        let unique =
            ["functions.f:0", "list_dir:12", "a:b", "f:", "f:1234"].map(|id| ids.unique(id));
        assert_eq!(unique, ["call_r-3_0", "call_r-3_1", "a:b", "f:", "f:1234"]);
    }

    fn call(id: &str) -> Part {
        Part::ToolCall(ToolCall {
            id: id.to_owned(),
            name: "f".to_owned(),
            arguments: "{}".to_owned(),
            signature: None,
        })
    }

    fn result(id: &str) -> Part {
        Part::ToolResult(ToolResult {
            call_id: id.to_owned(),
            name: None,
            parts: Vec::new(),
            is_error: false,
        })
    }

    fn ids(request: &Request) -> Vec<&str> {
        let parts = request.turns.iter().flat_map(|turn| &turn.parts);
        parts
            .map(|part| match part {
                Part::ToolCall(call) => call.id.as_str(),
                Part::ToolResult(result) => result.call_id.as_str(),
                _ => "",
            })
            .collect()
    }

    fn request(parts: Vec<Part>) -> Request {
        let turn = |part| Turn {
            role: Role::Assistant,
            parts: vec![part],
        };
        let mut request = Request {
            turns: parts.into_iter().map(turn).collect(),
            ..Request::default()
        };
        request.make_call_ids_unique();
        request
    }

    #[test]
    fn pairs_results_with_renamed_calls() {
        let parts = ["a:0", "a_0"]
            .map(call)
            .into_iter()
            .chain(["a_0", "a:0"].map(result));
        let parts = parts.chain([call("a:0"), result("a:0")]).collect();
        let expected = ["a:0", "a_0_2", "a_0_2", "a:0", "a:0_3", "a:0_3"];
        assert_eq!(ids(&request(parts)), expected);
        let parts = vec![call("b"), call("b"), result("b"), result("b")];
        assert_eq!(ids(&request(parts)), ["b", "b_2", "b", "b_2"]);
    }

    proptest! {
        #[test]
        fn ids_are_unique_and_pairs_stay(names in prop::collection::vec("[a:_]{0,3}", 0..12)) {
            let parts = names.iter().flat_map(|id| [call(id), result(id)]).collect();
            let request = request(parts);
            let ids = ids(&request);
            let calls: BTreeSet<String> = ids.iter().step_by(2).map(|id| id.replace(':', "_")).collect();
            prop_assert_eq!(calls.len(), names.len());
            prop_assert!(ids.chunks(2).all(|pair| pair[0] == pair[1]));
        }
    }
}
