//! The example configurations of the manuals: `config check` accepts each of them.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::harness::binary;

#[test]
fn accepts_every_example_configuration() {
    let examples = examples();
    let names: Vec<&str> = examples
        .iter()
        .map(|path| path.file_name().unwrap().to_str().unwrap())
        .collect();
    let expected = [
        "clouds.yaml",
        "jackfield.yaml",
        "minimal.yaml",
        "oauth.yaml",
        "pooled.yaml",
    ];
    assert_eq!(names, expected);
    for path in examples {
        let text = fs::read_to_string(&path).unwrap();
        let mut check = Command::new(binary());
        check.args(["config", "check"]).arg(&path).env_clear();
        for (number, name) in variables(&text).iter().enumerate() {
            // Client keys must differ, and the admin token has at least 16 characters.
            check.env(name, format!("value-of-variable-{number}"));
        }
        let output = check.output().unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{}: {error}", path.display());
    }
}

#[test]
fn names_the_missing_variable_of_an_example() {
    let mut check = Command::new(binary());
    let path = folder().join("minimal.yaml");
    let output = check.args(["config", "check"]).arg(&path).env_clear();
    let output = output.output().unwrap();
    assert_eq!(output.status.code(), Some(78));
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(error.contains("ACME_A is not set"), "{error}");
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/examples")
}

/// The YAML files of the folder, sorted by name.
fn examples() -> Vec<PathBuf> {
    let entries = fs::read_dir(folder()).unwrap();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| {
        path.extension()
            .is_some_and(|extension| extension == "yaml")
    });
    paths.sort();
    paths
}

/// The environment variables that a configuration reads: `{ env: NAME }`.
fn variables(config: &str) -> BTreeSet<&str> {
    let after = config.split("env: ").skip(1);
    after
        .filter_map(|rest| rest.split([' ', '}', '\n']).next())
        .collect()
}
