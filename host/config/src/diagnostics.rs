//! What is wrong with a configuration, and where. No text here may hold a secret's value.

use std::fmt;
use std::path::PathBuf;

/// Everything that is wrong with one file, in the order of the file. `Display` has a line each.
#[derive(Debug, thiserror::Error)]
pub struct ConfigErrors {
    file: PathBuf,
    diagnostics: Vec<Diagnostic>,
}

impl ConfigErrors {
    /// Puts the mistakes in the order of their places.
    pub(crate) fn new(file: PathBuf, mut diagnostics: Vec<Diagnostic>) -> Self {
        diagnostics.sort_by(|a, b| (a.position, &a.name).cmp(&(b.position, &b.name)));
        Self { file, diagnostics }
    }

    /// A line for each mistake.
    pub fn lines(&self) -> Vec<String> {
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
pub(crate) struct Diagnostic {
    /// Where it stands; none if the file could not be read.
    pub(crate) position: Option<Position>,
    /// The value in question, such as `providers[0].name`; empty for the file as a whole.
    pub(crate) name: String,
    /// What is wrong and what to change.
    pub(crate) message: String,
}

impl Diagnostic {
    /// A mistake of the file's form, before any value is known by name.
    pub(crate) fn syntax(position: Position, message: impl Into<String>) -> Self {
        Self {
            position: Some(position),
            name: String::new(),
            message: message.into(),
        }
    }

    /// The name of the value and the message.
    pub(crate) fn without_position(&self) -> String {
        match self.name.as_str() {
            "" => self.message.clone(),
            name => format!("{name}: {}", self.message),
        }
    }
}

/// A place in the file, both numbers from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Position {
    /// The line.
    pub(crate) line: usize,
    /// The column, in characters.
    pub(crate) column: usize,
}

impl fmt::Display for Position {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.line, self.column)
    }
}
