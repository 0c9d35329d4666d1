//! Checks and decodes whole responses.

use serde_json::value::RawValue;

use super::block::{self, ContentBlock};
use super::encode::fallback_id;
use super::finish_reason;
use crate::anthropic::usage::TokenCounts;
use crate::ir::{FinishReason, Malformed, Part, Response};
use crate::json::{is_void, items, lenient_text, members, string};
use crate::limits::BLOCKS_MAX;
use crate::stream::Text;
use crate::{BodyCheck, ProviderError};

/// A message, as a view of its body.
struct MessageView<'a> {
    kind: Text<'a>,
    id: Text<'a>,
    model: Text<'a>,
    content: Option<&'a RawValue>,
    stop_reason: Option<&'a RawValue>,
    stop_sequence: Option<&'a RawValue>,
    stop_details: Option<&'a RawValue>,
    usage: Option<&'a RawValue>,
    error: Option<&'a RawValue>,
}

impl<'a> MessageView<'a> {
    /// Finds the members in one pass; `None` if the text is not a JSON object.
    fn read(text: &'a str) -> Option<Self> {
        let names = [
            "type",
            "id",
            "model",
            "content",
            "stop_reason",
            "stop_sequence",
            "stop_details",
            "usage",
            "error",
        ];
        let [
            kind,
            id,
            model,
            content,
            stop_reason,
            stop_sequence,
            stop_details,
            usage,
            error,
        ] = members(text, names).ok()?.values;
        Some(Self {
            kind: kind.into(),
            id: id.into(),
            model: model.into(),
            content,
            stop_reason,
            stop_sequence,
            stop_details,
            usage,
            error,
        })
    }

    fn is_error(&self) -> bool {
        self.kind.decode() == "error" || self.error.is_some_and(|error| !is_void(error))
    }

    fn counts(&self) -> TokenCounts {
        let mut counts = TokenCounts::default();
        self.usage.into_iter().for_each(|usage| counts.merge(usage));
        counts
    }
}

/// Checks a whole response whose status promises success. One pass; no content is kept.
pub(crate) fn check_body(body: &[u8]) -> BodyCheck {
    if body.trim_ascii().is_empty() {
        return BodyCheck::Empty;
    }
    let text = &*lenient_text(body);
    let Some(message) = MessageView::read(text) else {
        return ProviderError::read(body).map_or(BodyCheck::Malformed, BodyCheck::Error);
    };
    if message.is_error() {
        return BodyCheck::Error(decode_error(text));
    }
    let has_content = message.content.is_some_and(|content| !is_void(content));
    let has_reason = message.stop_reason.and_then(string).is_some();
    if !has_content && !has_reason {
        // It may be an error in the format of another API.
        return ProviderError::read(body).map_or(BodyCheck::Empty, BodyCheck::Error);
    }
    BodyCheck::Complete {
        usage: message.counts().usage(),
    }
}

/// Decodes a whole response.
///
/// # Errors
/// If it is not a message, or calls a tool without a name.
pub(crate) fn decode_response(body: &[u8]) -> Result<Response, Malformed> {
    let text = &*lenient_text(body);
    let message = MessageView::read(text).ok_or(Malformed("it is no JSON object"))?;
    let content = message.content;
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
    let finish = match message.stop_reason.and_then(string) {
        None if calls => FinishReason::ToolCalls,
        None => FinishReason::Stop,
        Some(reason) => {
            let stop_sequence = message.stop_sequence.and_then(string);
            finish_reason::decode(&reason, stop_sequence.map(std::borrow::Cow::into_owned))
        }
    };
    if let Some(explanation) = message.stop_details.and_then(refusal_explanation) {
        parts.push(Part::Refusal(explanation.decode().into_owned()));
    }
    Ok(Response {
        id: message.id.decode().into_owned(),
        model: message.model.decode().into_owned(),
        parts,
        finish,
        usage: message.counts().usage(),
    })
}

/// Why the model refused, in words.
pub(crate) fn refusal_explanation(details: &RawValue) -> Option<Text<'_>> {
    let explanation = members(details.get(), ["explanation"]).ok()?.values[0];
    Some(Text::from(explanation)).filter(|text| !text.is_empty())
}

/// Reads a text that calls itself an error.
pub(crate) fn decode_error(text: &str) -> ProviderError {
    ProviderError::read(text.as_bytes()).unwrap_or_else(|| ProviderError::from_message(text))
}
