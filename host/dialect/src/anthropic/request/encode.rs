//! Encodes requests.

mod cache;
mod messages;

use serde_json::{Map, Value, json};

use super::SERVICE_TIERS;
use crate::anthropic::reasoning::ThinkingPlan;
use crate::anthropic::tools;
use crate::ir::{Request, TranslationError, TranslationReport};
use crate::json;
use crate::traits::{SamplingMembers, Traits};

/// Encodes a request for content.
///
/// # Errors
/// If the API cannot express something whose loss would make the response wrong.
pub(crate) fn encode_request(
    request: &Request,
    traits: &Traits,
    report: &mut TranslationReport,
) -> Result<Vec<u8>, TranslationError> {
    let plan = ThinkingPlan::for_request(request, traits, report);
    let mut body = Map::new();
    body.insert("model".to_owned(), request.model.as_str().into());
    body.insert("max_tokens".to_owned(), plan.tokens_max(request).into());
    if request.stream {
        body.insert("stream".to_owned(), true.into());
    }
    encode_sampling(request, traits.sampling, plan.enabled, &mut body, report);
    encode_stop(request, &mut body, report);
    if let Some(user) = &request.user {
        body.insert("metadata".to_owned(), json!({"user_id": user}));
    }
    for (name, value) in &request.openai {
        let mut tiers = SERVICE_TIERS.iter();
        match tiers.find(|(_, openai)| name == "service_tier" && value == openai) {
            Some((tier, _)) => {
                body.insert(name.clone(), (*tier).into());
            }
            // False is the default of all these members.
            None if *value == Value::Bool(false) => {}
            None => report.warn_dropped(name),
        }
    }
    encode_conversation(request, plan, traits, &mut body, report)?;
    Ok(print(&body))
}

/// Encodes the members of a request for a token count: all but the sampling parameters.
pub(crate) fn encode_count_body(
    request: &Request,
    traits: &Traits,
    report: &mut TranslationReport,
) -> Result<Vec<u8>, TranslationError> {
    let plan = ThinkingPlan::for_request(request, traits, report);
    let mut body = Map::new();
    body.insert("model".to_owned(), request.model.as_str().into());
    encode_conversation(request, plan, traits, &mut body, report)?;
    Ok(print(&body))
}

fn print(body: &Map<String, Value>) -> Vec<u8> {
    json::to_vec(body)
}

fn encode_conversation(
    request: &Request,
    plan: ThinkingPlan,
    traits: &Traits,
    body: &mut Map<String, Value>,
    report: &mut TranslationReport,
) -> Result<(), TranslationError> {
    let sentence = plan.encode(&request.format, body, report);
    let written = messages::encode(request, traits, sentence.as_deref(), report)?;
    if let Some(system) = messages::encode_content(written.system) {
        body.insert("system".to_owned(), system);
    }
    body.insert("messages".to_owned(), written.messages.into());
    tools::encode(request, body, report);
    if let Some(mark) = cache::automatic(request, traits).or(request.cache)
        && let Some(Value::Array(tools)) = body.get_mut("tools")
    {
        cache::mark(tools, mark);
    }
    Ok(())
}

fn encode_sampling(
    request: &Request,
    taken: SamplingMembers,
    thinks: bool,
    body: &mut Map<String, Value>,
    report: &mut TranslationReport,
) {
    let sampling = &request.sampling;
    let is_set = |penalty: Option<f64>| penalty.is_some_and(|penalty| penalty != 0.0);
    let unknown = [
        ("presence_penalty", is_set(sampling.presence_penalty)),
        ("frequency_penalty", is_set(sampling.frequency_penalty)),
        ("seed", sampling.seed.is_some()),
    ];
    for (name, _) in unknown.into_iter().filter(|(_, is_set)| *is_set) {
        report.warn_dropped(name);
    }
    let why = match (taken, thinks) {
        (SamplingMembers::None, _) => Some(UNSUPPORTED_BY_MODEL),
        (_, true) => Some(UNSUPPORTED_WHEN_THINKING),
        (_, false) => None,
    };
    // 1 is the default of the API, so it can be left out.
    let temperature = sampling.temperature.map(|temperature| {
        if temperature > 1.0 {
            report.warn("temperature", "changed: to 1, the maximum of the API");
        }
        temperature.min(1.0)
    });
    let mut top_p = sampling.top_p;
    if taken == SamplingMembers::One && !thinks && temperature.is_some() {
        if top_p.is_some_and(|top_p| top_p < 1.0) {
            report.warn(
                "top_p",
                "dropped: the model supports a temperature or this, not both",
            );
        }
        top_p = None;
    }
    // With thinking, the API accepts only these values.
    let is_wide = |top_p: f64| top_p >= 0.95;
    let numbers = [("temperature", temperature), ("top_p", top_p)];
    for (name, number) in numbers {
        let Some(number) = number else { continue };
        match why {
            None => {
                body.insert(name.to_owned(), number.into());
            }
            Some(UNSUPPORTED_WHEN_THINKING) if name == "top_p" && is_wide(number) => {
                body.insert(name.to_owned(), number.into());
            }
            Some(why) if number < 1.0 => report.warn(name, why),
            Some(_) => {}
        }
    }
    match (sampling.top_k, why) {
        (Some(_), Some(why)) => report.warn("top_k", why),
        (Some(top_k), None) => {
            body.insert("top_k".to_owned(), top_k.into());
        }
        (None, _) => {}
    }
}

fn encode_stop(request: &Request, body: &mut Map<String, Value>, report: &mut TranslationReport) {
    let is_not_blank = |text: &&String| !text.trim().is_empty();
    let stop: Vec<Value> = request
        .stop
        .iter()
        .filter(is_not_blank)
        .map(|text| text.as_str().into())
        .collect();
    if stop.len() < request.stop.len() {
        report.warn(
            "stop",
            "changed: without those of white space, which the API rejects",
        );
    }
    if !stop.is_empty() {
        body.insert("stop_sequences".to_owned(), stop.into());
    }
}

const UNSUPPORTED_BY_MODEL: &str = "dropped: the model does not support it";
const UNSUPPORTED_WHEN_THINKING: &str = "dropped: not supported together with thinking";
