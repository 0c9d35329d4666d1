//! The cases of `tests/cases/wild` that name a family: the request that the provider is expected to get must
//! satisfy it.

use jackfield_corpus::cases;
use jackfield_mock_provider::ServerFamily;
use serde_json::Value;

use crate::Outcome;

#[test]
fn expected_requests_of_wild_cases_satisfy_their_families() -> Outcome {
    let (mut refused, mut checked) = (Vec::new(), 0);
    for case in cases()? {
        let Some(name) = &case.family else { continue };
        let family = ServerFamily::all().get(name);
        let family = family.ok_or_else(|| format!("{}: no family {name}", case.name))?;
        assert_eq!(
            family.dialect, case.provider,
            "{}: the family's dialect",
            case.name
        );
        let expectations = case.expectations()?;
        let Some(expected) = expectations.get("request.json") else {
            continue;
        };
        let body: Value = serde_json::from_str(expected)?;
        let model = case
            .model
            .as_deref()
            .or_else(|| case.gemini_path().map(|(model, _)| model));
        checked += 1;
        if let Err(refusal) = family.check(&body, model) {
            let (rule, body) = (refusal.rule, refusal.body);
            refused.push(format!(
                "{}: {name} refuses it by the rule {rule}: {body}",
                case.name
            ));
        }
    }
    assert!(refused.is_empty(), "{}", refused.join("\n"));
    assert!(checked > 0, "no case names a family");
    Ok(())
}
