//! The state of one reading: where values come from, and the errors and warnings found so far.

use std::collections::HashMap;
use std::path::PathBuf;

use secrecy::SecretString;

use crate::diagnostics::{Diagnostic, Position};
use crate::environment::Environment;
use crate::restart_only::RestartOnly;
use crate::yaml::{Node, Value};

/// Collects errors instead of stopping at the first one.
pub(crate) struct Reader<'e> {
    /// Where variables and files come from. Without it, a secret must be given as it is.
    pub(crate) environment: Option<&'e dyn Environment>,
    /// The folder of the file, absolute. Relative paths in the file start here.
    pub(crate) folder: PathBuf,
    /// Whether a secret that every user can read is an error.
    pub(crate) strict_files: bool,
    /// Whether the file itself has a secret.
    pub(crate) has_plain_secret: bool,
    errors: Vec<Diagnostic>,
    warnings: Vec<Diagnostic>,
    restart_only: RestartOnly,
}

/// What a reading found beside the values.
pub(crate) struct Findings {
    pub(crate) errors: Vec<Diagnostic>,
    pub(crate) warnings: Vec<Diagnostic>,
    pub(crate) restart_only: RestartOnly,
}

/// A value of the file and its name in it.
#[derive(Debug, Clone)]
pub(crate) struct Located<'n> {
    /// Such as `providers[0].name`; empty for the whole file.
    pub(crate) name: String,
    /// The value.
    pub(crate) node: &'n Node,
}

impl<'n> Located<'n> {
    /// The whole file.
    pub(crate) fn root(node: &'n Node) -> Self {
        Self {
            name: String::new(),
            node,
        }
    }

    /// The value of a key in this mapping.
    pub(crate) fn member(&self, key: &str, node: &'n Node) -> Self {
        Self {
            name: join(&self.name, key),
            node,
        }
    }
}

impl<'e> Reader<'e> {
    /// A reader of a file in this folder.
    pub(crate) fn for_file(environment: &'e dyn Environment, folder: PathBuf) -> Self {
        Self {
            environment: Some(environment),
            folder,
            ..Self::detached()
        }
    }

    /// A reader without files and variables, for JSON bodies and for the manual.
    pub(crate) fn detached() -> Self {
        Self {
            environment: None,
            folder: PathBuf::new(),
            strict_files: false,
            has_plain_secret: false,
            errors: Vec::new(),
            warnings: Vec::new(),
            restart_only: RestartOnly::default(),
        }
    }

    /// Ends the reading.
    pub(crate) fn into_findings(self) -> Findings {
        Findings {
            errors: self.errors,
            warnings: self.warnings,
            restart_only: self.restart_only,
        }
    }

    /// The number of errors found so far.
    pub(crate) fn error_count(&self) -> usize {
        self.errors.len()
    }

    /// Adds an error.
    pub(crate) fn add(&mut self, diagnostic: Diagnostic) {
        self.errors.push(diagnostic);
    }

    /// Adds a warning. It does not make the configuration invalid.
    pub(crate) fn warn(&mut self, diagnostic: Diagnostic) {
        self.warnings.push(diagnostic);
    }

    /// Adds an error about a value.
    pub(crate) fn report(&mut self, located: &Located<'_>, message: impl Into<String>) {
        let position = Some(located.node.position);
        self.add(Diagnostic {
            position,
            name: located.name.clone(),
            message: message.into(),
        });
    }

    /// Adds a warning, or an error with `strict-files`, about a file with secrets that every user can read.
    pub(crate) fn world_readable(
        &mut self,
        position: Option<Position>,
        name: &str,
        message: String,
    ) {
        let diagnostic = Diagnostic {
            position,
            name: name.to_owned(),
            message,
        };
        if self.strict_files {
            self.add(diagnostic);
        } else {
            self.warn(diagnostic);
        }
    }

    /// Adds an error about a value of the wrong type, or about a key without a value.
    pub(crate) fn invalid_type(&mut self, located: &Located<'_>, message: &str) {
        let message = if located.node.is_null() {
            "has no value; give it one or remove the key"
        } else {
            message
        };
        self.report(located, message);
    }

    /// Adds an error about a value, and shows the start of the value.
    pub(crate) fn invalid_value<T>(
        &mut self,
        located: &Located<'_>,
        found: &str,
        rule: &str,
    ) -> Option<T> {
        let cut: String = found.chars().take(FOUND_CHARS_MAX).collect();
        let more = if cut.len() < found.len() { ".." } else { "" };
        self.report(located, format!("{rule}; found {cut:?}{more}"));
        None
    }

    /// Records the value of a key that only a restart can change.
    pub(crate) fn record_restart_only(&mut self, path: String, value: SecretString) {
        self.restart_only.record(path, value);
    }

    /// Returns the text of a scalar that is neither empty nor null.
    pub(crate) fn text<'n>(&mut self, located: &Located<'n>) -> Option<&'n str> {
        let message = match &located.node.value {
            Value::Scalar { text, .. } if text.is_empty() => "must not be empty",
            Value::Scalar { text, .. } if !located.node.is_null() => return Some(text),
            Value::Scalar { .. } => "must be a value",
            Value::List(_) => "must be a single value, not a list",
            Value::Map(_) => "must be a single value, not a mapping",
        };
        self.invalid_type(located, message);
        None
    }

    /// Reads a list with at least one item. Items with errors are left out.
    pub(crate) fn list<'n, T>(
        &mut self,
        located: &Located<'n>,
        mut read: impl FnMut(&mut Self, &Located<'n>) -> Option<T>,
    ) -> Option<Vec<T>> {
        let Value::List(items) = &located.node.value else {
            self.invalid_type(located, "must be a list");
            return None;
        };
        if items.is_empty() {
            self.report(located, "is an empty list; it needs at least one item");
        }
        let item = |(index, node)| {
            let name = format!("{}[{index}]", located.name);
            read(self, &Located { name, node })
        };
        Some(items.iter().enumerate().filter_map(item).collect())
    }
}

/// Names that must be unique, each with its first position.
#[derive(Default)]
pub(crate) struct UniqueNames(HashMap<String, Position>);

impl UniqueNames {
    /// Reports a name that occurred before. The message shows the name.
    pub(crate) fn check(&mut self, reader: &mut Reader<'_>, located: &Located<'_>, name: &str) {
        self.check_by(reader, located, name, name.to_owned());
    }

    /// Reports a name that occurred before, in upper or lower case.
    pub(crate) fn check_ignoring_case(
        &mut self,
        reader: &mut Reader<'_>,
        located: &Located<'_>,
        name: &str,
    ) {
        self.check_by(reader, located, name, name.to_lowercase());
    }

    fn check_by(
        &mut self,
        reader: &mut Reader<'_>,
        located: &Located<'_>,
        name: &str,
        key: String,
    ) {
        let Some(first) = self.0.get(&key) else {
            self.0.insert(key, located.node.position);
            return;
        };
        let message = format!(
            "`{name}` is used already at line {}; choose another one",
            first.line
        );
        reader.report(located, message);
    }
}

/// Joins the name of a mapping and a key in it.
pub(crate) fn join(name: &str, key: &str) -> String {
    if name.is_empty() {
        key.to_owned()
    } else {
        format!("{name}.{key}")
    }
}

/// Enough to recognise a value in a message of one line.
const FOUND_CHARS_MAX: usize = 40;
