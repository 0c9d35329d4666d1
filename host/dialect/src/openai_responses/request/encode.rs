//! Encodes requests.

mod input;

use serde_json::{Map, Value, json};

use super::decode::{ENCRYPTED_CONTENT, OPENAI_MEMBERS};
use crate::ir::{
    Effort, Format, Part, Reasoning, Request, TranslationError, TranslationReport, loss,
};
use crate::json;
use crate::openai_responses::{DIALECT, tools};
use crate::traits::Traits;

/// Encodes requests. The provider stores nothing: clients send back all that is needed.
///
/// # Errors
///
/// If this dialect cannot express something whose loss would make the response wrong.
pub(crate) fn encode_request(
    request: &Request,
    traits: &Traits,
    report: &mut TranslationReport,
) -> Result<Vec<u8>, TranslationError> {
    let mut out = Map::new();
    let mut put = |name: &str, value: Value| out.insert(name.to_owned(), value);
    put("model", request.model.as_str().into());
    if let Some(Part::Text { text, .. }) = request.system.first() {
        put("instructions", text.as_str().into());
    }
    let input = input::encode(request, report)?;
    if input.is_empty() && request.system.is_empty() {
        return Err(TranslationError::empty_conversation());
    }
    put("input", input.into());
    if request.stream {
        put("stream", true.into());
    }
    // The API's default is true.
    put("store", false.into());
    if wants_signatures(request) {
        put("include", json!([ENCRYPTED_CONTENT]));
    }
    encode_sampling(request, &mut out, report);
    if let Some(reasoning) = &request.reasoning
        && let Some(written) = encode_reasoning(reasoning, report)
    {
        out.insert("reasoning".to_owned(), written);
    }
    if let Some(text) = encode_text(request) {
        out.insert("text".to_owned(), text);
    }
    tools::encode(request, traits, &mut out, report);
    encode_openai_members(request, &mut out, report);
    // Serialization fails only for maps whose keys are not strings.
    Ok(json::to_vec(&out))
}

/// Whether to ask for signatures: only if the request is about reasoning, since models without
/// reasoning reject it.
fn wants_signatures(request: &Request) -> bool {
    let is_enabled = |reasoning: &Reasoning| {
        reasoning.effort != Some(Effort::None) && reasoning.budget_tokens != Some(0)
    };
    let mut parts = request.turns.iter().flat_map(|turn| &turn.parts);
    request.reasoning.as_ref().is_some_and(is_enabled)
        || parts.any(|part| match part {
            Part::Reasoning(part) => {
                let signature = part.signature.as_ref();
                signature.is_some_and(|signature| signature.origin == DIALECT)
            }
            _ => false,
        })
}

fn encode_sampling(
    request: &Request,
    out: &mut Map<String, Value>,
    report: &mut TranslationReport,
) {
    let sampling = &request.sampling;
    if let Some(tokens) = sampling.tokens_max {
        if tokens < TOKENS_MIN {
            let what = "changed: to 16, the least that the provider's dialect takes";
            report.warn("max_tokens", what);
        }
        let tokens = tokens.max(TOKENS_MIN);
        out.insert("max_output_tokens".to_owned(), tokens.into());
    }
    for (name, value, most) in [
        ("temperature", sampling.temperature, TEMPERATURE_MAX),
        ("top_p", sampling.top_p, 1.0),
    ] {
        let Some(value) = value else {
            continue;
        };
        let within = value.clamp(0.0, most);
        if value.to_bits() != within.to_bits() {
            let what = "changed: to the nearest that the provider's dialect takes";
            report.warn(name, what);
        }
        out.insert(name.to_owned(), within.into());
    }
    // No penalty is the default.
    let is_nonzero = |penalty: Option<f64>| penalty.is_some_and(|penalty| penalty != 0.0);
    for (name, is_set) in [
        ("top_k", sampling.top_k.is_some()),
        ("presence_penalty", is_nonzero(sampling.presence_penalty)),
        ("frequency_penalty", is_nonzero(sampling.frequency_penalty)),
        ("seed", sampling.seed.is_some()),
        ("stop", !request.stop.is_empty()),
    ] {
        if is_set {
            report.warn_dropped(name);
        }
    }
}

/// The maximum `temperature`, as in the API reference.
const TEMPERATURE_MAX: f64 = 2.0;

/// The minimum `max_output_tokens`: the API responds with 400 to less.
const TOKENS_MIN: u64 = 16;

fn encode_reasoning(reasoning: &Reasoning, report: &mut TranslationReport) -> Option<Value> {
    let of_budget = |tokens| {
        report.warn(loss::BUDGET, loss::BUDGET_AS_EFFORT);
        Effort::from_budget(tokens)
    };
    let effort = reasoning
        .effort
        .or_else(|| reasoning.budget_tokens.map(of_budget));
    let mut out = Map::new();
    if let Some(effort) = effort {
        out.insert("effort".to_owned(), effort.openai_name().into());
    }
    if reasoning.shown == Some(true) {
        out.insert("summary".to_owned(), "auto".into());
    }
    (!out.is_empty()).then_some(Value::Object(out))
}

fn encode_text(request: &Request) -> Option<Value> {
    let mut out = Map::new();
    match &request.format {
        Format::Text => {}
        Format::Json => {
            out.insert("format".to_owned(), json!({"type": "json_object"}));
        }
        Format::Schema {
            name,
            description,
            schema,
            strict,
        } => {
            let name = name.as_deref().unwrap_or("answer");
            let mut format = json!({"type": "json_schema", "name": name, "schema": schema});
            if let Some(description) = description {
                format["description"] = description.as_str().into();
            }
            if let Some(strict) = strict {
                format["strict"] = (*strict).into();
            }
            out.insert("format".to_owned(), format);
        }
    }
    if let Some(verbosity) = request.openai.get("verbosity") {
        out.insert("verbosity".to_owned(), verbosity.clone());
    }
    (!out.is_empty()).then_some(Value::Object(out))
}

fn encode_openai_members(
    request: &Request,
    out: &mut Map<String, Value>,
    report: &mut TranslationReport,
) {
    if let Some(user) = &request.user {
        out.insert("user".to_owned(), user.as_str().into());
    }
    for (name, value) in &request.openai {
        match name.as_str() {
            known if OPENAI_MEMBERS.contains(&known) => {
                out.insert(name.clone(), value.clone());
            }
            "verbosity" => {}
            "store" => {
                if *value == Value::Bool(true) {
                    report.warn("store", "changed: nothing is stored with the provider");
                }
            }
            _ => report.warn_dropped(name.clone()),
        }
    }
}
