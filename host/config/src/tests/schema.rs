//! The JSON Schema against example files. The validator here knows the keywords that the schema uses, but
//! not `pattern` and `format`.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::{CASES, CaseResult, FILE};
use crate::json_schema;
use crate::key::Kind;
use crate::kinds::Settings;
use crate::reader::{Located, Reader};
use crate::yaml;

#[test]
fn accepts_valid_files() -> CaseResult {
    let mut files: Vec<PathBuf> = Vec::new();
    for folder in fs::read_dir(CASES)? {
        let folder = folder?.path();
        let expected = fs::read_to_string(folder.join("expect.txt"))?;
        if !expected.starts_with(FILE) {
            files.push(folder.join("config.yaml"));
        }
    }
    for file in fs::read_dir(EXAMPLES)? {
        let file = file?.path();
        if file
            .extension()
            .is_some_and(|extension| extension == "yaml")
        {
            files.push(file);
        }
    }
    assert!(files.len() > 12, "{files:?}");
    for file in files {
        let errors = errors(&file)?;
        assert!(errors.is_empty(), "{}: {errors:?}", file.display());
    }
    Ok(())
}

#[test]
fn rejects_what_single_values_show() -> CaseResult {
    for case in [
        "credentials-refused",
        "keys-without-items",
        "many-mistakes",
        "missing-keys",
        "not-a-mapping",
        "numbers",
        "providers-missing",
        "unknown-keys",
        "wrong-shapes",
        "wrong-shapes-inside",
    ] {
        let file = Path::new(CASES).join(case).join("config.yaml");
        assert!(!errors(&file)?.is_empty(), "{case} is accepted");
    }
    Ok(())
}

/// The violations in a file, with the path of each value.
fn errors(file: &Path) -> Result<Vec<String>, Box<dyn Error>> {
    let node = yaml::parse(&fs::read_to_string(file)?).map_err(|error| error.message)?;
    let mut reader = Reader::detached();
    let Some(json) = Settings.read(&mut reader, &Located::root(&node)) else {
        return Ok(vec!["not a mapping".to_owned()]);
    };
    let mut errors = Vec::new();
    check(
        "",
        &serde_json::from_str(&json)?,
        &json_schema(),
        &mut errors,
    );
    Ok(errors)
}

fn check(path: &str, value: &Value, schema: &Value, errors: &mut Vec<String>) {
    let keywords = schema.as_object().unwrap();
    for (keyword, rule) in keywords {
        let holds = match keyword.as_str() {
            "$schema" | "title" | "description" | "default" | "deprecated" | "pattern"
            | "format" => true,
            "type" => texts(rule).any(|name| is_type(name, value)),
            "const" => value == rule,
            "enum" => rule.as_array().is_some_and(|words| words.contains(value)),
            "minimum" => value.as_f64() >= rule.as_f64() || !value.is_number(),
            "maximum" => value.as_f64() <= rule.as_f64() || !value.is_number(),
            "minLength" => length(value).is_none_or(|found| Some(found) >= rule.as_u64()),
            "maxLength" => length(value).is_none_or(|found| Some(found) <= rule.as_u64()),
            "minItems" => value
                .as_array()
                .is_none_or(|items| Some(items.len() as u64) >= rule.as_u64()),
            "required" => texts(rule).all(|key| value.get(key).is_some() || !value.is_object()),
            "anyOf" => rule.as_array().into_iter().flatten().any(|schema| {
                let mut errors = Vec::new();
                check(path, value, schema, &mut errors);
                errors.is_empty()
            }),
            "items" => {
                for item in value.as_array().into_iter().flatten() {
                    check(&format!("{path}[]"), item, rule, errors);
                }
                true
            }
            "properties" => {
                for (key, member) in value.as_object().into_iter().flatten() {
                    if let Some(schema) = rule.get(key) {
                        check(&format!("{path}.{key}"), member, schema, errors);
                    }
                }
                true
            }
            "additionalProperties" => {
                let listed = keywords.get("properties").and_then(Value::as_object);
                check_additional(path, value, listed, rule, errors);
                true
            }
            unknown => panic!("this validator does not know `{unknown}`"),
        };
        if !holds {
            errors.push(format!("{path}: {keyword} {rule}"));
        }
    }
}

fn check_additional(
    path: &str,
    value: &Value,
    listed: Option<&Map<String, Value>>,
    rule: &Value,
    errors: &mut Vec<String>,
) {
    for (key, member) in value.as_object().into_iter().flatten() {
        if listed.is_some_and(|listed| listed.contains_key(key)) {
            continue;
        }
        let path = format!("{path}.{key}");
        match rule {
            Value::Bool(false) => errors.push(format!("{path}: unknown key")),
            schema => check(&path, member, schema, errors),
        }
    }
}

/// One text, or each text of a list.
fn texts(rule: &Value) -> impl Iterator<Item = &str> {
    let list = rule.as_array().into_iter().flatten();
    list.chain(rule.is_string().then_some(rule))
        .filter_map(Value::as_str)
}

fn is_type(name: &str, value: &Value) -> bool {
    match name {
        "array" => value.is_array(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "object" => value.is_object(),
        "string" => value.is_string(),
        unknown => panic!("this validator does not know the type `{unknown}`"),
    }
}

fn length(value: &Value) -> Option<u64> {
    Some(value.as_str()?.chars().count() as u64)
}

const EXAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/examples");
