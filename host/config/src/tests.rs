//! Each folder of `tests/cases/config` is a case: `config.yaml`, `env` (variables as `NAME=value`
//! and files as `/path=text`) and `expect.txt`: what differs from the defaults and the warnings, or all
//! errors. `UPDATE_GOLDENS=1` writes the last one.

mod manual;
mod schema;
mod shown;

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use proptest::prelude::*;

use crate::{Config, ConfigErrors, Environment, FileText, ProcessEnvironment};
use shown::shown;

type CaseResult = Result<(), Box<dyn Error>>;

#[test]
fn cases_match_expected_output() -> CaseResult {
    let mut cases: Vec<PathBuf> = fs::read_dir(CASES)?
        .map(|entry| Ok(entry?.path()))
        .collect::<io::Result<_>>()?;
    cases.sort();
    assert!(
        cases.len() >= 15,
        "only {} cases were found in {CASES}",
        cases.len()
    );
    let failures: Vec<String> = cases
        .iter()
        .filter_map(|folder| check(folder).transpose())
        .collect::<Result<_, _>>()?;
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    Ok(())
}

/// Returns how a case differs from its golden, if it does.
fn check(folder: &Path) -> Result<Option<String>, Box<dyn Error>> {
    let environment = FakeEnvironment::read(folder)?;
    let loaded = environment.load();
    let found = match &loaded {
        Ok(config) => shown(config),
        Err(errors) => errors.to_string(),
    };
    let revealing = match &loaded {
        Ok(config) => format!("{config:?}"),
        Err(errors) => format!("{errors}\n{errors:?}"),
    };
    if revealing.contains(SECRET_MARK) {
        return Ok(Some(format!(
            "{}: shows a secret: {revealing}",
            folder.display()
        )));
    }
    let golden = folder.join("expect.txt");
    if std::env::var_os("UPDATE_GOLDENS").is_some() {
        fs::write(&golden, format!("{}\n", found.trim_end()))?;
    }
    let expected = fs::read_to_string(&golden)
        .map_err(|error| format!("{}: {error}; run with UPDATE_GOLDENS=1", golden.display()))?;
    let same = expected.trim_end() == found.trim_end();
    let differs = || format!("{}: expected\n{expected}\nfound\n{found}", folder.display());
    Ok((!same).then(differs))
}

#[test]
fn names_unreadable_file() {
    let environment = FakeEnvironment {
        variables: BTreeMap::new(),
        files: BTreeMap::new(),
    };
    let errors = environment
        .load()
        .map(drop)
        .map_err(|errors| errors.to_string());
    let expected =
        "config.yaml: cannot be read: entity not found; check the path and its permissions";
    assert_eq!(errors, Err(format!("/etc/jackfield/{expected}")));
}

#[test]
fn documented_example_is_valid() -> CaseResult {
    let page = include_str!("../../docs/configuration.md");
    let example = page
        .split("```yaml")
        .nth(1)
        .and_then(|rest| rest.split("```").next());
    let environment = FakeEnvironment {
        variables: BTreeMap::from([("ACME_A".to_owned(), SECRET_MARK.to_owned())]),
        files: BTreeMap::from([(PathBuf::from(FILE), example.unwrap_or_default().to_owned())]),
    };
    environment.load()?;
    Ok(())
}

/// The selector that a configuration with these lines names.
fn selector(lines: &str) -> Result<String, Box<dyn Error>> {
    let mut environment = FakeEnvironment::read(&Path::new(CASES).join("minimal"))?;
    let file = environment.files.entry(PathBuf::from(FILE)).or_default();
    file.push_str(lines);
    Ok(environment.load()?.routing.selector.as_ref().to_owned())
}

#[test]
fn cliproxyapi_compat_1_3_default_selector_is_round_robin() -> CaseResult {
    assert_eq!(selector("")?, "round-robin");
    assert_eq!(selector("\nrouting: { selector: mine }\n")?, "mine");
    Ok(())
}

#[test]
fn cliproxyapi_compat_1_11_fill_first_has_three_spellings() -> CaseResult {
    for spelling in ["fill-first", "fillfirst", "ff"] {
        let named = selector(&format!("\nrouting: {{ selector: {spelling} }}\n"))?;
        assert_eq!(named, "fill-first", "{spelling}");
    }
    Ok(())
}

proptest! {
    /// Any text ends with a configuration or with errors, and the values of variables stay hidden.
    #[test]
    fn reader_accepts_any_text_without_panic(at in 0_usize..2_000, length in 0_usize..60, with in "[\\PC\n\t]{0,6}") {
        let mut environment = FakeEnvironment::read(&Path::new(CASES).join("full")).map_err(|error| failed(&*error))?;
        let path = Path::new(FILE).to_owned();
        let text = environment.files.get(&path).cloned().unwrap_or_default();
        let mut characters: Vec<char> = text.chars().collect();
        let from = at.min(characters.len());
        let to = (from + length).min(characters.len());
        characters.splice(from..to, with.chars());
        environment.files.insert(path, characters.into_iter().collect());

        let output = match environment.load() {
            Ok(config) => format!("{config:?}"),
            Err(errors) => {
                prop_assert!(!errors.to_string().is_empty());
                errors.to_string()
            }
        };
        prop_assert!(!output.contains(SECRET_MARK), "{}", output);
    }
}

fn failed(error: &dyn Error) -> TestCaseError {
    TestCaseError::fail(error.to_string())
}

/// The configuration is a link to a file that every user can read, and its secret a pipe.
#[test]
fn reads_links_and_pipes_with_the_mode_of_the_target() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("target.yaml");
    let pipe = folder.path().join("pipe");
    let created = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(created.unwrap().success());
    let text = "admin: { token: { file: pipe } }\nproviders:\n  - name: a\n    executor: openai-compatible\n    \
                base-url: http://127.0.0.1:1\n    credentials: [ { id: a, api-key: s3cr3t-a } ]\n    \
                models: [ { name: a } ]\n";
    let link = folder.path().join("config.yaml");
    std::os::unix::fs::symlink("target.yaml", &link).unwrap();
    let load = |text: &str, mode: u32| {
        fs::write(&target, text).unwrap();
        fs::set_permissions(&target, fs::Permissions::from_mode(mode)).unwrap();
        std::thread::scope(|scope| {
            scope.spawn(|| fs::write(&pipe, "s3cr3t-of-the-admin-api\n").unwrap());
            Config::load(&link, &ProcessEnvironment)
        })
    };
    assert!(load(text, 0o640).unwrap().warnings.is_empty());
    let warnings = load(text, 0o644).unwrap().warnings;
    assert!(warnings.concat().contains("chmod o-r"), "{warnings:?}");
    let refused = load(&format!("strict-files: true\n{text}"), 0o644).unwrap_err();
    assert!(refused.to_string().contains("chmod o-r"), "{refused}");
}

/// Variables and files of a case.
struct FakeEnvironment {
    variables: BTreeMap<String, String>,
    files: BTreeMap<PathBuf, String>,
}

impl FakeEnvironment {
    fn read(folder: &Path) -> Result<Self, Box<dyn Error>> {
        let text = fs::read_to_string(folder.join("config.yaml"))?;
        let mut environment = Self {
            variables: BTreeMap::new(),
            files: BTreeMap::from([(PathBuf::from(FILE), text)]),
        };
        let Ok(lines) = fs::read_to_string(folder.join("env")) else {
            return Ok(environment);
        };
        for line in lines.lines() {
            let (name, value) = line.split_once('=').ok_or("a line of `env` has no `=`")?;
            let value = value.replace("\\r", "\r").replace("\\n", "\n");
            if name.starts_with('/') {
                environment.files.insert(name.into(), value);
            } else {
                environment.variables.insert(name.to_owned(), value);
            }
        }
        Ok(environment)
    }

    fn load(&self) -> Result<Config, ConfigErrors> {
        Config::load(Path::new(FILE), self)
    }
}

impl Environment for FakeEnvironment {
    fn var(&self, name: &str) -> Option<String> {
        self.variables.get(name).cloned()
    }

    fn file(&self, path: &Path) -> io::Result<FileText> {
        let text = self.files.get(path).cloned();
        Ok(FileText {
            text: text.ok_or(io::ErrorKind::NotFound)?,
            is_world_readable: path.to_string_lossy().ends_with(WORLD_READABLE),
        })
    }
}

const CASES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/cases/config");
const FILE: &str = "/etc/jackfield/config.yaml";

/// The end of the paths that every user can read.
const WORLD_READABLE: &str = "-world-readable";

/// Every secret of the cases holds it, and nothing else does.
const SECRET_MARK: &str = "s3cr3t";
