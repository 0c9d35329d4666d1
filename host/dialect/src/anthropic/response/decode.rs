//! Checks and decodes whole responses.

use serde_json::value::RawValue;

use super::block::{self, ContentBlock};
use super::encode::fallback_id;
use super::finish_reason;
use crate::anthropic::usage::TokenCounts;
use crate::ir::{FinishReason, Malformed, Part, Response};
use crate::json::{is_void, items, members, string};
use crate::{BodyCheck, ProviderError, truncate};

/// Reads the body of a 2xx answer, not streamed. One pass; of the content nothing is kept.
#[must_use]
pub fn check_body(body: &[u8]) -> BodyCheck {
    if body.trim_ascii().is_empty() {
        return BodyCheck::Empty;
    }
    let Ok(text) = std::str::from_utf8(body) else {
        return BodyCheck::Malformed;
    };
    let names = ["type", "content", "stop_reason", "usage", "error"];
    let Ok(found) = members(text, names) else {
        return ProviderError::read(body).map_or(BodyCheck::Malformed, BodyCheck::Error);
    };
    let [kind, content, stop_reason, usage, error] = found.values;
    let is_error = kind.is_some_and(|kind| kind.get() == "\"error\"");
    if is_error || error.is_some_and(|error| !is_void(error)) {
        return BodyCheck::Error(decode_error(text));
    }
    let finish_reason = stop_reason.and_then(reason_text);
    let has_content = content.is_some_and(|content| !is_void(content));
    if !has_content && finish_reason.is_none() {
        return ProviderError::read(body).map_or(BodyCheck::Empty, BodyCheck::Error);
    }
    let mut counts = TokenCounts::default();
    usage.into_iter().for_each(|usage| counts.merge(usage));
    BodyCheck::Complete {
        usage: counts.usage(),
        finish_reason,
    }
}

/// Reads a whole answer.
///
/// # Errors
/// If it is no message.
pub fn decode_response(body: &[u8]) -> Result<Response, Malformed> {
    let text = std::str::from_utf8(body).map_err(|_| Malformed("it is not UTF-8"))?;
    let names = [
        "id",
        "model",
        "content",
        "stop_reason",
        "stop_sequence",
        "stop_details",
        "usage",
    ];
    let found = members(text, names).map_err(|_| Malformed("it is no JSON object"))?;
    let [
        id,
        model,
        content,
        stop_reason,
        stop_sequence,
        stop_details,
        usage,
    ] = found.values;
    let content = content.ok_or(Malformed("a message has no content"))?;
    let blocks = items(content, BLOCKS_MAX)
        .into_iter()
        .filter_map(ContentBlock::read);
    let mut parts: Vec<Part> = blocks.filter_map(ContentBlock::into_part).collect();
    for (index, part) in parts.iter_mut().enumerate() {
        let Part::ToolCall(call) = part else { continue };
        if call.name.is_empty() {
            return Err(Malformed::UNNAMED_CALL);
        }
        if call.id.is_empty() {
            call.id = fallback_id("", index);
        }
    }
    block::restore_call_signatures(&mut parts);
    let calls = parts.iter().any(|part| matches!(part, Part::ToolCall(_)));
    let finish = match stop_reason.and_then(string) {
        None if calls => FinishReason::ToolCalls,
        None => FinishReason::Stop,
        Some(reason) => {
            let stop_sequence = stop_sequence.and_then(string);
            finish_reason::decode(&reason, stop_sequence.map(std::borrow::Cow::into_owned))
        }
    };
    parts.extend(
        stop_details
            .and_then(refusal_explanation)
            .map(Part::Refusal),
    );
    let mut counts = TokenCounts::default();
    usage.into_iter().for_each(|usage| counts.merge(usage));
    let text_or_empty = |raw: Option<_>| raw.and_then(string).unwrap_or_default().into_owned();
    Ok(Response {
        id: text_or_empty(id),
        model: text_or_empty(model),
        parts,
        finish,
        usage: counts.usage(),
    })
}

/// Why the model would not answer, in words.
pub(crate) fn refusal_explanation(details: &RawValue) -> Option<String> {
    let explanation = members(details.get(), ["explanation"]).ok()?.values[0]?;
    string(explanation)
        .filter(|text| !text.is_empty())
        .map(std::borrow::Cow::into_owned)
}

/// What a text that calls itself an error says.
pub(crate) fn decode_error(text: &str) -> ProviderError {
    ProviderError::read(text.as_bytes()).unwrap_or_else(|| ProviderError::from_message(text))
}

/// A reason as text.
pub(crate) fn reason_text(raw: &RawValue) -> Option<String> {
    string(raw).map(|word| truncate(&word, ProviderError::CODE_BYTES_MAX).to_owned())
}

/// The most blocks read of one answer: more than any has, and few enough to be walked through.
const BLOCKS_MAX: usize = 65_536;
