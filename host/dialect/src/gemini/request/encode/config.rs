//! Encodes `generationConfig`.

use serde_json::{Map, Value, json};

use crate::gemini::reasoning::LEVELS;
use crate::ir::{Effort, Format, Reasoning, Request, TranslationReport, loss};
use crate::traits::{ThinkingForm, ThinkingOff, Traits};

/// Encodes what the request sets; empty if it sets nothing.
pub(crate) fn encode(
    request: &Request,
    traits: &Traits,
    report: &mut TranslationReport,
) -> Map<String, Value> {
    let sampling = &request.sampling;
    let mut config = Map::new();
    let mut set = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            config.insert(name.to_owned(), value);
        }
    };
    set("temperature", sampling.temperature.map(Value::from));
    set("topP", sampling.top_p.map(Value::from));
    set("topK", sampling.top_k.map(Value::from));
    set("maxOutputTokens", sampling.tokens_max.map(Value::from));
    set("stopSequences", stops(&request.stop, report));
    set(
        "seed",
        sampling.seed.map(|seed| seed32(seed, report).into()),
    );
    set(
        "presencePenalty",
        sampling.presence_penalty.map(Value::from),
    );
    set(
        "frequencyPenalty",
        sampling.frequency_penalty.map(Value::from),
    );
    match &request.format {
        Format::Text => {}
        Format::Json => set("responseMimeType", Some("application/json".into())),
        Format::Schema {
            schema,
            description,
            ..
        } => {
            set("responseMimeType", Some("application/json".into()));
            set(
                "responseJsonSchema",
                Some(with_description(schema, description.as_deref())),
            );
        }
    }
    let thinking = request
        .reasoning
        .map(|reasoning| thinking(traits, reasoning, report));
    set(
        "thinkingConfig",
        thinking.filter(|it| !it.is_empty()).map(Value::Object),
    );
    config
}

fn stops(stops: &[String], report: &mut TranslationReport) -> Option<Value> {
    if stops.len() > STOPS_MAX {
        report.warn("stop", "changed: only the first 5 stop sequences are sent");
    }
    let sent = stops.get(..STOPS_MAX).unwrap_or(stops);
    (!sent.is_empty()).then(|| json!(sent))
}

/// Returns the seed, cut to 31 bits if it does not have 32 bits as in the API.
fn seed32(seed: i64, report: &mut TranslationReport) -> i32 {
    i32::try_from(seed).unwrap_or_else(|_| {
        report.warn("seed", "changed: only the low 31 bits are sent");
        i32::try_from(seed & i64::from(i32::MAX)).unwrap_or(i32::MAX)
    })
}

/// Returns the schema with the description, unless it has one itself.
fn with_description(schema: &Value, description: Option<&str>) -> Value {
    let mut schema = schema.clone();
    if let (Some(members), Some(description)) = (schema.as_object_mut(), description) {
        let entry = members.entry("description");
        entry.or_insert_with(|| description.into());
    }
    schema
}

/// Encodes `thinkingConfig`: a level or a budget in tokens, as the model takes it.
pub(crate) fn thinking(
    traits: &Traits,
    reasoning: Reasoning,
    report: &mut TranslationReport,
) -> Map<String, Value> {
    let mut config = Map::new();
    match reasoning.effort {
        Some(effort) if traits.thinking == ThinkingForm::Effort => {
            let level = level(traits, effort, report);
            config.insert("thinkingLevel".to_owned(), level.into());
        }
        effort => {
            let budget = reasoning
                .budget_tokens
                .or(effort.map(Effort::budget_tokens));
            if let Some(budget) = budget {
                let field = match reasoning.budget_tokens {
                    Some(_) => loss::BUDGET,
                    None => loss::EFFORT,
                };
                let budget = clamp_budget(traits, budget, field, report);
                config.insert("thinkingBudget".to_owned(), budget.into());
            }
        }
    }
    if let Some(shown) = reasoning.shown {
        config.insert("includeThoughts".to_owned(), shown.into());
    }
    config
}

/// Returns the nearest thinking level of the model.
fn level(traits: &Traits, effort: Effort, report: &mut TranslationReport) -> Option<&'static str> {
    let available = match effort {
        // There is no level without thinking.
        Effort::None | Effort::Minimal if traits.effort_minimal => Effort::Minimal,
        Effort::None | Effort::Minimal => Effort::Low,
        Effort::Max => Effort::High,
        Effort::Low | Effort::Medium | Effort::High => effort,
    };
    if available != effort {
        report.warn(loss::EFFORT, "changed: to the nearest level of the model");
    }
    let known = LEVELS.iter().find(|(_, known)| *known == available);
    known.map(|(name, _)| *name)
}

fn clamp_budget(
    traits: &Traits,
    budget: u64,
    field: &'static str,
    report: &mut TranslationReport,
) -> u64 {
    if budget == 0 && traits.thinking_off != ThinkingOff::Never {
        return 0;
    }
    let least = u64::from(traits.thinking_budget_min);
    let clamped = budget.clamp(least, u64::from(traits.thinking_budget_max).max(least));
    if clamped != budget {
        report.warn(field, "changed: to the nearest budget of the model");
    }
    clamped
}

/// The most stop sequences of a request (<https://ai.google.dev/api/generate-content>).
const STOPS_MAX: usize = 5;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gemini::DIALECT;

    #[test]
    fn thinking_config_depends_on_model_generation() {
        let encode_effort = |model: &str, effort: Effort| {
            let reasoning = Reasoning {
                effort: Some(effort),
                ..Reasoning::default()
            };
            let mut report = TranslationReport::default();
            let traits = Traits::built_in(DIALECT, "", model);
            let config = thinking(&traits, reasoning, &mut report);
            (Value::Object(config), report.warnings().len())
        };
        let cases = [
            (
                "gemini-2.5-pro",
                Effort::High,
                json!({"thinkingBudget": 24_576}),
                0,
            ),
            (
                "gemini-2.5-flash",
                Effort::Max,
                json!({"thinkingBudget": 24_576}),
                1,
            ),
            (
                "gemini-2.5-pro",
                Effort::None,
                json!({"thinkingBudget": 128}),
                1,
            ),
            ("fast", Effort::None, json!({"thinkingBudget": 0}), 0),
            (
                "models/gemini-3-flash-preview",
                Effort::Minimal,
                json!({"thinkingLevel": "MINIMAL"}),
                0,
            ),
            (
                "gemini-3.1-pro",
                Effort::Minimal,
                json!({"thinkingLevel": "LOW"}),
                1,
            ),
            (
                "gemini-4-pro",
                Effort::High,
                json!({"thinkingLevel": "HIGH"}),
                0,
            ),
            (
                "gemini-3-flash",
                Effort::None,
                json!({"thinkingLevel": "MINIMAL"}),
                1,
            ),
        ];
        for (model, effort, config, warnings) in cases {
            assert_eq!(
                encode_effort(model, effort),
                (config, warnings),
                "{model} {effort:?}"
            );
        }
    }
}
