//! Reads a whole file, and gathers mistakes on the way instead of stopping at the first.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use crate::config::{Admin, Config};
use crate::diagnostics::{ConfigErrors, Diagnostic, Position};
use crate::environment::Environment;
use crate::mapping::Located;
use crate::yaml::Value;
use crate::{root, yaml};

/// What every part of reading needs.
pub(crate) struct Reader<'e> {
    /// Where variables and files come from; none where everything must be said as it is.
    pub(crate) environment: Option<&'e dyn Environment>,
    /// The folder of the file, absolute.
    pub(crate) folder: PathBuf,
    diagnostics: Vec<Diagnostic>,
}

/// Reads the file at `path`.
pub(crate) fn load(path: &Path, environment: &dyn Environment) -> Result<Config, ConfigErrors> {
    read(path, environment, root::config)
}

/// Reads the admin listener of the file at `path`.
pub(crate) fn load_admin(
    path: &Path,
    environment: &dyn Environment,
) -> Result<Option<Admin>, ConfigErrors> {
    read(path, environment, root::admin_only)
}

fn read<T>(
    path: &Path,
    environment: &dyn Environment,
    root: impl FnOnce(&mut Reader<'_>, &Located<'_>) -> Option<T>,
) -> Result<T, ConfigErrors> {
    let fail = |diagnostics| ConfigErrors::new(path.to_owned(), diagnostics);
    let unreadable = |error| {
        let message = format!("cannot be read: {error}; check the path and its permissions");
        Diagnostic {
            position: None,
            name: String::new(),
            message,
        }
    };
    let text = environment
        .file(path)
        .map_err(|error| fail(vec![unreadable(error)]))?;
    let file = std::path::absolute(path).map_err(|error| fail(vec![unreadable(error)]))?;
    let node = yaml::parse(&text).map_err(|diagnostic| fail(vec![diagnostic]))?;

    let folder = file.parent().unwrap_or(&file).to_owned();
    let mut reader = Reader {
        environment: Some(environment),
        folder,
        diagnostics: Vec::new(),
    };
    let located = Located {
        name: String::new(),
        node: &node,
    };
    match root(&mut reader, &located) {
        Some(read) if reader.diagnostics.is_empty() => Ok(read),
        _ => Err(fail(reader.diagnostics)),
    }
}

impl Reader<'_> {
    /// A reader of values that stand in no file.
    pub(crate) fn for_json() -> Self {
        Self {
            environment: None,
            folder: PathBuf::new(),
            diagnostics: Vec::new(),
        }
    }

    /// What is wrong, without places.
    pub(crate) fn into_messages(self) -> Vec<String> {
        let text = |diagnostic: Diagnostic| match diagnostic.name.as_str() {
            "" => diagnostic.message,
            name => format!("{name}: {}", diagnostic.message),
        };
        self.diagnostics.into_iter().map(text).collect()
    }

    /// How many mistakes there are up to now.
    pub(crate) fn error_count(&self) -> usize {
        self.diagnostics.len()
    }

    /// Notes a mistake.
    pub(crate) fn add(&mut self, diagnostic: Diagnostic) {
        self.diagnostics.push(diagnostic);
    }

    /// Notes what is wrong with a value.
    pub(crate) fn report(&mut self, located: &Located<'_>, message: impl Into<String>) {
        let position = Some(located.node.position);
        self.add(Diagnostic {
            position,
            name: located.name.clone(),
            message: message.into(),
        });
    }

    /// Notes that a value is of the wrong kind, or that there is none.
    pub(crate) fn invalid_type(&mut self, located: &Located<'_>, message: &str) {
        let nothing = located.node.is_null();
        self.report(
            located,
            if nothing {
                "has no value; give it one or remove the key"
            } else {
                message
            },
        );
    }

    /// Reads a list, which must have an item. Items with mistakes are left out.
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
            read(
                self,
                &Located {
                    name: format!("{}[{index}]", located.name),
                    node,
                },
            )
        };
        Some(items.iter().enumerate().filter_map(item).collect())
    }
}

/// Names that must differ from one another, and where each came first.
#[derive(Default)]
pub(crate) struct UniqueNames(HashMap<String, Position>);

impl UniqueNames {
    /// Refuses a name that came before. The text is shown.
    pub(crate) fn check(&mut self, reader: &mut Reader<'_>, located: &Located<'_>, name: &str) {
        self.check_by(reader, located, name, name.to_owned());
    }

    /// Refuses a name that came before, in whatever case.
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
            "`{name}` is taken already at line {}; choose another",
            first.line
        );
        reader.report(located, message);
    }
}
