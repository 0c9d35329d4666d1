//! The tables of `host/docs/configuration.md` come from the table of keys. Each follows a line
//! `<!-- keys: NAMES -->` with the names of top-level keys or of sections. `UPDATE_GOLDENS=1` writes them.

use std::fs;

use super::CaseResult;
use crate::key::{Row, Section};
use crate::keys::{ROOT, models, providers};

#[test]
fn manual_matches_table_of_keys() -> CaseResult {
    let page = fs::read_to_string(MANUAL)?;
    let mut expected = String::new();
    let mut lines = page.lines();
    let mut named = Vec::new();
    while let Some(line) = lines.next() {
        expected.push_str(line);
        expected.push('\n');
        let marker = line.strip_prefix(BEGIN);
        let Some(marker) = marker.and_then(|rest| rest.strip_suffix(" -->")) else {
            continue;
        };
        if marker == RESTART {
            expected.push_str(&restart_list());
        } else {
            let names: Vec<&str> = marker.split(' ').collect();
            expected.push_str(&table(&names)?);
            named.extend(names);
        }
        // The old text is replaced.
        assert!(
            lines.any(|line| line == END),
            "after `{line}` there is no `{END}`"
        );
        expected.push_str(END);
        expected.push('\n');
    }
    named.sort_unstable();
    let mut all: Vec<&str> = ROOT.rows().map(Row::name).collect();
    all.extend(SECTIONS.iter().map(|section| section.path));
    all.sort_unstable();
    assert_eq!(named, all, "each key has one place in {MANUAL}");
    if std::env::var_os("UPDATE_GOLDENS").is_some() {
        fs::write(MANUAL, &expected)?;
    } else {
        assert_eq!(page, expected, "run with UPDATE_GOLDENS=1");
    }
    Ok(())
}

fn table(names: &[&str]) -> Result<String, String> {
    let mut out = "\n| key | default | meaning |\n|---|---|---|\n".to_owned();
    for name in names {
        if let Some(section) = SECTIONS.iter().find(|section| section.path == *name) {
            rows(section, &mut out);
        } else {
            let key = ROOT.rows().find(|key| key.name() == *name);
            let key = key.ok_or_else(|| format!("there is no key `{name}`"))?;
            row("", key, &mut out);
        }
    }
    out.push('\n');
    Ok(out)
}

fn rows(section: &Section, out: &mut String) {
    for key in section.rows() {
        row(section.path, key, out);
    }
}

/// The row of a key, and those of the keys below it that have no table of their own.
fn row(parent: &str, key: &dyn Row, out: &mut String) {
    let path = path(parent, key);
    let (absent, meaning) = (key.absent(), key.meaning());
    out.push_str(&format!("| `{path}` | {absent} | {meaning} |\n"));
    if let Some(section) = key.section()
        && section.path.starts_with(&path)
    {
        rows(section, out);
    }
}

fn path(parent: &str, key: &dyn Row) -> String {
    match parent {
        "" => key.name().to_owned(),
        parent => format!("{parent}.{}", key.name()),
    }
}

fn restart_list() -> String {
    let mut names = Vec::new();
    restart_names(&ROOT, &mut names);
    format!("\n{}.\n\n", names.join(", "))
}

fn restart_names(section: &Section, names: &mut Vec<String>) {
    for key in section.rows() {
        let path = path(section.path, key);
        match (key.needs_restart(), key.section()) {
            (true, Some(_)) => names.push(format!("the presence of `{path}`")),
            (true, None) => names.push(format!("`{path}`")),
            (false, _) => {}
        }
        if let Some(section) = key.section() {
            restart_names(section, names);
        }
    }
}

static SECTIONS: [&Section; 2] = [&providers::credential::SECTION, &models::model::SECTION];

const MANUAL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/configuration.md");
const BEGIN: &str = "<!-- keys: ";
const END: &str = "<!-- end -->";

/// The marker of the list of keys that need a restart.
const RESTART: &str = "those that need a restart";
