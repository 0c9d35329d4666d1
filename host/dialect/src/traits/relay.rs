//! Changes to requests that are in the provider's own dialect. They pass as they are, except for what a source says
//! that this server refuses: only that is changed, and all other bytes stay.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use serde_json::value::RawValue;

use super::Traits;
use super::shape::instructions_in_user_turn;
use super::short_names::NameRule;
use crate::Dialect;
use crate::anthropic::billing_header::without_billing_header;
use crate::ir::{TranslationReport, Warning, loss};
use crate::json::{Entry, TextEdit, entries, is_void, items, members, string};

/// A request in the provider's own dialect, without what the provider refuses.
#[derive(Clone, Debug)]
pub struct ShapedRelay {
    /// The body. All bytes outside of the changed members are as before.
    pub body: Bytes,
    /// What was changed.
    pub warnings: Vec<Warning>,
}

impl Traits {
    /// Whether requests in the provider's own dialect may have to be changed.
    #[must_use]
    pub fn shapes_relays(&self) -> bool {
        self.relay_call_ids
            || self.relay_reasoning_required
            || self.relay_system_as_user
            || !self.relay_billing_line
            || !self.relay_members_refused.is_empty()
            || !self.relay_message_members_refused.is_empty()
    }

    /// Changes a request in the provider's own dialect as far as the provider refuses it. `None` if there is nothing to
    /// change, or if the body is not a JSON object.
    #[must_use]
    pub fn shape_relay(&self, dialect: Dialect, body: &[u8]) -> Option<ShapedRelay> {
        if !self.shapes_relays() {
            return None;
        }
        let text = std::str::from_utf8(body).ok()?;
        let root: &RawValue = serde_json::from_str(text).ok()?;
        let mut edit = RelayEdit {
            traits: self,
            text: TextEdit::new(text),
            report: TranslationReport::default(),
        };
        let root_entries = entries(root);
        edit.drop_members("", &root_entries, &self.relay_members_refused);
        if !self.relay_billing_line
            && dialect == Dialect::AnthropicMessages
            && let Some(system) = root_entries.iter().find(|entry| entry.is("system"))
        {
            edit.drop_billing_line(system.value);
        }
        if let Some(messages) = root_entries.iter().find(|entry| entry.is("messages")) {
            let messages = items(messages.value, usize::MAX);
            if dialect == Dialect::OpenaiChat {
                edit.messages(&messages);
            }
            if self.relay_system_as_user && dialect == Dialect::AnthropicMessages {
                edit.instructions(&messages);
            }
        }
        (!edit.text.is_empty()).then(|| ShapedRelay {
            body: edit.text.apply().into(),
            warnings: edit.report.into_warnings(),
        })
    }
}

/// A request that is being changed.
struct RelayEdit<'a> {
    traits: &'a Traits,
    text: TextEdit<'a>,
    report: TranslationReport,
}

impl<'a> RelayEdit<'a> {
    /// Removes the members of an object with these names. Null is no value that a server would refuse.
    fn drop_members(&mut self, path: &str, object: &[Entry<'a>], refused: &[String]) {
        let is_refused = |entry: &Entry<'_>| {
            entry.value.get() != "null" && refused.iter().any(|name| entry.is(name))
        };
        let names: Vec<&String> = refused
            .iter()
            .filter(|name| object.iter().any(|it| it.is(name) && is_refused(it)))
            .collect();
        if names.is_empty() {
            return;
        }
        for name in names {
            self.report
                .warn(format!("{path}{name}"), "dropped: the provider refuses it");
        }
        self.text.remove_entries(object, is_refused);
    }

    /// Removes the billing line from the instructions: a text, or a list of blocks with texts.
    fn drop_billing_line(&mut self, system: &'a RawValue) {
        let blocks = items(system, usize::MAX);
        let text_of = |block: &&'a RawValue| -> Option<&'a RawValue> {
            let [text] = members(block.get(), ["text"]).ok()?.values;
            text
        };
        let texts = blocks.iter().map(text_of);
        let texts: Vec<Option<&RawValue>> = match blocks.is_empty() {
            true => vec![Some(system)],
            false => texts.collect(),
        };
        let mut is_removed = vec![false; blocks.len()];
        for (at, raw) in texts.into_iter().enumerate() {
            let Some(raw) = raw else { continue };
            let Some(text) = string(raw) else { continue };
            let rest = without_billing_header(&text, &mut self.report);
            match is_removed.get_mut(at) {
                Some(is_removed) if rest.is_empty() && !text.is_empty() => *is_removed = true,
                _ if rest.len() < text.len() => {
                    let rest = serde_json::Value::from(rest);
                    self.text.replace(raw, rest.to_string());
                }
                _ => {}
            }
        }
        self.text.remove_items(&blocks, &is_removed);
    }

    /// Makes a user's turn of each message with instructions, as translations do.
    fn instructions(&mut self, messages: &[&'a RawValue]) {
        for message in messages {
            let Ok(found) = members(message.get(), ["role", "content"]) else {
                continue;
            };
            let [Some(role), Some(content)] = found.values else {
                continue;
            };
            if string(role).is_none_or(|role| role != "system") {
                continue;
            }
            self.report
                .warn(loss::INSTRUCTIONS, loss::INSTRUCTIONS_IN_USER_TURN);
            self.text.replace(role, "\"user\"".to_owned());
            self.mark_instructions(content);
            for block in items(content, usize::MAX) {
                if let Ok(found) = members(block.get(), ["text"])
                    && let [Some(text)] = found.values
                {
                    self.mark_instructions(text);
                }
            }
        }
    }

    /// Puts the marks of instructions around a text.
    fn mark_instructions(&mut self, raw: &RawValue) {
        if let Some(text) = string(raw) {
            let marked = instructions_in_user_turn(&text);
            self.text
                .replace(raw, serde_json::Value::String(marked).to_string());
        }
    }

    fn messages(&mut self, messages: &[&'a RawValue]) {
        let traits = self.traits;
        let has_calls = |message: &&RawValue| calls_of(message).is_some();
        // Traits of a configuration may ask for both: what is refused is not added.
        let refused = &traits.relay_message_members_refused;
        let is_refused = refused.iter().any(|name| name == REASONING_CONTENT);
        let needs_reasoning =
            traits.relay_reasoning_required && !is_refused && messages.iter().any(has_calls);
        for message in messages {
            let message_entries = entries(message);
            self.drop_members(
                "messages.",
                &message_entries,
                &traits.relay_message_members_refused,
            );
            if needs_reasoning && lacks_reasoning(&message_entries) {
                self.report
                    .warn("messages.reasoning_content", "changed: added, empty");
                self.text
                    .append_members(message, r#""reasoning_content":"""#);
            }
        }
        if traits.relay_call_ids {
            self.replace_call_ids(messages);
        }
    }

    /// Gives the calls ids that the provider takes, and their results the same.
    fn replace_call_ids(&mut self, messages: &[&'a RawValue]) {
        let rule = NameRule::of_call_ids(self.traits);
        let ids: Vec<(&RawValue, String)> = messages
            .iter()
            .flat_map(|message| call_ids(message))
            .filter_map(|raw| Some((raw, string(raw)?.into_owned())))
            .collect();
        let (taken, odd): (Vec<_>, Vec<_>) = ids.into_iter().partition(|(_, id)| rule.takes(id));
        if odd.is_empty() {
            return;
        }
        self.report.warn("tool_calls.id", super::shape::IDS_CHANGED);
        let mut used: BTreeSet<String> = taken.into_iter().map(|(_, id)| id).collect();
        let mut replacements: BTreeMap<String, String> = BTreeMap::new();
        for (raw, id) in odd {
            let known = replacements.get(&id).cloned();
            let short = known.unwrap_or_else(|| rule.replacement(&id, &used));
            // The characters of a replacement need no escapes.
            self.text.replace(raw, format!("\"{short}\""));
            used.insert(short.clone());
            replacements.insert(id, short);
        }
    }
}

/// Whether a message of the assistant has no reasoning.
fn lacks_reasoning(message: &[Entry<'_>]) -> bool {
    let has = |name: &str, text: &str| {
        let is_text = |value: &RawValue| string(value).is_some_and(|value| value == text);
        message.iter().any(|it| it.is(name) && is_text(it.value))
    };
    has("role", "assistant") && !message.iter().any(|it| it.is(REASONING_CONTENT))
}

/// The member of a chat message with reasoning.
const REASONING_CONTENT: &str = "reasoning_content";

/// Returns the calls of a message, if it has any.
fn calls_of(message: &RawValue) -> Option<&RawValue> {
    let [calls] = members(message.get(), ["tool_calls"]).ok()?.values;
    calls.filter(|calls| !is_void(calls))
}

/// Returns the ids of the calls of a message, and of the call that it is the result of.
fn call_ids<'a>(message: &'a RawValue) -> Vec<&'a RawValue> {
    let of = |object: &'a RawValue, name| -> Option<&'a RawValue> {
        let [value] = members(object.get(), [name]).ok()?.values;
        value
    };
    let calls = calls_of(message).map_or_else(Vec::new, |calls| items(calls, usize::MAX));
    let ids = calls.into_iter().filter_map(|call| of(call, "id"));
    ids.chain(of(message, "tool_call_id")).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::traits::NameAlphabet;

    fn shaped(traits: &Traits, body: &str) -> Option<(String, Vec<String>)> {
        let shaped = traits.shape_relay(Dialect::OpenaiChat, body.as_bytes())?;
        let fields = shaped.warnings.into_iter().map(|warning| warning.field);
        Some((
            String::from_utf8(shaped.body.to_vec()).unwrap(),
            fields.collect(),
        ))
    }

    fn list(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn removes_only_what_is_refused() {
        let traits = Traits {
            relay_members_refused: list(&["seed", "user"]),
            relay_message_members_refused: list(&["reasoning_content"]),
            ..Traits::default()
        };
        let body = r#"{"model":"m", "seed" :1,"x":{"seed":2},"user":null,"messages":[{"role":"assistant","content":"a", "reasoning_content":"b"},{"role":"user","content":"seed"}]}"#;
        let expected = r#"{"model":"m","x":{"seed":2},"user":null,"messages":[{"role":"assistant","content":"a"},{"role":"user","content":"seed"}]}"#;
        let (text, fields) = shaped(&traits, body).unwrap();
        assert_eq!(text, expected);
        assert_eq!(fields, ["seed", "messages.reasoning_content"]);
        assert_eq!(shaped(&traits, expected), None);
        assert_eq!(shaped(&Traits::default(), body), None);
        assert_eq!(shaped(&traits, "no JSON"), None);
    }

    #[test]
    fn adds_reasoning_where_calls_need_it() {
        let traits = Traits {
            relay_reasoning_required: true,
            ..Traits::default()
        };
        let without =
            r#"{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b"}]}"#;
        assert_eq!(shaped(&traits, without), None);
        let body = r#"{"messages":[{"role":"assistant","content":"b"},{"role":"assistant","tool_calls":[{"id":"c"}],"reasoning_content":"r"}]}"#;
        let expected = r#"{"messages":[{"role":"assistant","content":"b","reasoning_content":""},{"role":"assistant","tool_calls":[{"id":"c"}],"reasoning_content":"r"}]}"#;
        assert_eq!(shaped(&traits, body).unwrap().0, expected);
        let both = Traits {
            relay_message_members_refused: list(&["reasoning_content"]),
            ..traits
        };
        let (text, _) = shaped(&both, body).unwrap();
        let expected = r#"{"messages":[{"role":"assistant","content":"b"},{"role":"assistant","tool_calls":[{"id":"c"}]}]}"#;
        assert_eq!(text, expected);
        assert_eq!(shaped(&both, expected), None);
    }

    #[test]
    fn instructions_become_turns_of_the_user() {
        let traits = Traits {
            relay_system_as_user: true,
            ..Traits::default()
        };
        let shape = |dialect, body: &str| {
            let shaped = traits.shape_relay(dialect, body.as_bytes())?;
            assert_eq!(shaped.warnings.len(), 1);
            Some(String::from_utf8(shaped.body.to_vec()).unwrap())
        };
        let body = r#"{"messages":[{"role":"user","content":"a"}, {"content":"b\n\"c\"","role" : "system"},{"role":"system","content":[{"type":"text","text":"d"},{"type":"image"}]}],"n":1.0}"#;
        let expected = r#"{"messages":[{"role":"user","content":"a"}, {"content":"<system>\nb\n\"c\"\n</system>","role" : "user"},{"role":"user","content":[{"type":"text","text":"<system>\nd\n</system>"},{"type":"image"}]}],"n":1.0}"#;
        let shaped = shape(Dialect::AnthropicMessages, body);
        assert_eq!(shaped.as_deref(), Some(expected));
        assert_eq!(shape(Dialect::AnthropicMessages, expected), None);
        assert_eq!(shape(Dialect::OpenaiChat, body), None);
    }

    #[test]
    fn billing_line_is_left_out() {
        let traits = Traits {
            relay_billing_line: false,
            ..Traits::default()
        };
        let shape = |body: &str| {
            let shaped = traits.shape_relay(Dialect::AnthropicMessages, body.as_bytes())?;
            Some(String::from_utf8(shaped.body.to_vec()).unwrap())
        };
        let line = "x-anthropic-billing-header: cch=36ee5;";
        for (system, expected) in [
            (format!(r#""{line}\nYou are.""#), r#""You are.""#),
            (format!(r#""{line}""#), r#""""#),
            (
                format!(r#"[{{"type":"text","text":"{line}"}}, {{"type":"text","text":"You"}}]"#),
                r#"[{"type":"text","text":"You"}]"#,
            ),
            (
                format!(r#"[{{"type":"text","text":"{line}\nYou"}}]"#),
                r#"[{"type":"text","text":"You"}]"#,
            ),
        ] {
            let body = format!(r#"{{"n":1.0,"system": {system}}}"#);
            let shaped = shape(&body).unwrap();
            assert_eq!(shaped, format!(r#"{{"n":1.0,"system": {expected}}}"#));
            assert_eq!(shape(&shaped), None);
        }
        assert_eq!(shape(r#"{"system":[],"messages":[]}"#), None);
    }

    proptest! {
        #[test]
        fn ids_have_the_form_and_pairs_stay(names in prop::collection::vec("[a-z0-9_]{1,12}", 1..8)) {
            let traits = Traits {
                relay_call_ids: true,
                call_id_alphabet: NameAlphabet::Alphanumeric,
                call_id_chars_min: 9,
                call_id_chars_max: 9,
                ..Traits::default()
            };
            let names: BTreeSet<String> = names.into_iter().collect();
            let messages: Vec<serde_json::Value> = names.iter().flat_map(|id| [
                serde_json::json!({"role": "assistant", "tool_calls": [{"id": id, "type": "function"}]}),
                serde_json::json!({"role": "tool", "tool_call_id": id, "content": id}),
            ]).collect();
            let body = serde_json::json!({"messages": messages}).to_string();
            let text = shaped(&traits, &body).map_or(body, |(text, _)| text);
            let body: serde_json::Value = serde_json::from_str(&text).unwrap();
            let pairs = body["messages"].as_array().unwrap().chunks(2);
            let mut seen = BTreeSet::new();
            for (pair, name) in pairs.zip(&names) {
                let id = pair[0]["tool_calls"][0]["id"].as_str().unwrap();
                prop_assert_eq!(id.len(), 9);
                prop_assert_eq!(&pair[1]["tool_call_id"], id);
                prop_assert_eq!(&pair[1]["content"], name);
                prop_assert!(seen.insert(id.to_owned()));
            }
        }
    }
}
