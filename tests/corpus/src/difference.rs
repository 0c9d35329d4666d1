//! Differences between what is expected and what was found, for people who read a failed test.

use std::fmt::Write as _;

use crate::json_text::{JsonText, quoted};

/// Compares two JSON values: the order of members does not count. `None` if they are equal.
#[must_use]
pub fn json_difference(expected: &JsonText, found: &JsonText) -> Option<String> {
    let mut lines = Vec::new();
    compare("", expected, found, &mut lines);
    if lines.is_empty() {
        return None;
    }
    let more = lines.len().saturating_sub(LINES_MAX);
    lines.truncate(LINES_MAX);
    if more > 0 {
        lines.push(format!(".. and {more} more"));
    }
    Some(lines.join("\n"))
}

/// Compares two texts line by line. `None` if they are equal.
#[must_use]
pub fn text_difference(expected: &str, found: &str) -> Option<String> {
    if expected == found {
        return None;
    }
    let (old, new): (Vec<&str>, Vec<&str>) =
        (expected.split('\n').collect(), found.split('\n').collect());
    let same = old.iter().zip(&new).take_while(|(old, new)| old == new);
    let start = same.count();
    let (old_rest, new_rest) = (&old[start..], &new[start..]);
    let pairs = old_rest.iter().rev().zip(new_rest.iter().rev());
    let end = pairs.take_while(|(old, new)| old == new).count();
    let mut text = format!("from line {}\n", start + 1);
    let mut list = |mark: char, lines: &[&str]| {
        for line in lines.iter().take(LINES_MAX) {
            let _ = writeln!(text, "{mark} {}", line.escape_debug());
        }
        if lines.len() > LINES_MAX {
            let _ = writeln!(text, "{mark} .. and {} more lines", lines.len() - LINES_MAX);
        }
    };
    list('-', &old_rest[..old_rest.len() - end]);
    list('+', &new_rest[..new_rest.len() - end]);
    Some(text.trim_end().to_owned())
}

/// The most lines of one difference.
const LINES_MAX: usize = 40;

fn compare(path: &str, expected: &JsonText, found: &JsonText, lines: &mut Vec<String>) {
    match (expected, found) {
        (JsonText::Object(old), JsonText::Object(new)) => {
            for (name, value) in old {
                let path = format!("{path}/{name}");
                match new.iter().find(|(other, _)| other == name) {
                    Some((_, other)) => compare(&path, value, other, lines),
                    None => lines.push(format!("- {path}: {}", one_line(value))),
                }
            }
            for (name, value) in new {
                if !old.iter().any(|(other, _)| other == name) {
                    lines.push(format!("+ {path}/{name}: {}", one_line(value)));
                }
            }
        }
        (JsonText::List(old), JsonText::List(new)) => {
            for index in 0..old.len().max(new.len()) {
                let path = format!("{path}/{index}");
                match (old.get(index), new.get(index)) {
                    (Some(old), Some(new)) => compare(&path, old, new, lines),
                    (Some(old), None) => lines.push(format!("- {path}: {}", one_line(old))),
                    (None, Some(new)) => lines.push(format!("+ {path}: {}", one_line(new))),
                    (None, None) => {}
                }
            }
        }
        (old, new) if old == new => {}
        (old, new) => {
            lines.push(format!("- {path}: {}", one_line(old)));
            lines.push(format!("+ {path}: {}", one_line(new)));
        }
    }
}

fn one_line(value: &JsonText) -> String {
    match value {
        JsonText::Scalar(text) => text.clone(),
        JsonText::String(text) => quoted(text),
        JsonText::List(items) => {
            let items: Vec<String> = items.iter().map(one_line).collect();
            format!("[{}]", items.join(","))
        }
        JsonText::Object(members) => {
            let member = |(name, value): &(String, JsonText)| {
                format!("{}:{}", quoted(name), one_line(value))
            };
            let members: Vec<String> = members.iter().map(member).collect();
            format!("{{{}}}", members.join(","))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_the_members_that_differ() -> Result<(), String> {
        let read = |text: &str| JsonText::read(text.as_bytes());
        let expected = read(r#"{"a":[1,{"b":2}],"c":3}"#)?;
        assert_eq!(
            json_difference(&expected, &read(r#"{"c":3,"a":[1,{"b":2}]}"#)?),
            None
        );
        let found = read(r#"{"a":[1,{"b":"2"},4],"d":[]}"#)?;
        let lines = "- /a/1/b: 2\n+ /a/1/b: \"2\"\n+ /a/2: 4\n- /c: 3\n+ /d: []";
        assert_eq!(json_difference(&expected, &found).as_deref(), Some(lines));
        Ok(())
    }

    #[test]
    fn shows_the_lines_that_differ() {
        assert_eq!(text_difference("a\nb\nc", "a\nb\nc"), None);
        let text = "from line 2\n- b\n+ x\n+ y";
        assert_eq!(
            text_difference("a\nb\nc", "a\nx\ny\nc").as_deref(),
            Some(text)
        );
    }
}
