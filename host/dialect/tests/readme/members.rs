//! Members of a client's request that no other provider can be told: each with the least request that has
//! it. The tables of the README name them, and none besides.

use jackfield_dialect::ir::TranslationReport;
use jackfield_dialect::{Dialect, RequestHead};
use serde_json::{Map, Value};

use crate::{Outcome, README};

/// A line of `members.txt`: a dialect, what becomes of the member, the name that the client is told, and
/// the members that are laid over the least request.
struct Case {
    dialect: Dialect,
    dropped: bool,
    field: &'static str,
    members: Map<String, Value>,
}

const CASES: &str = include_str!("members.txt");

fn cases() -> Outcome<Vec<Case>> {
    let lines = CASES
        .lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty());
    lines
        .map(|line| case(line).map_err(|error| format!("{line}: {error}").into()))
        .collect()
}

fn case(line: &'static str) -> Outcome<Case> {
    let mut words = line.splitn(4, ' ');
    let mut next = || words.next().ok_or("too short");
    Ok(Case {
        dialect: Dialect::parse(next()?).ok_or("no such dialect")?,
        dropped: match next()? {
            "dropped" => true,
            "rejected" => false,
            _ => return Err("must be `dropped` or `rejected`".into()),
        },
        field: next()?,
        members: serde_json::from_str(next()?)?,
    })
}

/// The least request, with some members laid over it.
fn body(dialect: Dialect, members: &Map<String, Value>) -> Outcome<Vec<u8>> {
    let least = match dialect {
        Dialect::AnthropicMessages => {
            r#"{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"a"}]}"#
        }
        Dialect::Gemini => r#"{"contents":[{"parts":[{"text":"a"}]}]}"#,
        Dialect::OpenaiChat => r#"{"model":"m","messages":[{"role":"user","content":"a"}]}"#,
        Dialect::OpenaiCompletions => r#"{"model":"m","prompt":"a"}"#,
        Dialect::OpenaiResponses => r#"{"model":"m","input":"a"}"#,
    };
    let mut body: Map<String, Value> = serde_json::from_str(least)?;
    body.extend(members.clone());
    Ok(serde_json::to_vec(&body)?)
}

#[test]
fn losses_are_reported_by_field() -> Outcome<()> {
    let mut failures = Vec::new();
    for case in cases()? {
        let dialect = case.dialect;
        let body = body(dialect, &case.members)?;
        let mut report = TranslationReport::default();
        let head = RequestHead::from_path("m", false)?;
        let read = dialect.codec().decode_request(&body, &head, &mut report);
        let (dropped, named) = match read {
            Ok(_) => {
                let warnings = report.into_warnings().into_iter();
                (true, warnings.map(|warning| warning.field).collect())
            }
            Err(error) => (false, vec![error.field]),
        };
        if dropped != case.dropped || named != [case.field] {
            let word = if dropped { "dropped" } else { "rejected" };
            failures.push(format!("{dialect} {word} {named:?}, not {}", case.field));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    Ok(())
}

/// The rows of the tables in a dialect's part of the README that say what is dropped or rejected.
fn rows(readme: &str, dialect: Dialect) -> Vec<&str> {
    let title = format!("## From a client of `{dialect}`\n");
    let part = readme.split_once(&title).map_or("", |(_, after)| after);
    let part = part.split("\n## ").next().unwrap_or_default();
    let is_lost = |line: &&str| {
        let fate = line.split('|').nth(2).unwrap_or_default().trim();
        fate.starts_with("dropped") || fate.starts_with("rejected")
    };
    let lines = part.lines().filter(|line| line.starts_with('|'));
    lines.filter(is_lost).collect()
}

/// The names in backticks in a row's first column: the last of a path, without the value after it.
fn names(row: &str) -> impl Iterator<Item = &str> {
    let first = row.split('|').nth(1).unwrap_or_default();
    let quoted = first.split('`').skip(1).step_by(2);
    let names = quoted.filter_map(|text| text.split([':', ' ']).next());
    names.filter_map(|path| path.rsplit(['.', ']']).next())
}

impl Case {
    /// Whether it is about something of this name, which may have a `*` at one end.
    fn is_about(&self, name: &str) -> bool {
        let text = Value::Object(self.members.clone()).to_string();
        match (name.strip_prefix('*'), name.strip_suffix('*')) {
            (Some(end), _) => text.contains(&format!("{end}\"")),
            (_, Some(begin)) => text.contains(&format!("\"{begin}")),
            _ => text.contains(&format!("\"{name}\"")),
        }
    }
}

#[test]
fn readme_tables_and_cases_match() -> Outcome<()> {
    let readme = std::fs::read_to_string(README)?;
    let cases = cases()?;
    let mut failures = Vec::new();
    for dialect in Dialect::ALL {
        let rows = rows(&readme, dialect);
        let of_dialect: Vec<&Case> = cases.iter().filter(|it| it.dialect == dialect).collect();
        let names: Vec<&str> = rows.iter().flat_map(|row| names(row)).collect();
        for name in &names {
            if !of_dialect.iter().any(|case| case.is_about(name)) {
                failures.push(format!("{dialect}: no case of {name}"));
            }
        }
        for case in &of_dialect {
            if !names.iter().any(|name| case.is_about(name)) {
                failures.push(format!("{dialect}: no row for {}", case.field));
            }
        }
        assert!(!names.is_empty(), "{dialect} has no table");
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    Ok(())
}
