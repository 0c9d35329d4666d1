//! Places in a request, and the patterns that select them.

use serde_json::Value;

/// A place in a request.
#[derive(Clone, Debug)]
pub(super) struct Node<'a> {
    value: &'a Value,
    path: Vec<String>,
    /// The list that it is in, and its index there.
    list: Option<(&'a [Value], usize)>,
}

impl<'a> Node<'a> {
    /// The whole request.
    pub(super) const fn root(value: &'a Value) -> Self {
        Self {
            value,
            path: Vec::new(),
            list: None,
        }
    }

    pub(super) const fn value(&self) -> &'a Value {
        self.value
    }

    pub(super) fn path(&self) -> &[String] {
        &self.path
    }

    /// Its index in the list that it is in.
    pub(super) fn index(&self) -> Option<usize> {
        self.list.map(|(_, index)| index)
    }

    /// Whether it is the last one of its list.
    pub(super) fn is_last(&self) -> bool {
        self.list
            .is_some_and(|(list, index)| index + 1 == list.len())
    }

    /// The item of its list that is `steps` after it.
    pub(super) fn sibling(&self, steps: isize) -> Option<Self> {
        let (list, index) = self.list?;
        let index = index.checked_add_signed(steps)?;
        let mut path = self.path.clone();
        path.pop();
        path.push(index.to_string());
        Some(Self {
            value: list.get(index)?,
            path,
            list: Some((list, index)),
        })
    }

    fn children(&self) -> Vec<Self> {
        let child = |step: String, value: &'a Value, list| Self {
            value,
            path: [self.path.as_slice(), &[step]].concat(),
            list,
        };
        match self.value {
            Value::Array(items) => {
                let items = items.iter().enumerate();
                let list = self.value.as_array().map(Vec::as_slice);
                items
                    .map(|(at, item)| child(at.to_string(), item, list.map(|list| (list, at))))
                    .collect()
            }
            Value::Object(members) => members
                .iter()
                .map(|(name, value)| child(name.clone(), value, None))
                .collect(),
            _ => Vec::new(),
        }
    }
}

/// The places below a node that a pattern selects, in order.
pub(super) fn nodes<'a>(from: &Node<'a>, pattern: &str) -> Vec<Node<'a>> {
    let mut found = vec![from.clone()];
    for step in pattern.split('.').filter(|step| !step.is_empty()) {
        found = found
            .iter()
            .flat_map(|node| match step {
                "*" => node.children(),
                "**" => descendants(node),
                _ => node
                    .children()
                    .into_iter()
                    .filter(|child| child.path.last().is_some_and(|last| last == step))
                    .collect(),
            })
            .collect();
    }
    found
}

/// A node and all below it.
fn descendants<'a>(node: &Node<'a>) -> Vec<Node<'a>> {
    let below = node.children();
    let below = below.iter().flat_map(descendants);
    std::iter::once(node.clone()).chain(below).collect()
}

/// Writes a path as `messages[0].content`.
pub(super) fn bracketed(path: &[String]) -> String {
    let mut text = String::new();
    for step in path {
        if step.parse::<usize>().is_ok() {
            text.push_str(&format!("[{step}]"));
        } else {
            text.push_str(if text.is_empty() { "" } else { "." });
            text.push_str(step);
        }
    }
    text
}

/// Whether a name matches a pattern, in which `*` stands for any characters. What is before the last slash of
/// a model's name does not count.
pub(super) fn matches(pattern: &str, name: &str) -> bool {
    let name = name.rsplit('/').next().unwrap_or(name);
    let mut rest = name;
    let parts: Vec<&str> = pattern.split('*').collect();
    for (index, part) in parts.iter().enumerate() {
        let found = match index {
            0 => rest.strip_prefix(part),
            _ => rest.find(part).map(|at| &rest[at + part.len()..]),
        };
        let Some(after) = found else { return false };
        rest = after;
    }
    pattern.ends_with('*') || rest.is_empty()
}
