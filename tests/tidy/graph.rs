//! The crates that the workspace is built from: who may depend on whom, licences, advisories.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::fs;
use std::process::Command;

use serde_json::Value;

use crate::source::root;
use crate::{Outcome, report_violations};

/// One package of the graph.
struct Package {
    name: String,
    version: String,
    licence: String,
    /// Its folder from the root, for members of the workspace.
    folder: Option<String>,
    /// The ids of what it is built with; dependencies of tests are left out.
    builds_with: BTreeSet<String>,
    /// The ids of what its build script uses.
    build_script: BTreeSet<String>,
}

#[test]
fn dependencies_run_one_way() -> Outcome {
    let packages = packages()?;
    let mut violations = Vec::new();
    for package in packages.values() {
        let Some(folder) = &package.folder else {
            continue;
        };
        let Some(rank) = rank(folder) else {
            violations.push(format!("{folder}: give it a rank in tests/tidy/graph.rs"));
            continue;
        };
        for below in package.builds_with.iter().filter_map(|id| packages.get(id)) {
            let Some(below) = &below.folder else { continue };
            if self::rank(below).is_some_and(|below| !rank.may_use(below)) {
                violations.push(format!(
                    "{folder} depends on {below}, which is not below it"
                ));
            }
        }
        for tool in package
            .build_script
            .iter()
            .filter_map(|id| packages.get(id))
        {
            if tool.folder.as_ref().is_some_and(|tool| tool != BUILD_TOOL) {
                violations.push(format!(
                    "{folder}: its build script may use only {BUILD_TOOL}"
                ));
            }
        }
    }
    report_violations(violations)
}

#[test]
fn large_libraries_are_used_only_by_their_owners() -> Outcome {
    let packages = packages()?;
    let mut violations = Vec::new();
    for package in packages.values() {
        for used in package.builds_with.iter().filter_map(|id| packages.get(id)) {
            let rule = OWNERS.iter().find(|(library, _)| *library == used.name);
            let Some((library, owners)) = rule else {
                continue;
            };
            if !owners.contains(&package.name.as_str()) {
                let owners = owners.join(", ");
                violations.push(format!(
                    "{} depends on {library}; only {owners} may",
                    package.name
                ));
            }
        }
    }
    report_violations(violations)
}

#[test]
fn licences_are_allowed() -> Outcome {
    let refused = |package: &Package| {
        let Package {
            name,
            version,
            licence,
            ..
        } = package;
        let what =
            format!("{name} {version}: the licence `{licence}` is not in the list; replace it");
        (!licence_allowed(licence)).then_some(what)
    };
    report_violations(packages()?.values().filter_map(refused))
}

#[test]
fn no_known_advisories() -> Outcome {
    let lock = fs::read_to_string(root().join("Cargo.lock"))?;
    let advisories = fs::read_to_string(root().join("tests/advisories.txt"))?;
    let compared = advisories
        .lines()
        .find_map(|line| line.strip_prefix("# compared "))
        .ok_or("tests/advisories.txt: a line `# compared YEAR-MONTH-DAY` is needed")?;
    println!("tests/advisories.txt has the advisories up to {compared}");
    let mut violations = Vec::new();
    for line in advisories
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
    {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [name, good, id, subject @ ..] = words.as_slice() else {
            return Err(format!("tests/advisories.txt: four columns are needed: {line}").into());
        };
        for version in locked(&lock, name) {
            if !within(version, good)? {
                let subject = subject.join(" ");
                violations.push(format!(
                    "{name} {version}: {id}, {subject}; update it to {good} (advisories up to {compared})"
                ));
            }
        }
    }
    report_violations(violations)
}

/// All packages by their ids, for this platform at least.
fn packages() -> Result<BTreeMap<String, Package>, Box<dyn Error>> {
    let metadata = metadata()?;
    let nodes = metadata["resolve"]["nodes"]
        .as_array()
        .ok_or("cargo metadata has no nodes")?;
    let listed = metadata["packages"]
        .as_array()
        .ok_or("cargo metadata has no packages")?;
    let members: Vec<&str> = texts(&metadata["workspace_members"]).collect();
    let base = text(&metadata["workspace_root"]);
    let mut packages = BTreeMap::new();
    for package in listed {
        let id = text(&package["id"]);
        let manifest = text(&package["manifest_path"]).replace('\\', "/");
        let folder = manifest
            .strip_prefix(&base.replace('\\', "/"))
            .unwrap_or(&manifest);
        let folder = folder
            .trim_start_matches('/')
            .trim_end_matches("/Cargo.toml");
        let node = nodes.iter().find(|node| text(&node["id"]) == id);
        let used = |kind: Option<&str>| node.map_or_else(BTreeSet::new, |node| edges(node, kind));
        let found = Package {
            name: text(&package["name"]).to_owned(),
            version: text(&package["version"]).to_owned(),
            licence: text(&package["license"]).to_owned(),
            folder: members.contains(&id).then(|| folder.to_owned()),
            builds_with: used(None),
            build_script: used(Some("build")),
        };
        packages.insert(id.to_owned(), found);
    }
    Ok(packages)
}

/// The ids of a node's dependencies of one kind; the kind of normal ones is none.
fn edges(node: &Value, kind: Option<&str>) -> BTreeSet<String> {
    let empty = Vec::new();
    let dependencies = node["deps"].as_array().unwrap_or(&empty);
    let of_kind = |dependency: &&Value| {
        let kinds = dependency["dep_kinds"].as_array().unwrap_or(&empty);
        kinds.iter().any(|found| found["kind"].as_str() == kind)
    };
    dependencies
        .iter()
        .filter(of_kind)
        .map(|found| text(&found["pkg"]).to_owned())
        .collect()
}

/// Asks cargo, of everything if it has everything, else of this platform. On a fresh machine some
/// packages of members that are not built by default may still have to be fetched.
pub(crate) fn metadata() -> Result<Value, Box<dyn Error>> {
    let platform = platform()?;
    let attempts: [&[&str]; 3] = [
        &["--offline"],
        &["--offline", "--filter-platform", &platform],
        &["--filter-platform", &platform],
    ];
    let mut problem = String::new();
    for more in attempts {
        let mut command = Command::new(env!("CARGO"));
        command
            .args(["metadata", "--locked", "--format-version", "1"])
            .args(more);
        let output = command.current_dir(root()).output()?;
        if output.status.success() {
            return Ok(serde_json::from_slice(&output.stdout)?);
        }
        problem = String::from_utf8_lossy(&output.stderr).into_owned();
    }
    Err(format!("cargo metadata failed; is Cargo.lock up to date? {problem}").into())
}

pub(crate) fn platform() -> Result<String, Box<dyn Error>> {
    let output = Command::new("rustc")
        .arg("-vV")
        .current_dir(root())
        .output()?;
    let text = String::from_utf8(output.stdout)?;
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.ok_or("rustc -vV does not name its host")?.to_owned())
}

pub(crate) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

pub(crate) fn texts(value: &Value) -> impl Iterator<Item = &str> {
    value.as_array().into_iter().flatten().map(text)
}

/// Where a member stands. The host and its guests share no code, only the contract in `wit/`.
#[derive(Clone, Copy)]
enum Rank {
    Guest(u8),
    Host(u8),
    Tool,
}

impl Rank {
    fn may_use(self, below: Self) -> bool {
        match (self, below) {
            (Self::Guest(above), Self::Guest(below)) | (Self::Host(above), Self::Host(below)) => {
                above > below
            }
            (Self::Guest(_) | Self::Host(_) | Self::Tool, _) => false,
        }
    }
}

fn rank(folder: &str) -> Option<Rank> {
    match folder {
        "host/credential" | "host/dialect" | "host/files" | "host/login" | "host/watch" => {
            Some(Rank::Host(0))
        }
        "host/auth" => Some(Rank::Host(1)),
        "host/dispatch" | "host/store" => Some(Rank::Host(2)),
        "host/config" | "host/http" | "host/runtime" => Some(Rank::Host(3)),
        "host/admin" => Some(Rank::Host(4)),
        "host/cli" => Some(Rank::Host(5)),
        // The binary's demo calls it. It knows no other crate, so it is a second opinion on the dialects.
        "tests/mock-provider" => Some(Rank::Host(0)),
        BUILD_TOOL => Some(Rank::Tool),
        "plugins/choice" | "plugins/sdk" => Some(Rank::Guest(0)),
        _ if folder.starts_with("plugins/") || folder.starts_with("tests/") => Some(Rank::Guest(1)),
        _ => None,
    }
}

/// Whether an SPDX expression can be met by the list: one side of each `OR`, both of each `AND`.
/// Older manifests write `/` for `OR`.
fn licence_allowed(expression: &str) -> bool {
    let spaced = expression
        .replace('/', " OR ")
        .replace('(', " ( ")
        .replace(')', " ) ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut rest = words.as_slice();
    !rest.is_empty() && any_allowed(&mut rest) && rest.is_empty()
}

fn any_allowed(rest: &mut &[&str]) -> bool {
    let mut allowed = all_allowed(rest);
    while let ["OR", after @ ..] = *rest {
        *rest = after;
        // Both sides are read in any case.
        allowed |= all_allowed(rest);
    }
    allowed
}

fn all_allowed(rest: &mut &[&str]) -> bool {
    let mut allowed = one_allowed(rest);
    while let ["AND", after @ ..] = *rest {
        *rest = after;
        allowed &= one_allowed(rest);
    }
    allowed
}

fn one_allowed(rest: &mut &[&str]) -> bool {
    match *rest {
        ["(", after @ ..] => {
            *rest = after;
            let allowed = any_allowed(rest);
            *rest = rest.strip_prefix(&[")"]).unwrap_or(&[]);
            allowed
        }
        [licence, "WITH", exception, after @ ..] => {
            *rest = after;
            LICENCES.contains(&format!("{licence} WITH {exception}").as_str())
        }
        [licence, after @ ..] => {
            *rest = after;
            LICENCES.contains(licence)
        }
        [] => false,
    }
}

/// The versions of a crate in the text of Cargo.lock.
fn locked<'l>(lock: &'l str, name: &str) -> Vec<&'l str> {
    let heading = format!("name = \"{name}\"");
    let version = |block: &'l str| {
        let named = block.lines().any(|line| line == heading);
        let line = block
            .lines()
            .find_map(|line| line.strip_prefix("version = "))?;
        named.then(|| line.trim_matches('"'))
    };
    lock.split("[[package]]").filter_map(version).collect()
}

/// Whether a version is in one of the ranges. What follows `-` or `+` in it is ignored.
fn within(version: &str, ranges: &str) -> Result<bool, Box<dyn Error>> {
    let version = triple(version.split(['-', '+']).next().unwrap_or_default())?;
    for range in ranges.split('|') {
        let mut inside = true;
        for bound in range.split(',') {
            inside &= match (bound.strip_prefix(">="), bound.strip_prefix('<')) {
                (Some(least), _) => version >= triple(least)?,
                (None, Some(end)) => version < triple(end)?,
                (None, None) => return Err(format!("`{bound}` must begin with >= or <").into()),
            };
        }
        if inside {
            return Ok(true);
        }
    }
    Ok(false)
}

fn triple(version: &str) -> Result<Vec<u64>, Box<dyn Error>> {
    let numbers: Vec<u64> = version
        .split('.')
        .map(str::parse)
        .collect::<Result<_, _>>()?;
    if numbers.len() == 3 {
        Ok(numbers)
    } else {
        Err(format!("`{version}` has not three numbers").into())
    }
}

const BUILD_TOOL: &str = "plugins/build";

/// As `.deny.toml` has them.
const LICENCES: [&str; 11] = [
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "CC0-1.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

/// As `.deny.toml` has them.
const OWNERS: [(&str, &[&str]); 8] = [
    (
        "axum",
        &[
            "jackfield-admin",
            "jackfield-http",
            "jackfield-mock-provider",
        ],
    ),
    (
        "hyper",
        &[
            "axum",
            "hyper-rustls",
            "hyper-util",
            "jackfield-http",
            "reqwest",
        ],
    ),
    ("native-tls", &[]),
    ("openssl-sys", &[]),
    (
        "reqwest",
        &[
            "jackfield-admin",
            "jackfield-http",
            "jackfield-mock-provider",
        ],
    ),
    ("rusqlite", &["jackfield-store"]),
    (
        "wasmtime",
        &["jackfield-runtime", "wasmtime-wasi", "wasmtime-wasi-io"],
    ),
    ("wasmtime-wasi", &["jackfield-runtime"]),
];

#[test]
fn parses_licence_expressions() {
    for allowed in [
        "MIT",
        "MIT/GPL-3.0",
        "(MIT OR GPL-3.0) AND ISC",
        "Apache-2.0 WITH LLVM-exception",
    ] {
        assert!(licence_allowed(allowed), "{allowed}");
    }
    for refused in ["", "GPL-3.0", "MIT AND GPL-3.0", "ISC WITH LLVM-exception"] {
        assert!(!licence_allowed(refused), "{refused}");
    }
}

#[test]
fn parses_version_ranges() -> Outcome {
    for good in ["48.0.8", "48.10.0", "49.0.1", "1.0.0", "48.0.8+local"] {
        assert!(within(good, ">=48.0.8,<49.0.0|>=49.0.1|<2.0.0")?, "{good}");
    }
    for bad in ["48.0.7", "49.0.0", "2.0.0"] {
        assert!(!within(bad, ">=48.0.8,<49.0.0|>=49.0.1|<2.0.0")?, "{bad}");
    }
    assert!(within("48.0.8", "48.0.8").is_err());
    Ok(())
}
