//! Loads the file: from its path to a configuration, or to all its errors.

use std::path::Path;

use crate::config::{Admin, Config};
use crate::diagnostics::{ConfigErrors, Diagnostic};
use crate::environment::Environment;
use crate::reader::{Findings, Located, Reader};
use crate::{root, yaml};

impl Config {
    /// Reads the file at `path`. Relative paths in the file start at its folder.
    ///
    /// # Errors
    ///
    /// All errors in the file, or the one that prevented reading it.
    pub fn load(path: &Path, environment: &dyn Environment) -> Result<Self, ConfigErrors> {
        let (mut config, findings) = read(path, environment, root::config)?;
        config.warnings = ConfigErrors::new(path.to_owned(), findings.warnings).lines();
        config.restart_only = findings.restart_only;
        Ok(config)
    }

    /// Reads only the admin listener; none if the file has no `admin`. The rest of the file may have
    /// errors, and its secrets may be unavailable.
    ///
    /// # Errors
    ///
    /// All errors in the `admin` section, or the one that prevented reading the file.
    pub fn load_admin(
        path: &Path,
        environment: &dyn Environment,
    ) -> Result<Option<Admin>, ConfigErrors> {
        let (admin, _) = read(path, environment, root::admin_only)?;
        Ok(admin)
    }
}

fn read<T>(
    path: &Path,
    environment: &dyn Environment,
    root: impl FnOnce(&mut Reader<'_>, &Located<'_>) -> Option<T>,
) -> Result<(T, Findings), ConfigErrors> {
    let fail = |errors| ConfigErrors::new(path.to_owned(), errors);
    let unreadable = |error| {
        let message = format!("cannot be read: {error}; check the path and its permissions");
        fail(vec![Diagnostic {
            position: None,
            name: String::new(),
            message,
        }])
    };
    let content = environment.file(path).map_err(unreadable)?;
    let file = std::path::absolute(path).map_err(unreadable)?;
    let node = yaml::parse(&content.text).map_err(|diagnostic| fail(vec![diagnostic]))?;
    let folder = file.parent().unwrap_or(&file).to_owned();
    let mut reader = Reader::for_file(environment, folder);
    let value = root(&mut reader, &Located::root(&node));
    if content.is_world_readable && reader.has_plain_secret {
        let message = "every user of this machine can read this file, and it has secrets; run `chmod o-r` on it, or \
                       keep them in variables or other files";
        reader.world_readable(None, "", message.to_owned());
    }
    let findings = reader.into_findings();
    match value {
        // There can be a value despite errors: readers continue with defaults, to find all errors.
        Some(value) if findings.errors.is_empty() => Ok((value, findings)),
        _ => Err(fail(findings.errors)),
    }
}
