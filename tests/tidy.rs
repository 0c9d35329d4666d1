//! Rules of the repository that neither the compiler nor clippy keeps. Each test is a rule, and its
//! message says what to change. It needs no network, and of tools only cargo (and git, if it is there).

#[path = "tidy/features.rs"]
mod features;
#[path = "tidy/graph.rs"]
mod graph;
#[path = "tidy/imports.rs"]
mod imports;
#[path = "tidy/source.rs"]
mod source;
#[path = "tidy/tokens.rs"]
mod tokens;
#[path = "tidy/words.rs"]
mod words;

use std::collections::BTreeSet;
use std::error::Error;
use std::fmt;

use source::{SourceFile, functions, undocumented};

type Outcome = Result<(), Box<dyn Error>>;

#[test]
fn files_are_short() -> Outcome {
    let of_code = |file: &&SourceFile| file.has_extension(&["js", "py", "rs", "wit"]);
    let long = |file: &SourceFile| {
        let lines = file.text.lines().count();
        let what = format!(
            "{}: {lines} lines; split it by what its parts are for",
            file.path
        );
        (lines > FILE_LINES_MAX).then_some(what)
    };
    report_violations(source::files()?.iter().filter(of_code).filter_map(long))
}

#[test]
fn functions_are_short() -> Outcome {
    let mut violations = Vec::new();
    for file in source::files()?
        .iter()
        .filter(|file| file.has_extension(&["rs"]))
    {
        for function in functions(&file.text) {
            if function.lines > FUNCTION_LINES_MAX {
                let source::Function { name, line, lines } = function;
                let path = &file.path;
                violations.push(format!(
                    "{path}:{line}: `{name}` has {lines} lines; keep the control flow and move the leaves out"
                ));
            }
        }
    }
    report_violations(violations)
}

#[test]
fn files_have_a_doc_line() -> Outcome {
    let silent = |file: &SourceFile| {
        let what = format!(
            "{}: begin with a `//!` line that says what the file is",
            file.path
        );
        (file.has_extension(&["rs"]) && !file.text.starts_with("//!")).then_some(what)
    };
    report_violations(source::files()?.iter().filter_map(silent))
}

#[test]
fn wit_items_are_documented() -> Outcome {
    let mut violations = Vec::new();
    for file in source::files()?
        .iter()
        .filter(|file| file.has_extension(&["wit"]))
    {
        for (line, item) in undocumented(&file.text) {
            violations.push(format!(
                "{}:{line}: put a `///` line above `{item}`",
                file.path
            ));
        }
    }
    report_violations(violations)
}

#[test]
fn the_architecture_names_every_crate() -> Outcome {
    let files = source::files()?;
    let page = files.iter().find(|file| file.path == ARCHITECTURE);
    let page = page.ok_or_else(|| format!("{ARCHITECTURE} is missing; write it"))?;
    let folder = |file: &SourceFile| {
        Some(
            file.path
                .strip_prefix("host/")?
                .split_once('/')?
                .0
                .to_owned(),
        )
    };
    let folders: BTreeSet<String> = files.iter().filter_map(folder).collect();
    let unnamed = |folder: String| {
        let named = [
            format!("host/{folder}"),
            format!("`{folder}`"),
            format!("`{folder}/`"),
        ];
        let what = format!("{ARCHITECTURE}: say what host/{folder} is for");
        (!named.iter().any(|name| page.text.contains(name))).then_some(what)
    };
    report_violations(folders.into_iter().filter_map(unnamed))
}

#[test]
fn compat_tables_name_existing_tests() -> Outcome {
    let files = source::files()?;
    let sources = rust(&files);
    let mut violations = Vec::new();
    for path in [COMPAT_TABLE, COMPAT_RULES] {
        for row in rows(page(&files, path)?) {
            let unknown = row.tests.iter().filter(|name| {
                let function = format!("fn {name}(");
                !sources.iter().any(|file| file.text.contains(&function))
            });
            violations.extend(unknown.map(|name| format!("{path}: there is no test `{name}`")));
        }
    }
    report_violations(violations)
}

/// Each row of the page is a rule, and proved by a test; and what is named after a rule is in it.
#[test]
fn every_compat_rule_has_a_test() -> Outcome {
    let files = source::files()?;
    let rules = rows(page(&files, COMPAT_RULES)?);
    // The table's head and the line below it name none.
    let untested = rules.iter().filter(|row| row.tests.is_empty());
    let untested = untested.filter(|row| !["Rule", "---"].contains(&row.first.as_str()));
    let mut violations: Vec<String> = untested
        .map(|row| format!("{COMPAT_RULES}: no test proves `{}`", row.first))
        .collect();
    let named: BTreeSet<&String> = rules.iter().flat_map(|row| &row.tests).collect();
    for file in rust(&files) {
        let functions = file.text.split("fn cliproxyapi_compat_1_").skip(1);
        let names = functions
            .filter_map(|rest| Some(format!("cliproxyapi_compat_1_{}", rest.split_once('(')?.0)));
        let missing = names.filter(|name| is_word(name) && !named.contains(name));
        violations.extend(missing.map(|name| format!("{COMPAT_RULES}: `{name}` is missing")));
    }
    report_violations(violations)
}

/// A row of a table that ends with names of tests.
struct Row {
    first: String,
    tests: Vec<String>,
}

fn page<'a>(files: &'a [SourceFile], path: &str) -> Result<&'a SourceFile, String> {
    let page = files.iter().find(|file| file.path == path);
    page.ok_or_else(|| format!("{path} is missing; write it"))
}

fn rows(page: &SourceFile) -> Vec<Row> {
    let row = |line: &str| {
        let cells = line.strip_prefix('|')?.strip_suffix('|')?;
        let (rest, last) = cells.rsplit_once('|')?;
        let first = rest.split('|').next().unwrap_or_default();
        // Every other piece stands between backticks.
        let tests = last.split('`').skip(1).step_by(2);
        Some(Row {
            first: first.trim().to_owned(),
            tests: tests.map(str::to_owned).collect(),
        })
    };
    page.text.lines().filter_map(row).collect()
}

fn rust(files: &[SourceFile]) -> Vec<&SourceFile> {
    let rust = |file: &&SourceFile| file.has_extension(&["rs"]);
    files.iter().filter(rust).collect()
}

fn is_word(text: &str) -> bool {
    text.bytes()
        .all(|byte| byte == b'_' || byte.is_ascii_alphanumeric())
}

#[test]
fn module_names_are_specific() -> Outcome {
    let vague = |file: &SourceFile| {
        let path = &file.path;
        let parts: Vec<&str> = path.trim_end_matches(".rs").split('/').collect();
        if parts.last() == Some(&"mod") {
            return Some(format!(
                "{path}: name it after its folder, beside the folder"
            ));
        }
        let part = parts.into_iter().find(|part| VAGUE_NAMES.contains(part))?;
        Some(format!(
            "{path}: `{part}` says nothing; name it for what it holds"
        ))
    };
    report_violations(
        source::files()?
            .iter()
            .filter(|file| file.has_extension(&["rs"]))
            .filter_map(vague),
    )
}

#[test]
fn the_top_level_is_small() -> Outcome {
    let files = source::files()?;
    let first = |file: &SourceFile| file.path.split('/').next().unwrap_or_default().to_owned();
    let entries: BTreeSet<String> = files.iter().map(first).collect();
    let known = |entry: &String| entry.starts_with('.') || TOP_LEVEL.contains(&entry.as_str());
    let describe = |entry: String| format!("{entry}: move it into one of {}", TOP_LEVEL.join(" "));
    report_violations(
        entries
            .into_iter()
            .filter(|entry| !known(entry))
            .map(describe),
    )
}

/// A merge that was committed before its conflicts were solved has both sides, and no tool reads a page.
#[test]
fn no_conflict_is_committed() -> Outcome {
    let mut violations = Vec::new();
    for file in source::files()? {
        let lines = (1..).zip(file.text.lines());
        let marked =
            lines.filter(|(_, line)| CONFLICT_MARKERS.iter().any(|it| line.starts_with(it)));
        violations.extend(
            marked
                .map(|(line, _)| format!("{}:{line}: solve the conflict of the merge", file.path)),
        );
    }
    report_violations(violations)
}

/// Mirrors and closed networks exist: where packages come from is the user's setting.
#[test]
fn no_registry_is_named() -> Outcome {
    let naming = |file: &SourceFile| {
        let host = REGISTRY_HOSTS
            .iter()
            .find(|host| file.text.contains(*host))?;
        Some(format!(
            "{}: names the registry {host}; leave it to the tool's settings",
            file.path
        ))
    };
    let written = |file: &&SourceFile| !file.path.ends_with(".lock");
    report_violations(source::files()?.iter().filter(written).filter_map(naming))
}

#[test]
fn crates_use_workspace_lints() -> Outcome {
    let lax = |file: &SourceFile| {
        let member = file.path.ends_with("/Cargo.toml");
        let takes = file.text.contains("[lints]\nworkspace = true");
        let what = format!("{}: add `[lints]` with `workspace = true`", file.path);
        (member && !takes).then_some(what)
    };
    report_violations(source::files()?.iter().filter_map(lax))
}

/// Tests hand in a map instead, and nothing depends on a variable in secret.
#[test]
fn only_the_configuration_reads_the_environment() -> Outcome {
    let reads = |file: &SourceFile| {
        let host = file.path.starts_with("host/") && file.path.contains("/src/");
        let allowed = file.path == ENVIRONMENT || file.is_test();
        let what = format!(
            "{}: take the value as an argument; {ENVIRONMENT} reads it",
            file.path
        );
        let found = ["env::var", "env::vars"]
            .iter()
            .any(|name| file.text.contains(name));
        (host && !allowed && file.has_extension(&["rs"]) && found).then_some(what)
    };
    report_violations(source::files()?.iter().filter_map(reads))
}

/// Their tests are plain numbers, and what they do can be replayed.
#[test]
fn the_pure_crates_are_pure() -> Outcome {
    let impure = |file: &SourceFile| {
        let pure = PURE.iter().any(|folder| file.path.starts_with(folder));
        if !pure || file.is_test() || !file.has_extension(&["rs"]) {
            return None;
        }
        let found = IMPURE.iter().find(|name| file.text.contains(*name))?;
        Some(format!(
            "{}: uses {found}; take time, randomness and data as arguments",
            file.path
        ))
    };
    report_violations(source::files()?.iter().filter_map(impure))
}

/// Fails with one line for each thing that breaks a rule.
fn report_violations(violations: impl IntoIterator<Item = String>) -> Outcome {
    let violations: Vec<String> = violations.into_iter().collect();
    if violations.is_empty() {
        Ok(())
    } else {
        Err(Box::new(Violations(violations)))
    }
}

/// What breaks a rule. A failing test shows its `Debug`, which is a line each.
struct Violations(Vec<String>);

impl fmt::Debug for Violations {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl fmt::Display for Violations {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .iter()
            .try_for_each(|line| write!(formatter, "\n  {line}"))
    }
}

impl Error for Violations {}

/// A file that is longer holds more than one thing.
const FILE_LINES_MAX: usize = 500;

/// What fits on a tall screen.
const FUNCTION_LINES_MAX: usize = 70;

/// What git puts before the two sides of a conflict, and after them. The line between them may be a heading.
const CONFLICT_MARKERS: [&str; 2] = ["<<<<<<< ", ">>>>>>> "];

const COMPAT_TABLE: &str = "host/docs/compat/api.md";
const COMPAT_RULES: &str = "host/docs/compat/rules.md";

const ARCHITECTURE: &str = "host/ARCHITECTURE.md";
const ENVIRONMENT: &str = "host/config/src/environment.rs";
const IMPURE: [&str; 8] = [
    "Instant",
    "SystemTime",
    "rand::",
    "std::env",
    "std::fs",
    "std::net",
    "std::thread",
    "tokio",
];
const PURE: [&str; 3] = ["host/credential/", "host/dialect/", "host/login/"];
const TOP_LEVEL: [&str; 9] = [
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "README.md",
    "host",
    "plugins",
    "tests",
    "wit",
];
const VAGUE_NAMES: [&str; 5] = ["common", "helpers", "misc", "util", "utils"];

/// Written in two halves, so that this file does not name them either.
const REGISTRY_HOSTS: [&str; 6] = [
    concat!("crates", ".io"),
    concat!("files.python", "hosted.org"),
    concat!("proxy.golang", ".org"),
    concat!("pypi", ".org"),
    concat!("registry.npm", "js.org"),
    concat!("registry.yarn", "pkg.com"),
];
