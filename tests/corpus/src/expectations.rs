//! The expected results of one case: the files of its folder `expect`.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use crate::{JsonText, json_difference, text_difference};

/// Compares results with files. With `UPDATE_GOLDENS=1` in the environment the files are written instead.
#[derive(Debug)]
pub struct Expectations {
    case: String,
    folder: PathBuf,
    /// The files that no result was compared with so far.
    files: BTreeMap<String, String>,
    differences: Vec<String>,
    update: bool,
}

impl Expectations {
    pub(crate) fn read(case: &str, folder: PathBuf) -> Result<Self, String> {
        let mut files = BTreeMap::new();
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let text = fs::read_to_string(entry.path());
            files.insert(
                name.clone(),
                text.map_err(|error| format!("{name}: {error}"))?,
            );
        }
        Ok(Self {
            case: case.to_owned(),
            folder,
            files,
            differences: Vec::new(),
            update: std::env::var_os("UPDATE_GOLDENS").is_some(),
        })
    }

    /// The text of an expectation, if there is one.
    #[must_use]
    pub fn get(&self, file: &str) -> Option<&str> {
        self.files.get(file).map(String::as_str)
    }

    /// Compares JSON with a file: the order of members does not count, the digits of numbers do.
    ///
    /// # Errors
    /// If the result is not JSON.
    pub fn check_json(&mut self, file: &str, found: &[u8]) -> Result<(), String> {
        let found = JsonText::read(found).map_err(|error| {
            let text = String::from_utf8_lossy(found);
            format!("{}: {file}: {error}: {text}", self.case)
        })?;
        let expected = self.files.remove(file);
        let difference = match &expected {
            None => Some("there is no such file".to_owned()),
            Some(text) => match JsonText::read(text.as_bytes()) {
                Ok(expected) => json_difference(&expected, &found),
                Err(error) => Some(error),
            },
        };
        self.report(file, difference, &format!("{found}\n"));
        Ok(())
    }

    /// Compares a text with a file, byte by byte.
    pub fn check_text(&mut self, file: &str, found: &str) {
        let expected = self.files.remove(file);
        let difference = match expected {
            None => Some("there is no such file".to_owned()),
            Some(expected) => text_difference(&expected, found),
        };
        self.report(file, difference, found);
    }

    /// Returns the differences. A file that no result was compared with is one.
    ///
    /// # Errors
    /// If a file cannot be removed.
    pub fn finish(mut self) -> Result<Vec<String>, String> {
        for file in std::mem::take(&mut self.files).into_keys() {
            if self.update {
                fs::remove_file(self.folder.join(&file)).map_err(|error| error.to_string())?;
            } else {
                let case = &self.case;
                self.differences
                    .push(format!("{case}: expect/{file}: there is no such result"));
            }
        }
        Ok(self.differences)
    }

    fn report(&mut self, file: &str, difference: Option<String>, found: &str) {
        let Some(difference) = difference else { return };
        let written = || {
            fs::create_dir_all(&self.folder)?;
            fs::write(self.folder.join(file), found)
        };
        let difference = match self.update.then(written) {
            Some(Ok(())) => return,
            Some(Err(error)) => error.to_string(),
            None => difference,
        };
        let case = &self.case;
        self.differences
            .push(format!("{case}: expect/{file}:\n{difference}"));
    }
}
