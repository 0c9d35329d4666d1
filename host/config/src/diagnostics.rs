//! Errors in a configuration, with their positions. No message contains the value of a secret.

use std::fmt;
use std::path::PathBuf;

/// All errors in one file, in the order of their positions. `Display` writes a line for each.
#[derive(Debug, thiserror::Error)]
pub struct ConfigErrors {
    file: PathBuf,
    diagnostics: Vec<Diagnostic>,
}

impl ConfigErrors {
    /// Sorts the errors by their positions.
    pub(crate) fn new(file: PathBuf, mut diagnostics: Vec<Diagnostic>) -> Self {
        diagnostics.sort_by(|a, b| (a.position, &a.name).cmp(&(b.position, &b.name)));
        Self { file, diagnostics }
    }

    /// Returns a line for each error.
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

/// One error or warning.
#[derive(Debug)]
pub(crate) struct Diagnostic {
    /// Where it is; none if the file could not be read.
    pub(crate) position: Option<Position>,
    /// The name of the value, such as `providers[0].name`; empty for the file as a whole.
    pub(crate) name: String,
    /// What is wrong, and what to change.
    pub(crate) message: String,
}

impl Diagnostic {
    /// An error in the syntax of the file, where values have no names yet.
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

/// A position in the file; both numbers start at 1.
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
