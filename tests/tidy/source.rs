//! The files of the repository, and what can be seen in their text without a parser.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

/// One text file of the repository.
pub(crate) struct SourceFile {
    /// Its path from the root, with slashes.
    pub(crate) path: String,
    /// All of it.
    pub(crate) text: String,
}

impl SourceFile {
    pub(crate) fn has_extension(&self, extensions: &[&str]) -> bool {
        let extension = Path::new(&self.path).extension();
        extension.is_some_and(|found| extensions.iter().any(|extension| found == *extension))
    }

    /// Whether it is built for tests only, by its name.
    pub(crate) fn is_test(&self) -> bool {
        self.path.ends_with("/tests.rs")
            || ["/tests/", "/benches/"]
                .iter()
                .any(|folder| self.path.contains(folder))
    }
}

/// The root of the repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Every text file that is or would be committed. What git ignores is left out, also where there is
/// no git.
pub(crate) fn files() -> io::Result<Vec<SourceFile>> {
    let root = root();
    let listed = listed_by_git(&root);
    let paths = match listed {
        Some(paths) => paths,
        None => {
            let mut paths = BTreeSet::new();
            walk(&root, "", &mut paths)?;
            paths
        }
    };
    let mut files = Vec::new();
    for path in paths {
        // A file that is deleted but still known to git, or one that is not text, has no rules.
        if let Ok(text) = fs::read_to_string(root.join(&path)) {
            files.push(SourceFile { path, text });
        }
    }
    Ok(files)
}

fn listed_by_git(root: &Path) -> Option<BTreeSet<String>> {
    let arguments = [
        "ls-files",
        "-z",
        "--cached",
        "--others",
        "--exclude-standard",
    ];
    let output = Command::new("git")
        .args(arguments)
        .current_dir(root)
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let paths: BTreeSet<String> = text
        .split('\0')
        .filter(|path| !path.is_empty())
        .map(str::to_owned)
        .collect();
    // Inside a foreign repository git may answer, and know nothing of us.
    (output.status.success() && paths.contains("Cargo.toml")).then_some(paths)
}

fn walk(root: &Path, below: &str, paths: &mut BTreeSet<String>) -> io::Result<()> {
    for entry in fs::read_dir(root.join(below))? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = if below.is_empty() {
            name.clone()
        } else {
            format!("{below}/{name}")
        };
        if entry.file_type()?.is_dir() {
            if !UNTRACKED.contains(&name.as_str()) {
                walk(root, &path, paths)?;
            }
        } else {
            paths.insert(path);
        }
    }
    Ok(())
}

/// A function that a text holds.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Function {
    pub(crate) name: String,
    /// Where it begins, from 1.
    pub(crate) line: usize,
    /// How long it is, with its signature and its closing brace.
    pub(crate) lines: usize,
}

/// The functions with bodies, as rustfmt writes them: the brace that closes a body has the
/// indentation of its `fn`.
pub(crate) fn functions(text: &str) -> Vec<Function> {
    let lines: Vec<&str> = text.lines().collect();
    let mut functions = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        let Some(name) = function_name(line.trim_start()) else {
            continue;
        };
        let indent = line.len() - line.trim_start().len();
        let rest = lines.iter().skip(index);
        let has_body = rest.clone().find_map(|line| {
            let line = line.trim_end();
            if line.ends_with('{') {
                Some(true)
            } else {
                line.ends_with([';', '}']).then_some(false)
            }
        });
        if has_body != Some(true) {
            continue;
        }
        let closes = |line: &&str| line.len() == indent + 1 && line.ends_with('}');
        let length = rest.take_while(|line| !closes(line)).count() + 1;
        functions.push(Function {
            name: name.to_owned(),
            line: index + 1,
            lines: length,
        });
    }
    functions
}

fn function_name(mut line: &str) -> Option<&str> {
    loop {
        if let Some(rest) = line.strip_prefix("fn ") {
            let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_')?;
            return rest.get(..end);
        }
        let (word, rest) = line.split_once(' ')?;
        let known = matches!(
            word,
            "async" | "const" | "default" | "extern" | "pub" | "unsafe"
        );
        if !known && !word.starts_with("pub(") && !word.starts_with('"') {
            return None;
        }
        line = rest;
    }
}

/// The items of a WIT file without a doc comment right above them, by line.
pub(crate) fn undocumented(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut documented = false;
    let mut open = 0;
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with("//") {
            documented = line.starts_with("///");
            continue;
        }
        let inside = open > 0;
        open += line.matches('(').count();
        open = open.saturating_sub(line.matches(')').count());
        let first = line.split([' ', ';']).next().unwrap_or_default();
        let plain = matches!(first, "package" | "use" | "import" | "export" | "include");
        if !inside && !plain && !line.starts_with(['}', '@', ')']) && !documented {
            found.push((index + 1, line.to_owned()));
        }
        documented = documented && line.starts_with('@');
    }
    found
}

/// What `.gitignore` names, and git itself.
const UNTRACKED: [&str; 4] = [".git", "node_modules", "target", "__pycache__"];

#[test]
fn measures_functions() {
    let text = "trait A {\n    fn none(&self);\n    fn one(\n        &self,\n    ) {\n        x();\n    }\n}\n\npub(crate) async fn two() {\n    if a {\n    }\n}\nconst fn three() {}\n";
    let found: Vec<(String, usize, usize)> = functions(text)
        .into_iter()
        .map(|f| (f.name, f.line, f.lines))
        .collect();
    assert_eq!(found, [("one".to_owned(), 3, 5), ("two".to_owned(), 10, 4)]);
}

#[test]
fn finds_undocumented_wit_items() {
    let text = "package a:b;\n/// I.\ninterface i {\n  use t.{x};\n  record r {\n    /// F.\n    f: u8,\n    g: u8,\n  }\n\n  /// C.\n\n  call: func(\n    a: u8,\n  ) -> u8;\n}\n";
    let found: Vec<usize> = undocumented(text)
        .into_iter()
        .map(|(line, _)| line)
        .collect();
    assert_eq!(found, [5, 8, 13]);
}
