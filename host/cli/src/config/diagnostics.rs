//! What is wrong with a configuration, and where. No text here may hold a secret's value.

use std::fmt;
use std::path::PathBuf;

/// Everything that is wrong with one file, in the order of the file. `Display` has a line each.
#[derive(Debug, thiserror::Error)]
pub(crate) struct ConfigErrors {
    file: PathBuf,
    diagnostics: Vec<Diagnostic>,
}

impl ConfigErrors {
    /// Puts the mistakes in the order of their places.
    pub(super) fn new(file: PathBuf, mut diagnostics: Vec<Diagnostic>) -> Self {
        diagnostics.sort_by(|a, b| (a.position, &a.name).cmp(&(b.position, &b.name)));
        Self { file, diagnostics }
    }

    /// A line for each mistake.
    pub(crate) fn lines(&self) -> Vec<String> {
        let line = |diagnostic: &Diagnostic| {
            let mut line = self.file.display().to_string();
            if let Some(position) = diagnostic.position {
                line.push_str(&format!(":{position}"));
            }
            if !diagnostic.name.is_empty() {
                line.push_str(&format!(": {}", diagnostic.name));
            }
            line.push_str(&format!(": {}", diagnostic.message));
            line
        };
        self.diagnostics.iter().map(line).collect()
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.lines().join("\n"))
    }
}

/// One thing that is wrong.
#[derive(Debug)]
pub(super) struct Diagnostic {
    /// Where it stands; none if the file could not be read.
    pub(super) position: Option<Position>,
    /// The value in question, such as `providers[0].name`; empty for the file as a whole.
    pub(super) name: String,
    /// What is wrong and what to change.
    pub(super) message: String,
}

impl Diagnostic {
    /// A mistake of the file's form, before any value is known by name.
    pub(super) fn syntax(position: Position, message: impl Into<String>) -> Self {
        Self {
            position: Some(position),
            name: String::new(),
            message: message.into(),
        }
    }
}

/// A place in the file, both numbers from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Position {
    /// The line.
    pub(super) line: usize,
    /// The column, in characters.
    pub(super) column: usize,
}

impl fmt::Display for Position {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.line, self.column)
    }
}
