//! What is wrong with a configuration, and where. No text here may hold a secret's value.

use std::fmt;
use std::path::PathBuf;

/// Everything that is wrong with one file, in the order of the file. `Display` has a line each.
#[derive(Debug, thiserror::Error)]
pub(crate) struct ConfigErrors {
    file: PathBuf,
    mistakes: Vec<Mistake>,
}

impl ConfigErrors {
    /// Puts the mistakes in the order of their places.
    pub(super) fn new(file: PathBuf, mut mistakes: Vec<Mistake>) -> Self {
        mistakes.sort_by(|a, b| (a.place, &a.name).cmp(&(b.place, &b.name)));
        Self { file, mistakes }
    }

    /// A line for each mistake.
    pub(crate) fn lines(&self) -> Vec<String> {
        let line = |mistake: &Mistake| {
            let mut line = self.file.display().to_string();
            if let Some(place) = mistake.place {
                line.push_str(&format!(":{place}"));
            }
            if !mistake.name.is_empty() {
                line.push_str(&format!(": {}", mistake.name));
            }
            line.push_str(&format!(": {}", mistake.what));
            line
        };
        self.mistakes.iter().map(line).collect()
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.lines().join("\n"))
    }
}

/// One thing that is wrong.
#[derive(Debug)]
pub(super) struct Mistake {
    /// Where it stands; none if the file could not be read.
    pub(super) place: Option<Place>,
    /// The value in question, such as `providers[0].name`; empty for the file as a whole.
    pub(super) name: String,
    /// What is wrong and what to change.
    pub(super) what: String,
}

impl Mistake {
    /// A mistake of the file's form, before any value is known by name.
    pub(super) fn of_form(place: Place, what: impl Into<String>) -> Self {
        Self {
            place: Some(place),
            name: String::new(),
            what: what.into(),
        }
    }
}

/// A place in the file, both numbers from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    /// The line.
    pub(super) line: usize,
    /// The column, in characters.
    pub(super) column: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.line, self.column)
    }
}
