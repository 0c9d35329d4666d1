//! Encodes requests.

mod messages;
mod tools;

use serde_json::{Map, Value, json};

use crate::ir::{
    Effort, Format, Reasoning, Request, Sampling, ToolChoice, TranslationError, TranslationReport,
    loss,
};
use crate::json::{self, object};
use crate::openai_chat::reasoning::effort_members;
use crate::traits::{ReasoningRequest, TokenLimitMember, Traits};

/// Encodes a request for a chat completion, without deprecated members.
///
/// # Errors
/// If the dialect cannot express something whose loss would make the response wrong.
pub(crate) fn encode_request(
    request: &Request,
    traits: &Traits,
    report: &mut TranslationReport,
) -> Result<Vec<u8>, TranslationError> {
    let mut body = Map::new();
    let mut put = |name: &str, value: Value| {
        if !value.is_null() {
            body.insert(name.to_owned(), value);
        }
    };
    put("model", json!(request.model));
    let messages = messages::encode_messages(request, traits, report)?;
    if messages.is_empty() {
        return Err(TranslationError::empty_conversation());
    }
    put("messages", messages.into());
    if request.stream {
        put("stream", json!(true));
        if traits.stream_options {
            // The host needs the usage even if the client does not.
            put("stream_options", json!({"include_usage": true}));
        }
    }
    encode_sampling(&request.sampling, report, &mut put);
    if request.sampling.top_k.is_some() {
        report.warn_dropped("top_k");
    }
    // OpenAI's reasoning models reject the older `max_tokens`, and other providers the newer member.
    let limit = match traits.token_limit {
        TokenLimitMember::MaxCompletionTokens => "max_completion_tokens",
        TokenLimitMember::MaxTokens => "max_tokens",
    };
    put(limit, json!(request.sampling.tokens_max));
    put("stop", encode_stop(&request.stop, report));
    encode_reasoning(request.reasoning, traits, report, &mut put);
    put("response_format", encode_format(&request.format));
    // The API rejects `tool_choice` and `parallel_tool_calls` without `tools`.
    if request.tools.is_empty() {
        if request
            .tool_choice
            .as_ref()
            .is_some_and(ToolChoice::requires_call)
        {
            report.warn("tool_choice", loss::NO_TOOLS);
        }
    } else {
        put("tools", tools::encode_tools(&request.tools));
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
    Ok(json::to_vec(&body))
}

/// Encodes the members about sampling that chat completions and text completions share. Values out of range
/// become the nearest value in range.
pub(crate) fn encode_sampling(
    sampling: &Sampling,
    report: &mut TranslationReport,
    put: &mut impl FnMut(&str, Value),
) {
    let ranges = [
        ("temperature", sampling.temperature, 0.0, 2.0),
        ("top_p", sampling.top_p, 0.0, 1.0),
        ("presence_penalty", sampling.presence_penalty, -2.0, 2.0),
        ("frequency_penalty", sampling.frequency_penalty, -2.0, 2.0),
    ];
    for (name, value, least, most) in ranges {
        if value.is_some_and(|value| value < least || value > most) {
            report.warn(
                name,
                format!("changed: the provider's range is {least} to {most}"),
            );
        }
        put(name, json!(value.map(|value| value.clamp(least, most))));
    }
    put("seed", json!(sampling.seed));
}

/// Encodes the member `stop`, with at most [`STOPS_MAX`] texts; null without texts.
pub(crate) fn encode_stop(stop: &[String], report: &mut TranslationReport) -> Value {
    if stop.len() > STOPS_MAX {
        report.warn(
            "stop",
            "changed: the provider's maximum is 4 texts; the others are dropped",
        );
    }
    match stop {
        [] => Value::Null,
        [only] => json!(only),
        several => json!(several[..several.len().min(STOPS_MAX)]),
    }
}

fn encode_reasoning(
    reasoning: Option<Reasoning>,
    traits: &Traits,
    report: &mut TranslationReport,
    put: &mut impl FnMut(&str, Value),
) {
    let Some(reasoning) = reasoning else {
        return;
    };
    if reasoning.shown == Some(true) {
        report.warn(
            "reasoning",
            "changed: the provider's dialect has no setting to show it; some providers always do",
        );
    }
    let effort = reasoning.effort.or_else(|| {
        let budget = reasoning.budget_tokens?;
        report.warn(loss::BUDGET, loss::BUDGET_AS_EFFORT);
        Some(Effort::from_budget(budget))
    });
    let Some(effort) = effort else {
        return;
    };
    if traits.reasoning_request == ReasoningRequest::None {
        report.warn(loss::EFFORT, loss::REFUSED_BY_MODEL);
    }
    for (name, value) in effort_members(effort, traits, report) {
        put(name, value);
    }
}

fn encode_format(format: &Format) -> Value {
    match format {
        Format::Text => Value::Null,
        Format::Json => json!({"type": "json_object"}),
        Format::Schema {
            name,
            description,
            schema,
            strict,
        } => {
            let mut json_schema =
                json!({"name": name.as_deref().unwrap_or("answer"), "schema": schema});
            if let Some(description) = description {
                json_schema["description"] = json!(description);
            }
            if let Some(strict) = strict {
                json_schema["strict"] = json!(strict);
            }
            object! {"type": "json_schema", "json_schema": json_schema}
        }
    }
}

/// The maximum number of texts in `stop` (<https://platform.openai.com/docs/api-reference/chat/create>).
const STOPS_MAX: usize = 4;

#[cfg(test)]
mod tests;
