//! Writes a request as the API takes it.

use serde_json::{Map, Value, json};

use super::model::{self, Rules, Sampling};
use super::thinking::Plan;
use super::{offer, turns};
use crate::interlingua::{Notes, Refusal, Request};

/// Writes a request for an answer.
///
/// # Errors
/// If the API cannot say something that the answer would be wrong without.
pub fn encode_request(request: &Request, notes: &mut Notes) -> Result<Vec<u8>, Refusal> {
    let rules = model::rules(&request.model);
    let plan = Plan::of(request, rules, notes);
    let mut body = Map::new();
    body.insert("model".to_owned(), request.model.as_str().into());
    body.insert("max_tokens".to_owned(), plan.tokens_max(request).into());
    if request.stream {
        body.insert("stream".to_owned(), true.into());
    }
    write_sampling(request, rules, plan.on, &mut body, notes);
    write_stop(request, &mut body, notes);
    if let Some(user) = &request.user {
        body.insert("metadata".to_owned(), json!({"user_id": user}));
    }
    for (name, value) in &request.openai {
        let tier = match (name.as_str(), value.as_str()) {
            ("service_tier", Some("auto")) => "auto",
            ("service_tier", Some("default")) => "standard_only",
            // What says no is what happens anyway.
            _ if *value == Value::Bool(false) => continue,
            _ => {
                notes.dropped(name);
                continue;
            }
        };
        body.insert("service_tier".to_owned(), tier.into());
    }
    write_conversation(request, plan, rules, &mut body, notes)?;
    Ok(print(&body))
}

/// Writes what a request for a count takes too: all but how the answer is drawn.
pub(super) fn encode_counted(request: &Request, notes: &mut Notes) -> Result<Vec<u8>, Refusal> {
    let rules = model::rules(&request.model);
    let plan = Plan::of(request, rules, notes);
    let mut body = Map::new();
    body.insert("model".to_owned(), request.model.as_str().into());
    write_conversation(request, plan, rules, &mut body, notes)?;
    Ok(print(&body))
}

fn print(body: &Map<String, Value>) -> Vec<u8> {
    // Printing fails only for maps whose keys are no texts.
    serde_json::to_vec(&body).unwrap_or_default()
}

fn write_conversation(
    request: &Request,
    plan: Plan,
    rules: Rules,
    body: &mut Map<String, Value>,
    notes: &mut Notes,
) -> Result<(), Refusal> {
    let sentence = plan.write(&request.format, body, notes);
    let written = turns::write(request, rules, sentence, notes)?;
    if let Some(system) = turns::content(written.system) {
        body.insert("system".to_owned(), system);
    }
    body.insert("messages".to_owned(), written.messages.into());
    offer::write(request, body, notes);
    Ok(())
}

fn write_sampling(
    request: &Request,
    rules: Rules,
    thinks: bool,
    body: &mut Map<String, Value>,
    notes: &mut Notes,
) {
    let sampling = &request.sampling;
    let said = |penalty: Option<f64>| penalty.is_some_and(|penalty| penalty != 0.0);
    let unknown = [
        ("presence_penalty", said(sampling.presence_penalty)),
        ("frequency_penalty", said(sampling.frequency_penalty)),
        ("seed", sampling.seed.is_some()),
    ];
    for (name, _) in unknown.into_iter().filter(|(_, said)| *said) {
        notes.dropped(name);
    }
    let why = match (rules.sampling, thinks) {
        (Sampling::None, _) => Some(NOT_BY_MODEL),
        (_, true) => Some(NOT_THINKING),
        (Sampling::Both | Sampling::One, false) => None,
    };
    // 1 is what the API draws with if nothing is said; leaving it out changes nothing.
    let temperature = sampling.temperature.map(|temperature| {
        if temperature > 1.0 {
            notes.warn("temperature", "changed: to 1, the most that the API takes");
        }
        temperature.min(1.0)
    });
    let mut top_p = sampling.top_p;
    if rules.sampling == Sampling::One && !thinks && temperature.is_some() {
        if top_p.is_some_and(|top_p| top_p < 1.0) {
            notes.warn(
                "top_p",
                "dropped: the model takes a temperature or this, not both",
            );
        }
        top_p = None;
    }
    // While it thinks, a model takes these still.
    let is_wide = |top_p: f64| top_p >= 0.95;
    let numbers = [("temperature", temperature), ("top_p", top_p)];
    for (name, number) in numbers {
        let Some(number) = number else { continue };
        match why {
            None => {
                body.insert(name.to_owned(), number.into());
            }
            Some(NOT_THINKING) if name == "top_p" && is_wide(number) => {
                body.insert(name.to_owned(), number.into());
            }
            Some(why) if number < 1.0 => notes.warn(name, why),
            Some(_) => {}
        }
    }
    match (sampling.top_k, why) {
        (Some(_), Some(why)) => notes.warn("top_k", why),
        (Some(top_k), None) => {
            body.insert("top_k".to_owned(), top_k.into());
        }
        (None, _) => {}
    }
}

fn write_stop(request: &Request, body: &mut Map<String, Value>, notes: &mut Notes) {
    let says_something = |text: &&String| !text.trim().is_empty();
    let stop: Vec<Value> = request
        .stop
        .iter()
        .filter(says_something)
        .map(|text| text.as_str().into())
        .collect();
    if stop.len() < request.stop.len() {
        notes.warn(
            "stop",
            "changed: without those of white space, which the API refuses",
        );
    }
    if !stop.is_empty() {
        body.insert("stop_sequences".to_owned(), stop.into());
    }
}

const NOT_BY_MODEL: &str = "dropped: the model does not take it";
const NOT_THINKING: &str = "dropped: a model that thinks does not take it";
