//! YAML as a tree of nodes with their positions. It knows no key of the configuration.
//!
//! The tree of the parser loses duplicate keys and the style of scalars, so this one is built from the
//! events of the parser.

use std::collections::HashMap;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Span};

use crate::diagnostics::{Diagnostic, Position};
use crate::limits::{YAML_DEPTH_MAX, YAML_NODES_MAX};

/// A value and where it begins.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    /// Where it begins. For an alias: where the alias is.
    pub(crate) position: Position,
    /// What it is.
    pub(crate) value: Value,
}

/// The kinds of value.
#[derive(Debug, Clone)]
pub(crate) enum Value {
    /// A sequence.
    List(Vec<Node>),
    /// A mapping in the order of the file. It may have duplicate keys; the reader reports them.
    Map(Vec<Entry>),
    /// A scalar, and whether it is plain: without quotes and not a block.
    Scalar { text: String, plain: bool },
}

impl Node {
    /// Whether it is null in the core schema of YAML.
    pub(crate) fn is_null(&self) -> bool {
        let Value::Scalar { text, plain: true } = &self.value else {
            return false;
        };
        matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL")
    }
}

/// One key of a mapping and its value.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    /// The key.
    pub(crate) key: String,
    /// Where the key begins.
    pub(crate) position: Position,
    /// The value.
    pub(crate) node: Node,
}

/// Reads the one document of a file.
///
/// # Errors
///
/// The first error in the syntax.
pub(crate) fn parse(text: &str) -> Result<Node, Diagnostic> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut parser = Parser::new_from_str(text);
    let mut builder = Builder::default();
    while let Some(event) = parser.next_event() {
        let (event, span) = event.map_err(|error| {
            Diagnostic::syntax(
                position(*error.marker()),
                format!("not YAML: {}", error.info()),
            )
        })?;
        builder.handle(event, span)?;
    }
    let start = Position { line: 1, column: 1 };
    builder
        .root
        .ok_or_else(|| Diagnostic::syntax(start, "the file is empty; add `providers`"))
}

#[derive(Default)]
struct Builder {
    root: Option<Node>,
    open: Vec<OpenNode>,
    /// The complete nodes that have an anchor.
    anchors: HashMap<usize, Node>,
    nodes: usize,
}

/// A list or a mapping that has not ended yet.
struct OpenNode {
    position: Position,
    anchor: usize,
    value: Value,
    /// In a mapping: the key of the next value.
    key: Option<(String, Position)>,
}

impl Builder {
    fn handle(&mut self, event: Event<'_>, span: Span) -> Result<(), Diagnostic> {
        let position = position(span.start);
        match event {
            Event::DocumentStart(_) if self.root.is_some() => {
                let message = "a second document begins here; a file has one configuration";
                Err(Diagnostic::syntax(position, message))
            }
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd => Ok(()),
            Event::Scalar(text, style, anchor, tag) => {
                check_tag(position, tag.as_deref())?;
                // A tag counts like quotes: `!!str 1` is text.
                let plain = style == ScalarStyle::Plain && tag.is_none();
                let value = Value::Scalar {
                    text: text.into_owned(),
                    plain,
                };
                self.add(Node { position, value }, anchor)
            }
            Event::SequenceStart(anchor, tag) => {
                check_tag(position, tag.as_deref())?;
                self.begin(position, anchor, Value::List(Vec::new()))
            }
            Event::MappingStart(anchor, tag) => {
                check_tag(position, tag.as_deref())?;
                self.begin(position, anchor, Value::Map(Vec::new()))
            }
            Event::SequenceEnd | Event::MappingEnd => match self.open.pop() {
                Some(OpenNode {
                    position,
                    anchor,
                    value,
                    ..
                }) => self.add(Node { position, value }, anchor),
                None => Ok(()),
            },
            Event::Alias(anchor) => {
                // The parser refuses unknown anchors, so a missing one belongs to a node that is still open.
                let Some(node) = self.anchors.get(&anchor) else {
                    return Err(Diagnostic::syntax(
                        position,
                        "recursive alias: it is inside its own anchor",
                    ));
                };
                // Counted before the copy: nested aliases grow as a power of their depth.
                self.nodes += size(node);
                self.check_size(position)?;
                let node = Node {
                    position,
                    value: node.value.clone(),
                };
                self.add(node, 0)
            }
        }
    }

    fn begin(&mut self, position: Position, anchor: usize, value: Value) -> Result<(), Diagnostic> {
        if self.open.len() >= YAML_DEPTH_MAX {
            let message = format!("nested deeper than {YAML_DEPTH_MAX} levels");
            return Err(Diagnostic::syntax(position, message));
        }
        self.open.push(OpenNode {
            position,
            anchor,
            value,
            key: None,
        });
        Ok(())
    }

    /// Adds a complete node to the innermost open node.
    fn add(&mut self, node: Node, anchor: usize) -> Result<(), Diagnostic> {
        self.nodes += 1;
        self.check_size(node.position)?;
        if anchor > 0 {
            self.anchors.insert(anchor, node.clone());
        }
        let Some(open) = self.open.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        match (&mut open.value, open.key.take()) {
            (Value::List(items), _) => items.push(node),
            (Value::Map(entries), Some((key, position))) => entries.push(Entry {
                key,
                position,
                node,
            }),
            (Value::Map(_), None) => match node.value {
                Value::Scalar { text, .. } => open.key = Some((text, node.position)),
                Value::List(_) | Value::Map(_) => {
                    let message = "a key must be a scalar; this one is a list or a mapping";
                    return Err(Diagnostic::syntax(node.position, message));
                }
            },
            (Value::Scalar { .. }, _) => {}
        }
        Ok(())
    }

    fn check_size(&self, position: Position) -> Result<(), Diagnostic> {
        if self.nodes > YAML_NODES_MAX {
            let message =
                format!("more than {YAML_NODES_MAX} values, counting what aliases repeat");
            return Err(Diagnostic::syntax(position, message));
        }
        Ok(())
    }
}

/// Tags of YAML itself name a type. The configuration knows the type of each value, so they are ignored.
fn check_tag(position: Position, tag: Option<&saphyr_parser::Tag>) -> Result<(), Diagnostic> {
    match tag {
        Some(tag) if !tag.is_yaml_core_schema() && !tag.handle.is_empty() => {
            let message = format!("the tag `{tag}` is not known; for a secret write {{env: NAME}}");
            Err(Diagnostic::syntax(position, message))
        }
        _ => Ok(()),
    }
}

/// Counts a node and all below it. The recursion is bounded: `YAML_DEPTH_MAX` limits the levels in the file,
/// and `YAML_NODES_MAX` those that aliases add.
fn size(node: &Node) -> usize {
    1 + match &node.value {
        Value::List(items) => items.iter().map(size).sum::<usize>(),
        Value::Map(entries) => entries.iter().map(|entry| 1 + size(&entry.node)).sum(),
        Value::Scalar { .. } => 0,
    }
}

fn position(marker: Marker) -> Position {
    Position {
        line: marker.line(),
        column: marker.col() + 1,
    }
}
