//! YAML as a tree of nodes that know their places. It knows no key of the configuration.
//!
//! The parser's own tree forgets keys that come twice and what a scalar looked like, so this one is
//! built from its events.

use std::collections::HashMap;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Span};

use super::mistake::{Mistake, Place};

/// A value and where it begins.
#[derive(Debug, Clone)]
pub(super) struct Node {
    /// Where it begins; for an alias, where the alias stands.
    pub(super) place: Place,
    /// What it is.
    pub(super) value: Value,
}

/// The kinds of value.
#[derive(Debug, Clone)]
pub(super) enum Value {
    /// A sequence.
    List(Vec<Node>),
    /// A mapping in the order of the file. Keys may come twice; readers refuse that.
    Map(Vec<Entry>),
    /// A scalar as it is written, and whether it is plain: without quotes, and not a block.
    Scalar { text: String, plain: bool },
}

impl Node {
    /// Whether it is what YAML's core schema takes for nothing.
    pub(super) fn is_nothing(&self) -> bool {
        let Value::Scalar { text, plain: true } = &self.value else {
            return false;
        };
        matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL")
    }
}

/// One key of a mapping and its value.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    /// The key.
    pub(super) key: String,
    /// Where the key begins.
    pub(super) place: Place,
    /// The value.
    pub(super) node: Node,
}

/// Reads the one document of a file.
///
/// # Errors
///
/// The first thing that keeps the text from being a tree.
pub(super) fn parse(text: &str) -> Result<Node, Mistake> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut parser = Parser::new_from_str(text);
    let mut builder = Builder::default();
    while let Some(event) = parser.next_event() {
        let (event, span) = event.map_err(|error| {
            Mistake::of_form(
                place(*error.marker()),
                format!("not YAML: {}", error.info()),
            )
        })?;
        builder.take(event, span)?;
    }
    let nothing = Place { line: 1, column: 1 };
    builder
        .root
        .ok_or_else(|| Mistake::of_form(nothing, "the file is empty; it needs `providers`"))
}

#[derive(Default)]
struct Builder {
    root: Option<Node>,
    open: Vec<Open>,
    /// Nodes that carry an anchor, complete.
    anchors: HashMap<usize, Node>,
    nodes: usize,
}

/// A list or a mapping whose end has not come yet.
struct Open {
    place: Place,
    anchor: usize,
    value: Value,
    /// In a mapping, the key whose value comes next.
    key: Option<(String, Place)>,
}

impl Builder {
    fn take(&mut self, event: Event<'_>, span: Span) -> Result<(), Mistake> {
        let place = place(span.start);
        match event {
            Event::DocumentStart(_) if self.root.is_some() => {
                let what = "a second document begins; one file holds one configuration";
                Err(Mistake::of_form(place, what))
            }
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd => Ok(()),
            Event::Scalar(text, style, anchor, tag) => {
                refuse_tag(place, tag.as_deref())?;
                let plain = style == ScalarStyle::Plain && tag.is_none();
                let value = Value::Scalar {
                    text: text.into_owned(),
                    plain,
                };
                self.add(Node { place, value }, anchor)
            }
            Event::SequenceStart(anchor, tag) => {
                refuse_tag(place, tag.as_deref())?;
                self.begin(place, anchor, Value::List(Vec::new()))
            }
            Event::MappingStart(anchor, tag) => {
                refuse_tag(place, tag.as_deref())?;
                self.begin(place, anchor, Value::Map(Vec::new()))
            }
            Event::SequenceEnd | Event::MappingEnd => match self.open.pop() {
                Some(Open {
                    place,
                    anchor,
                    value,
                    ..
                }) => self.add(Node { place, value }, anchor),
                None => Ok(()),
            },
            Event::Alias(anchor) => {
                let Some(node) = self.anchors.get(&anchor) else {
                    return Err(Mistake::of_form(
                        place,
                        "this alias stands inside its own anchor",
                    ));
                };
                // Counted before the copy: nested aliases grow as a power of their depth.
                self.nodes += size(node);
                self.check_size(place)?;
                let node = Node {
                    place,
                    value: node.value.clone(),
                };
                self.add(node, 0)
            }
        }
    }

    fn begin(&mut self, place: Place, anchor: usize, value: Value) -> Result<(), Mistake> {
        if self.open.len() >= DEPTH_MAX {
            let what = format!("nested deeper than {DEPTH_MAX} levels");
            return Err(Mistake::of_form(place, what));
        }
        self.open.push(Open {
            place,
            anchor,
            value,
            key: None,
        });
        Ok(())
    }

    /// Puts a complete node into what is open around it.
    fn add(&mut self, node: Node, anchor: usize) -> Result<(), Mistake> {
        self.nodes += 1;
        self.check_size(node.place)?;
        if anchor > 0 {
            self.anchors.insert(anchor, node.clone());
        }
        let Some(open) = self.open.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        match (&mut open.value, open.key.take()) {
            (Value::List(items), _) => items.push(node),
            (Value::Map(entries), Some((key, place))) => entries.push(Entry { key, place, node }),
            (Value::Map(_), None) => match node.value {
                Value::Scalar { text, .. } => open.key = Some((text, node.place)),
                Value::List(_) | Value::Map(_) => {
                    let what = "a key must be a word; this one is a list or a mapping";
                    return Err(Mistake::of_form(node.place, what));
                }
            },
            (Value::Scalar { .. }, _) => {}
        }
        Ok(())
    }

    fn check_size(&self, place: Place) -> Result<(), Mistake> {
        if self.nodes > NODES_MAX {
            let what = format!("more than {NODES_MAX} values, counting what aliases repeat");
            return Err(Mistake::of_form(place, what));
        }
        Ok(())
    }
}

/// Tags of YAML itself only say which type is meant, which the configuration knows anyway.
fn refuse_tag(place: Place, tag: Option<&saphyr_parser::Tag>) -> Result<(), Mistake> {
    match tag {
        Some(tag) if !tag.is_yaml_core_schema() && !tag.handle.is_empty() => {
            let what = format!("the tag `{tag}` is not known; for a secret write {{env: NAME}}");
            Err(Mistake::of_form(place, what))
        }
        _ => Ok(()),
    }
}

/// Counts a node and all below it. The depth is bounded by `DEPTH_MAX`.
fn size(node: &Node) -> usize {
    1 + match &node.value {
        Value::List(items) => items.iter().map(size).sum::<usize>(),
        Value::Map(entries) => entries.iter().map(|entry| 1 + size(&entry.node)).sum(),
        Value::Scalar { .. } => 0,
    }
}

fn place(marker: Marker) -> Place {
    Place {
        line: marker.line(),
        column: marker.col() + 1,
    }
}

/// Far beyond what the configuration needs, and little enough for recursion over the tree.
const DEPTH_MAX: usize = 32;

/// Room for ten thousand credentials; stops aliases that multiply.
const NODES_MAX: usize = 200_000;
