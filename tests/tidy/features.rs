//! Features of dependencies: the tests of one crate use the same builds of them as all tests do.

use std::collections::BTreeSet;
use std::error::Error;
use std::fs;
use std::process::Command;

use crate::graph::{metadata, platform, text, texts};
use crate::source::root;
use crate::{Outcome, report_violations};

#[test]
fn each_crate_tests_with_the_features_of_all() -> Outcome {
    if !is_generated_for_this_platform()? {
        return Ok(());
    }
    let all = resolve(&[], WITH_TESTS)?;
    let mut wrong = Vec::new();
    for member in default_members()? {
        if WITHOUT_LIST.contains(&member.as_str()) {
            continue;
        }
        let alone = resolve(&["--package", &member], WITH_TESTS)?;
        let different: Vec<String> = alone.difference(&all).map(Build::to_string).collect();
        if different.is_empty() {
            continue;
        }
        let listed = alone.iter().any(|build| build.package.starts_with(LIST));
        let cure = if listed {
            "run `cargo hakari generate` (first `cargo install cargo-hakari --locked`)".to_owned()
        } else {
            format!("add `{LIST}.workspace = true` to its [dev-dependencies]")
        };
        let different = different.join("; ");
        wrong.push(format!(
            "`cargo test -p {member}` compiles dependencies that `cargo test` has with other \
             features; {cure}: {different}"
        ));
    }
    report_violations(wrong)
}

/// Both ways to build the binary: alone, and with the other default members.
#[test]
fn the_binary_builds_with_the_features_of_the_tests() -> Outcome {
    let tests = resolve(&[], WITH_TESTS)?;
    let mut wrong = BTreeSet::new();
    for selection in [[].as_slice(), &["--package", "jackfield"]] {
        for build in resolve(selection, WITHOUT_TESTS)?.difference(&tests) {
            let name = build.package.split(' ').next().unwrap_or_default();
            if !ONLY_FOR_TESTS.contains(&name) {
                wrong.insert(format!(
                    "`cargo run` compiles {build} again after `cargo test`, since a \
                     [dev-dependencies] table asks for more features; if wasmtime does not depend \
                     on it, list it in tests/tidy/features.rs, else ask for them in [dependencies] too"
                ));
            }
        }
    }
    report_violations(wrong)
}

/// A package with the features that it is compiled with.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Build {
    /// Name and version.
    package: String,
    features: String,
}

impl std::fmt::Display for Build {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} [{}]", self.package, self.features)
    }
}

/// Returns what cargo would compile for a selection of crates.
fn resolve(selection: &[&str], edges: &str) -> Result<BTreeSet<Build>, Box<dyn Error>> {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--locked", "--offline", "--prefix", "none"])
        .args(["--format", "{p}|{f}", "--edges", edges])
        .args(selection)
        .current_dir(root())
        .output()?;
    if !output.status.success() {
        let problem = String::from_utf8_lossy(&output.stderr);
        return Err(format!("cargo tree failed: {problem}").into());
    }
    let build = |line: &str| {
        // ` (*)` marks a package whose dependencies were listed before.
        let (package, features) = line.trim_end_matches(" (*)").split_once('|')?;
        Some(Build {
            package: package.to_owned(),
            features: features.to_owned(),
        })
    };
    let lines = String::from_utf8(output.stdout)?;
    Ok(lines.lines().filter_map(build).collect())
}

fn default_members() -> Result<Vec<String>, Box<dyn Error>> {
    let metadata = metadata()?;
    let ids: BTreeSet<&str> = texts(&metadata["workspace_default_members"]).collect();
    let packages = metadata["packages"]
        .as_array()
        .ok_or("cargo metadata has no packages")?;
    let members = packages
        .iter()
        .filter(|package| ids.contains(text(&package["id"])));
    Ok(members
        .map(|package| text(&package["name"]).to_owned())
        .collect())
}

/// cargo-hakari lists only the dependencies of the platforms that it is configured for.
fn is_generated_for_this_platform() -> Result<bool, Box<dyn Error>> {
    let configuration = fs::read_to_string(root().join(".config/hakari.toml"))?;
    Ok(configuration.contains(&format!("\"{}\"", platform()?)))
}

/// The crate that lists the features.
const LIST: &str = "jackfield-workspace-hack";

/// Few, small dependencies: with the list, their tests would have to build tokio first.
const WITHOUT_LIST: [&str; 6] = [
    "jackfield-choice",
    "jackfield-corpus",
    "jackfield-credential",
    "jackfield-dialect",
    "jackfield-plugin-build",
    "jackfield-test-support",
];

/// The binary must not have tokio's `test-util`. wasmtime does not depend on tokio.
const ONLY_FOR_TESTS: [&str; 1] = ["tokio"];

/// The edges that `cargo build` follows.
const WITHOUT_TESTS: &str = "normal,build";

/// The edges that `cargo test` follows.
const WITH_TESTS: &str = "normal,build,dev";
