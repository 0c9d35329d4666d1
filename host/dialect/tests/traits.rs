//! Checks the built-in rows of traits: each has a source and a case of the corpus that shows it, and the manual lists
//! all. With `UPDATE_GOLDENS=1` in the environment the test writes the tables of the manual.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use jackfield_dialect::traits::{TraitRow, Traits, rows};
use jackfield_dialect::{Dialect, traits};

type Outcome = Result<(), Box<dyn std::error::Error>>;

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/traits.md");
const CASES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/cases/wild");

/// Returns what is wrong with a row.
fn problems(row: &TraitRow) -> Vec<String> {
    let mut found = Vec::new();
    let mut check = |holds: bool, what: String| {
        if !holds {
            found.push(format!("the row `{}` {what}", row.name));
        }
    };
    check(!row.sources.is_empty(), "has no source".to_owned());
    for source in &row.sources {
        let address = &source.address;
        let is_issue = address.split_once('#').is_some_and(|(repository, number)| {
            repository.split('/').count() == 2 && number.parse::<u32>().is_ok()
        });
        let is_page = address.starts_with("https://");
        check(
            is_issue || is_page,
            format!("has the source `{address}`; write `OWNER/REPOSITORY#NUMBER` or a page"),
        );
        let parts: Vec<&str> = source.date.split('-').collect();
        let is_date = parts.len() == 3 && parts.iter().all(|it| it.parse::<u16>().is_ok());
        check(is_date, format!("has the date `{}`", source.date));
    }
    check(!row.cases.is_empty(), "has no case".to_owned());
    for case in &row.cases {
        let exists = Path::new(CASES).join(case).join("case.txt").is_file();
        check(
            exists,
            format!("names the case `{case}`, which does not exist"),
        );
    }
    for dialect in &row.dialects {
        let known = Dialect::parse(dialect).is_some();
        check(known, format!("names the dialect `{dialect}`"));
    }
    check(!row.dialects.is_empty(), "is about no dialect".to_owned());
    check(!row.traits.members().is_empty(), "has no traits".to_owned());
    let relays = row.traits.members();
    check(
        row.server.is_some() || !relays.iter().any(|name| name.starts_with("relay-")),
        "changes relays without naming their server".to_owned(),
    );
    found
}

#[test]
fn every_row_has_source_and_case() {
    let found: Vec<String> = rows().iter().flat_map(problems).collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
    let names: BTreeSet<&str> = rows().iter().map(|row| row.name.as_str()).collect();
    assert_eq!(names.len(), rows().len(), "two rows have one name");
}

#[test]
fn every_member_is_in_some_row_or_in_configurations_only() {
    let set: BTreeSet<String> = rows().iter().flat_map(|row| row.traits.members()).collect();
    let unset: Vec<String> = Traits::MEMBERS
        .iter()
        .map(traits::TraitMember::key)
        .filter(|member| !set.contains(member) && !CONFIGURED_ONLY.contains(&member.as_str()))
        .collect();
    assert_eq!(unset, Vec::<String>::new(), "no row has them");
}

/// Traits that no built-in row sets.
const CONFIGURED_ONLY: &[&str] = &["stop-chars-max", "schema-bounds"];

fn members_table() -> String {
    let mut table = String::from("\n| trait | default | meaning |\n|---|---|---|\n");
    let defaults = Traits::default().shown();
    for member in Traits::MEMBERS {
        let key = member.key();
        let default = defaults.iter().find(|(name, _)| *name == key);
        let default = default.map_or("", |(_, value)| value);
        let meaning = member.description.trim().replace("\n ", " ");
        let _ = writeln!(table, "| `{key}` | `{default}` | {meaning} |");
    }
    table + "\n"
}

fn rows_table() -> String {
    let mut table = String::from(
        "\n| row | dialects | server | hosts | models | traits | sources |\n|---|---|---|---|---|---|---|\n",
    );
    for row in rows() {
        let quoted = |list: &[String]| {
            let list: Vec<String> = list.iter().map(|it| format!("`{it}`")).collect();
            list.join(", ")
        };
        let mut models = quoted(&row.models);
        if !row.except.is_empty() {
            let _ = write!(models, " but {}", quoted(&row.except));
        }
        let set = serde_json::to_value(&row.traits).unwrap_or_default();
        let set = set.as_object().into_iter().flatten();
        let set: Vec<String> = set
            .map(|(name, value)| match value.as_str() {
                Some(word) => format!("{name}: {word}"),
                None => format!("{name}: {value}"),
            })
            .collect();
        let sources: Vec<String> = row
            .sources
            .iter()
            .map(|source| format!("{} ({})", source.address, source.date))
            .collect();
        let _ = writeln!(
            table,
            "| `{}` | {} | {} | {} | {models} | {} | {} |",
            row.name,
            row.dialects.join(", "),
            row.server.as_deref().unwrap_or_default(),
            quoted(&row.hosts),
            set.join("; "),
            sources.join("; "),
        );
    }
    table + "\n"
}

#[test]
fn manual_lists_members_and_rows() -> Outcome {
    let page = fs::read_to_string(PAGE)?;
    let mut expected = page.clone();
    for (mark, table) in [("members", members_table()), ("rows", rows_table())] {
        let (begin, end) = (format!("<!-- {mark} -->\n"), format!("<!-- /{mark} -->"));
        let (before, rest) = expected.split_once(&begin).ok_or(format!("no {begin}"))?;
        let (_, after) = rest.split_once(&end).ok_or(format!("no {end}"))?;
        expected = format!("{before}{begin}{table}{end}{after}");
    }
    if std::env::var_os("UPDATE_GOLDENS").is_some() {
        fs::write(PAGE, &expected)?;
    } else {
        assert_eq!(page, expected, "UPDATE_GOLDENS=1 updates it");
    }
    Ok(())
}
