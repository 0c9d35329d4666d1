//! Where the families and Jackfield's table of traits disagree: what a rule needs, and what the table says of
//! the same server. `families/disagreements.txt` lists it.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use jackfield_corpus::text_difference;
use jackfield_dialect::Dialect;
use jackfield_dialect::traits::{TraitScope, resolve};
use jackfield_mock_provider::{FamilyServer, ServerFamily};
use serde_json::Value;

use crate::Outcome;

#[test]
fn the_table_of_traits_keeps_the_rules_of_the_families() -> Outcome {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("families/disagreements.txt");
    let mut found = BTreeSet::new();
    for family in ServerFamily::all().values() {
        for server in &family.servers {
            found.extend(disagreements(family, server)?);
        }
    }
    let found: String = found.into_iter().map(|line| line + "\n").collect();
    if std::env::var_os("UPDATE_GOLDENS").is_some() {
        fs::write(&file, format!("{HEAD}{found}"))?;
    }
    let known = fs::read_to_string(&file)?;
    let known = known.strip_prefix(HEAD).unwrap_or(&known);
    if let Some(difference) = text_difference(known, &found) {
        return Err(format!("{}: {difference}", file.display()).into());
    }
    Ok(())
}

/// The beginning of the file.
const HEAD: &str = "\
# Where the families and Jackfield's table of traits disagree: one of the two is wrong, or the rule is about
# requests that Jackfield never makes. Written by `cargo test -p jackfield-mock-provider --test families` with
# UPDATE_GOLDENS=1 in the environment.

";

fn disagreements(
    family: &ServerFamily,
    server: &FamilyServer,
) -> Result<Vec<String>, Box<dyn std::error::Error>> {
    let scope = TraitScope {
        dialect: Dialect::parse(&family.dialect).ok_or("no such dialect")?,
        server: None,
        authority: &server.authority,
        model: &server.model,
    };
    let resolved = serde_json::to_value(resolve(&scope, &[]).traits)?;
    let mut found = Vec::new();
    for rule in family.all_rules() {
        if !rule.is_about(&server.model) {
            continue;
        }
        for (name, needed) in &rule.traits {
            let value = &resolved[name];
            if !allows(needed, value) {
                found.push(format!(
                    "{} {}: {} needs {name} {needed}, the table has {value}",
                    family.family, server.model, rule.name
                ));
            }
        }
    }
    Ok(found)
}

fn allows(needed: &Value, value: &Value) -> bool {
    let bound = |name: &str| needed[name].as_u64().zip(value.as_u64());
    match needed {
        Value::Array(values) => values.contains(value),
        _ => {
            bound("at-most").is_none_or(|(limit, value)| value <= limit)
                && bound("at-least").is_none_or(|(limit, value)| value >= limit)
                && value.is_u64()
        }
    }
}
