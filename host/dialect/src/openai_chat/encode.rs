//! Writes the common form as a request to a provider.

mod messages;
mod tools;

use serde_json::{Map, Value, json};

use crate::interlingua::{
    Effort, Format, TranslationReport, Reasoning, TranslationError, Request, Sampling, ToolChoice, loss,
};
use crate::json::object;

/// Writes a request for a chat completion, in the members that OpenAI documents today.
///
/// # Errors
/// If it says something that has no place in this dialect, and whose loss would make the answer wrong.
pub fn encode_request(request: &Request, notes: &mut TranslationReport) -> Result<Vec<u8>, TranslationError> {
    let mut body = Map::new();
    let mut put = |name: &str, value: Value| {
        if !value.is_null() {
            body.insert(name.to_owned(), value);
        }
    };
    put("model", json!(request.model));
    let messages = messages::written(request, notes)?;
    if messages.is_empty() {
        return Err(TranslationError::empty_conversation());
    }
    put("messages", messages.into());
    if request.stream {
        put("stream", json!(true));
        // Whether or not the client wants it: the host counts.
        put("stream_options", json!({"include_usage": true}));
    }
    sampling(&request.sampling, notes, &mut put);
    if request.sampling.top_k.is_some() {
        notes.warn_dropped("top_k");
    }
    put("max_completion_tokens", json!(request.sampling.tokens_max));
    put("stop", stop(&request.stop, notes));
    put("reasoning_effort", reasoning(request.reasoning, notes));
    put("response_format", format(&request.format));
    if request.tools.is_empty() {
        if request
            .tool_choice
            .as_ref()
            .is_some_and(ToolChoice::requires_call)
        {
            notes.warn("tool_choice", loss::NO_TOOLS);
        }
    } else {
        put("tools", tools::offered(&request.tools));
        let choice = request.tool_choice.as_ref();
        put(
            "tool_choice",
            choice.map_or(Value::Null, |it| tools::choice(it, &request.tools)),
        );
        put("parallel_tool_calls", json!(request.parallel_tools));
    }
    put("user", json!(request.user));
    for (name, value) in &request.openai {
        body.entry(name).or_insert_with(|| value.clone());
    }
    Ok(serde_json::to_vec(&body).unwrap_or_default())
}

/// The members of the sampling that OpenAI's old and new API have alike. What is out of range goes to the
/// nearest that is not.
pub(crate) fn sampling(sampling: &Sampling, notes: &mut TranslationReport, put: &mut impl FnMut(&str, Value)) {
    let ranges = [
        ("temperature", sampling.temperature, 0.0, 2.0),
        ("top_p", sampling.top_p, 0.0, 1.0),
        ("presence_penalty", sampling.presence_penalty, -2.0, 2.0),
        ("frequency_penalty", sampling.frequency_penalty, -2.0, 2.0),
    ];
    for (name, value, least, most) in ranges {
        if value.is_some_and(|value| value < least || value > most) {
            notes.warn(
                name,
                format!("changed: the provider takes {least} to {most}"),
            );
        }
        put(name, json!(value.map(|value| value.clamp(least, most))));
    }
    put("seed", json!(sampling.seed));
}

/// The texts that end an answer, at most as many as OpenAI takes.
pub(crate) fn stop(stop: &[String], notes: &mut TranslationReport) -> Value {
    if stop.len() > STOPS_MAX {
        notes.warn(
            "stop",
            "changed: only the first 4 texts are kept, as many as the provider takes",
        );
    }
    match stop {
        [] => Value::Null,
        [only] => json!(only),
        several => json!(several[..several.len().min(STOPS_MAX)]),
    }
}

fn reasoning(reasoning: Option<Reasoning>, notes: &mut TranslationReport) -> Value {
    let Some(reasoning) = reasoning else {
        return Value::Null;
    };
    if reasoning.shown == Some(true) {
        notes.warn(
            "reasoning",
            "changed: providers of this dialect can't be asked to show it, and some do so unasked",
        );
    }
    let effort = reasoning.effort.or_else(|| {
        let budget = reasoning.budget_tokens?;
        notes.warn(loss::BUDGET, loss::BUDGET_AS_EFFORT);
        Some(Effort::from_budget(budget))
    });
    json!(effort.map(Effort::openai_name))
}

fn format(format: &Format) -> Value {
    match format {
        Format::Text => Value::Null,
        Format::Json => json!({"type": "json_object"}),
        Format::Schema {
            name,
            description,
            schema,
            strict,
        } => {
            let mut wanted = json!({"name": name.as_deref().unwrap_or("answer"), "schema": schema});
            if let Some(description) = description {
                wanted["description"] = json!(description);
            }
            if let Some(strict) = strict {
                wanted["strict"] = json!(strict);
            }
            object! {"type": "json_schema", "json_schema": wanted}
        }
    }
}

/// The most texts in `stop` (<https://platform.openai.com/docs/api-reference/chat/create>).
const STOPS_MAX: usize = 4;

#[cfg(test)]
mod tests;
