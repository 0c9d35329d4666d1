//! Conditions of rules. All members of a condition must hold.

use serde::Deserialize;
use serde_json::Value;

use super::node::{Node, nodes};
use super::pairs::{Pairing, unpaired};

/// A condition on a place in a request.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(super) struct Condition {
    all: Vec<Condition>,
    any: Vec<Condition>,
    not: Option<Box<Condition>>,
    /// One of these JSON types: `null`, `boolean`, `number`, `string`, `list`, `object`.
    r#type: Vec<String>,
    /// One of these values.
    is: Vec<Value>,
    over: Option<f64>,
    under: Option<f64>,
    /// A text with more characters.
    chars_over: Option<usize>,
    /// A text with fewer characters.
    chars_under: Option<usize>,
    /// A text with a character that is not in this class: `A-Za-z0-9_-`.
    chars_outside: Option<String>,
    /// A text whose first character is not in this class.
    begins_outside: Option<String>,
    /// A text that begins with one of these.
    starts_with: Vec<String>,
    /// A text that ends with white space.
    ends_blank: Option<bool>,
    /// A text that is no JSON object.
    no_json_object: Option<bool>,
    items_over: Option<usize>,
    /// Null, or a text, list or object with nothing in it; white space does not count.
    empty: Option<bool>,
    /// An object with all of these members that are not null.
    has: Vec<String>,
    /// An object with none of these members, or with null.
    lacks: Vec<String>,
    /// An object with a member that is not one of these.
    unknown: Option<Vec<String>>,
    /// A place below it, by a pattern, for which a condition holds.
    some: Vec<Below>,
    /// More places below it than this.
    count: Option<Count>,
    /// The item is after this index of its list.
    index_over: Option<usize>,
    /// Whether the item is the last one of its list.
    last: Option<bool>,
    next: Option<Box<Condition>>,
    previous: Option<Box<Condition>>,
    /// Whether an earlier place of the rule has the same value.
    repeats: Option<bool>,
    /// Calls and results that do not belong together.
    unpaired: Option<Pairing>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Below {
    at: String,
    #[serde(rename = "if", default)]
    condition: Condition,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Count {
    at: String,
    over: usize,
}

/// What a condition found.
#[derive(Debug, Clone, Default)]
pub(super) struct Found {
    /// The unknown member, or the id without its counterpart.
    pub(super) name: String,
}

impl Condition {
    /// Whether it holds for a place. `before` are the earlier places of the rule.
    pub(super) fn holds(&self, node: &Node<'_>, before: &[Node<'_>]) -> Option<Found> {
        let mut found = Found::default();
        let simple = self.holds_for_value(node.value())
            && self.holds_for_text(node.value())
            && self.holds_in_list(node, before);
        if !simple {
            return None;
        }
        for condition in &self.all {
            found = condition.holds(node, before)?;
        }
        if !self.any.is_empty() {
            found = self.any.iter().find_map(|it| it.holds(node, before))?;
        }
        if self
            .not
            .as_ref()
            .is_some_and(|not| not.holds(node, before).is_some())
        {
            return None;
        }
        for below in &self.some {
            let places = nodes(node, &below.at);
            let holds = |index: usize| below.condition.holds(&places[index], &places[..index]);
            (0..places.len()).find_map(holds)?;
        }
        if let Some(known) = &self.unknown {
            let members = node.value().as_object()?;
            let unknown = members.keys().find(|name| !known.contains(name))?;
            found.name.clone_from(unknown);
        }
        if let Some(pairing) = self.unpaired {
            found.name = unpaired(pairing, node.value())?;
        }
        Some(found)
    }

    fn holds_for_value(&self, value: &Value) -> bool {
        let number = value.as_f64();
        let has = |name: &String| value.get(name).is_some_and(|member| !member.is_null());
        let items = value.as_array().map_or(0, Vec::len);
        (self.r#type.is_empty() || self.r#type.iter().any(|it| it == type_name(value)))
            && (self.is.is_empty() || self.is.contains(value))
            && self
                .over
                .is_none_or(|limit| number.is_some_and(|it| it > limit))
            && self
                .under
                .is_none_or(|limit| number.is_some_and(|it| it < limit))
            && self.items_over.is_none_or(|limit| items > limit)
            && self.empty.is_none_or(|empty| is_empty(value) == empty)
            && self.has.iter().all(has)
            && !self.lacks.iter().any(has)
            && self
                .count
                .as_ref()
                .is_none_or(|count| nodes(&Node::root(value), &count.at).len() > count.over)
    }

    fn holds_for_text(&self, value: &Value) -> bool {
        let text = value.as_str();
        let holds = |test: &dyn Fn(&str) -> bool| text.is_some_and(test);
        let outside = |class: &str, character: char| !in_class(class, character);
        self.chars_over
            .is_none_or(|limit| holds(&|it| it.chars().count() > limit))
            && self
                .chars_under
                .is_none_or(|limit| holds(&|it| it.chars().count() < limit))
            && self.chars_outside.as_ref().is_none_or(|class| {
                holds(&|it| it.chars().any(|character| outside(class, character)))
            })
            && self.begins_outside.as_ref().is_none_or(|class| {
                holds(&|it| it.chars().next().is_some_and(|first| outside(class, first)))
            })
            && (self.starts_with.is_empty()
                || holds(&|it| self.starts_with.iter().any(|start| it.starts_with(start))))
            && self
                .ends_blank
                .is_none_or(|blank| holds(&|it| it.ends_with(char::is_whitespace) == blank))
            && self.no_json_object.is_none_or(|no_object| {
                let is_object = |it: &str| {
                    serde_json::from_str::<Value>(it).is_ok_and(|value| value.is_object())
                };
                holds(&|it| is_object(it) != no_object)
            })
    }

    fn holds_in_list(&self, node: &Node<'_>, before: &[Node<'_>]) -> bool {
        let neighbor = |condition: &Option<Box<Self>>, steps: isize| match condition {
            None => true,
            Some(condition) => {
                let sibling = node.sibling(steps);
                sibling.is_some_and(|it| condition.holds(&it, &[]).is_some())
            }
        };
        self.index_over
            .is_none_or(|limit| node.index().is_some_and(|index| index > limit))
            && self.last.is_none_or(|last| node.is_last() == last)
            && neighbor(&self.next, 1)
            && neighbor(&self.previous, -1)
            && self
                .repeats
                .is_none_or(|repeats| before.iter().any(|it| it.value() == node.value()) == repeats)
    }
}

fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "list",
        Value::Object(_) => "object",
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.trim().is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

/// Whether a character is in a class such as `A-Za-z0-9_-`: a hyphen at an end is itself.
fn in_class(class: &str, character: char) -> bool {
    let class: Vec<char> = class.chars().collect();
    let mut at = 0;
    while at < class.len() {
        let range = class.get(at + 1) == Some(&'-') && at + 2 < class.len();
        let last = if range { class[at + 2] } else { class[at] };
        if (class[at]..=last).contains(&character) {
            return true;
        }
        at += if range { 3 } else { 1 };
    }
    false
}
