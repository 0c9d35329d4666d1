//! Checks and decodes whole responses.

use serde_json::Value;
use serde_json::value::RawValue;

use super::{INCOMPLETE_REASONS, item};
use crate::ir::{FinishReason, Malformed, Part, Response, Signature};
use crate::json::{is_void, lenient_text, members};
use crate::openai_responses::usage;
use crate::{BodyCheck, ProviderError, Usage};

/// Checks a whole response whose status promises success. One pass; no content is kept.
#[must_use]
pub(crate) fn check_body(body: &[u8]) -> BodyCheck {
    if body.trim_ascii().is_empty() {
        return BodyCheck::Empty;
    }
    let text = &*lenient_text(body);
    let Some(seen) = ResponseView::decode(text) else {
        return ProviderError::read(body).map_or(BodyCheck::Malformed, BodyCheck::Error);
    };
    if let Some(error) = seen.failure() {
        return BodyCheck::Error(error);
    }
    match seen.output {
        None => ProviderError::read(body).map_or(BodyCheck::Empty, BodyCheck::Error),
        Some(output) if !output.get().starts_with('[') => BodyCheck::Malformed,
        // With a reason, an empty output is complete: reasoning may use up all tokens.
        Some(output) if is_void(output) && seen.reason.is_none() => BodyCheck::Empty,
        Some(_) => BodyCheck::Complete {
            usage: seen.usage(),
        },
    }
}

/// What the host acts on in a response object.
#[derive(Debug)]
pub(crate) struct ResponseView<'a> {
    error: Option<&'a RawValue>,
    output: Option<&'a RawValue>,
    reason: Option<&'a RawValue>,
    status: Option<&'a RawValue>,
    usage: Option<&'a RawValue>,
}

impl<'a> ResponseView<'a> {
    /// Finds the members in one pass; `None` if the text is not a JSON object.
    pub(crate) fn decode(text: &'a str) -> Option<Self> {
        let names = ["error", "output", "incomplete_details", "status", "usage"];
        let [error, output, details, status, usage] = members(text, names).ok()?.values;
        let is_present = |raw: &&RawValue| !is_void(raw);
        let reason = |raw: &'a RawValue| members(raw.get(), ["reason"]).ok()?.values[0];
        Some(Self {
            error,
            output: output.filter(|raw| raw.get() != "null"),
            reason: details.and_then(reason).filter(is_present),
            status,
            usage,
        })
    }

    /// Returns the error, if the response failed.
    pub(crate) fn failure(&self) -> Option<ProviderError> {
        let error_member = self.error.and_then(ProviderError::from_member);
        error_member.or_else(|| match self.status?.get() {
            "\"failed\"" => Some(ProviderError::from_message("the response failed")),
            "\"cancelled\"" => Some(ProviderError::from_message("the response was cancelled")),
            _ => None,
        })
    }

    /// Whether there is any output, or a reason for having none.
    pub(crate) fn has_content(&self) -> bool {
        self.output.is_some_and(|output| !is_void(output)) || self.reason.is_some()
    }

    /// Whether there is a reason for being incomplete.
    pub(crate) fn has_reason(&self) -> bool {
        self.reason.is_some()
    }

    /// The usage.
    pub(crate) fn usage(&self) -> Option<Usage> {
        usage::decode(self.usage?)
    }
}

/// Decodes a whole response.
///
/// # Errors
/// If it is not a response, or one that failed.
pub(crate) fn decode_response(body: &[u8]) -> Result<Response, Malformed> {
    let text = &*lenient_text(body);
    let view = ResponseView::decode(text).ok_or(Malformed("it is not a JSON object"))?;
    if view.failure().is_some() {
        return Err(Malformed("it failed"));
    }
    let response: Value = serde_json::from_str(text).map_err(|_| Malformed("it is not JSON"))?;
    let output = response.get("output").and_then(Value::as_array);
    let output = output.ok_or(Malformed("it has no `output`"))?;
    let (mut parts, mut signature) = (Vec::new(), None);
    for (index, item) in output.iter().enumerate() {
        item::decode(item, index, &mut signature, &mut parts)?;
    }
    let word = |name: &str| item::text(&response, name).unwrap_or_default().to_owned();
    Ok(Response {
        id: word("id"),
        model: word("model"),
        finish: finish(&response, &DecodeState::of(&parts)),
        usage: view.usage(),
        parts,
    })
}

/// The kinds of parts of a response. The finish reason depends on them, since the status is the same
/// for all.
#[derive(Debug, Default)]
pub(crate) struct DecodeState {
    pub(crate) has_call: bool,
    pub(crate) has_refusal: bool,
    pub(crate) has_text: bool,
    /// A signature that waits for the next call.
    pub(crate) signature: Option<Signature>,
}

impl DecodeState {
    fn of(parts: &[Part]) -> Self {
        let any = |is: fn(&Part) -> bool| parts.iter().any(is);
        Self {
            has_call: any(|part| matches!(part, Part::ToolCall(_))),
            has_refusal: any(|part| matches!(part, Part::Refusal(_))),
            has_text: any(|part| matches!(part, Part::Text { .. })),
            signature: None,
        }
    }
}

/// Returns the finish reason of a response.
pub(crate) fn finish(response: &Value, state: &DecodeState) -> FinishReason {
    let details = response.get("incomplete_details");
    if let Some(reason) = details.and_then(|details| item::text(details, "reason")) {
        let known = INCOMPLETE_REASONS.iter().find(|(name, _)| *name == reason);
        return known.map_or_else(
            || FinishReason::Other(reason.to_owned()),
            |(_, finish)| finish.clone(),
        );
    }
    match item::text(response, "status") {
        None | Some("completed") if state.has_call => FinishReason::ToolCalls,
        None | Some("completed") if state.has_refusal && !state.has_text => FinishReason::Refusal,
        None | Some("completed") => FinishReason::Stop,
        Some("incomplete") => FinishReason::Length,
        Some(other) => FinishReason::Other(other.to_owned()),
    }
}
