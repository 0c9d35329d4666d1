//! Reads a whole file, and gathers mistakes on the way instead of stopping at the first.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::environment::Environment;
use super::mistake::{ConfigErrors, Mistake, Place};
use super::section::Spot;
use super::yaml::Value;
use super::{Admin, Config, server, yaml};

/// What every part of reading needs.
pub(super) struct Reader<'e> {
    /// Where variables and files come from; none where everything must be said as it is.
    pub(super) environment: Option<&'e dyn Environment>,
    /// The folder of the file, absolute.
    pub(super) folder: PathBuf,
    mistakes: Vec<Mistake>,
}

/// Reads the file at `path`.
pub(super) fn load(path: &Path, environment: &dyn Environment) -> Result<Config, ConfigErrors> {
    read(path, environment, server::config)
}

/// Reads the admin listener of the file at `path`.
pub(super) fn load_admin(
    path: &Path,
    environment: &dyn Environment,
) -> Result<Option<Admin>, ConfigErrors> {
    read(path, environment, server::admin_only)
}

fn read<T>(
    path: &Path,
    environment: &dyn Environment,
    root: impl FnOnce(&mut Reader<'_>, &Spot<'_>) -> Option<T>,
) -> Result<T, ConfigErrors> {
    let fail = |mistakes| ConfigErrors::new(path.to_owned(), mistakes);
    let unreadable = |error| {
        let what = format!("cannot be read: {error}; check the path and its permissions");
        Mistake {
            place: None,
            name: String::new(),
            what,
        }
    };
    let text = environment
        .file(path)
        .map_err(|error| fail(vec![unreadable(error)]))?;
    let file = std::path::absolute(path).map_err(|error| fail(vec![unreadable(error)]))?;
    let node = yaml::parse(&text).map_err(|mistake| fail(vec![mistake]))?;

    let folder = file.parent().unwrap_or(&file).to_owned();
    let mut reader = Reader {
        environment: Some(environment),
        folder,
        mistakes: Vec::new(),
    };
    let spot = Spot {
        name: String::new(),
        node: &node,
    };
    match root(&mut reader, &spot) {
        Some(read) if reader.mistakes.is_empty() => Ok(read),
        _ => Err(fail(reader.mistakes)),
    }
}

impl Reader<'_> {
    /// A reader of values that stand in no file.
    pub(super) fn of_values() -> Self {
        Self {
            environment: None,
            folder: PathBuf::new(),
            mistakes: Vec::new(),
        }
    }

    /// What is wrong, without places.
    pub(super) fn told(self) -> Vec<String> {
        let told = |mistake: Mistake| match mistake.name.as_str() {
            "" => mistake.what,
            name => format!("{name}: {}", mistake.what),
        };
        self.mistakes.into_iter().map(told).collect()
    }

    /// How many mistakes there are up to now.
    pub(super) fn mistakes(&self) -> usize {
        self.mistakes.len()
    }

    /// Notes a mistake.
    pub(super) fn add(&mut self, mistake: Mistake) {
        self.mistakes.push(mistake);
    }

    /// Notes what is wrong with a value.
    pub(super) fn refuse(&mut self, spot: &Spot<'_>, what: impl Into<String>) {
        let place = Some(spot.node.place);
        self.add(Mistake {
            place,
            name: spot.name.clone(),
            what: what.into(),
        });
    }

    /// Notes that a value is of the wrong kind, or that there is none.
    pub(super) fn refuse_kind(&mut self, spot: &Spot<'_>, what: &str) {
        let nothing = spot.node.is_nothing();
        self.refuse(
            spot,
            if nothing {
                "has no value; give it one or remove the key"
            } else {
                what
            },
        );
    }

    /// Reads a list, which must have an item. Items with mistakes are left out.
    pub(super) fn list<'n, T>(
        &mut self,
        spot: &Spot<'n>,
        mut read: impl FnMut(&mut Self, &Spot<'n>) -> Option<T>,
    ) -> Option<Vec<T>> {
        let Value::List(items) = &spot.node.value else {
            self.refuse_kind(spot, "must be a list");
            return None;
        };
        if items.is_empty() {
            self.refuse(spot, "is an empty list; it needs at least one item");
        }
        let item = |(index, node)| {
            read(
                self,
                &Spot {
                    name: format!("{}[{index}]", spot.name),
                    node,
                },
            )
        };
        Some(items.iter().enumerate().filter_map(item).collect())
    }
}

/// Names that must differ from one another, and where each came first.
#[derive(Default)]
pub(super) struct Names(HashMap<String, Place>);

impl Names {
    /// Refuses a name that came before. The text is shown.
    pub(super) fn check(&mut self, reader: &mut Reader<'_>, spot: &Spot<'_>, name: &str) {
        self.check_by(reader, spot, name, name.to_owned());
    }

    /// Refuses a name that came before, in whatever case.
    pub(super) fn check_in_any_case(
        &mut self,
        reader: &mut Reader<'_>,
        spot: &Spot<'_>,
        name: &str,
    ) {
        self.check_by(reader, spot, name, name.to_lowercase());
    }

    fn check_by(&mut self, reader: &mut Reader<'_>, spot: &Spot<'_>, name: &str, key: String) {
        let Some(first) = self.0.get(&key) else {
            self.0.insert(key, spot.node.place);
            return;
        };
        let what = format!(
            "`{name}` is taken already at line {}; choose another",
            first.line
        );
        reader.refuse(spot, what);
    }
}
