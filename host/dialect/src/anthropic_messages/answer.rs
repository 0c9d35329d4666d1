//! Whole answers, both ways.

use serde_json::{Value, json};

use super::block::{self, Block};
use super::usage::{self, Counts};
use super::{HERE, citation, finish};
use crate::interlingua::{Answer, Finish, Malformed, Owed, Part, Thought};
use crate::json::{items, members, string};

/// Reads a whole answer.
///
/// # Errors
/// If it is no message.
pub fn decode_answer(body: &[u8]) -> Result<Answer, Malformed> {
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
        .filter_map(Block::read);
    let mut parts: Vec<Part> = blocks.filter_map(Block::into_part).collect();
    for (index, part) in parts.iter_mut().enumerate() {
        let Part::ToolCall(call) = part else { continue };
        if call.name.is_empty() {
            return Err(Malformed::NAMELESS_CALL);
        }
        if call.id.is_empty() {
            call.id = made_up_id("", index);
        }
    }
    block::return_call_signatures(&mut parts);
    let calls = parts.iter().any(|part| matches!(part, Part::ToolCall(_)));
    let finish = match stop_reason.and_then(string) {
        None if calls => Finish::ToolCalls,
        None => Finish::Stop,
        Some(reason) => {
            let stop_sequence = stop_sequence.and_then(string);
            finish::read(&reason, stop_sequence.map(std::borrow::Cow::into_owned))
        }
    };
    parts.extend(stop_details.and_then(explanation).map(Part::Refusal));
    let mut counts = Counts::default();
    usage.into_iter().for_each(|usage| counts.take(usage));
    let said = |raw: Option<_>| raw.and_then(string).unwrap_or_default().into_owned();
    Ok(Answer {
        id: said(id),
        model: said(model),
        parts,
        finish,
        usage: counts.usage(),
    })
}

/// Why the model would not answer, in words.
pub(super) fn explanation(details: &serde_json::value::RawValue) -> Option<String> {
    let explanation = members(details.get(), ["explanation"]).ok()?.values[0]?;
    string(explanation)
        .filter(|text| !text.is_empty())
        .map(std::borrow::Cow::into_owned)
}

/// Writes a whole answer.
#[must_use]
pub fn encode_answer(answer: &Answer, owed: &Owed) -> Vec<u8> {
    let mut content = Vec::new();
    for part in &answer.parts {
        write_part(part, owed, &mut content);
    }
    let calls = answer
        .parts
        .iter()
        .any(|part| matches!(part, Part::ToolCall(_)));
    let (stop_reason, stop_sequence) = finish::written(&answer.finish, calls);
    let written = json!({
        "id": message_id(owed),
        "type": "message",
        "role": "assistant",
        "model": owed.model,
        "content": content,
        "stop_reason": stop_reason,
        "stop_sequence": stop_sequence,
        "usage": usage::written(answer.usage.unwrap_or_default()),
    });
    written.to_string().into_bytes()
}

/// Adds the blocks that a part is.
pub(super) fn write_part(part: &Part, owed: &Owed, content: &mut Vec<Value>) {
    match part {
        Part::Audio(_) | Part::Document(_) | Part::Image(_) => {
            content.push(json!({"type": "text", "text": in_words(part)}));
        }
        Part::Reasoning(thought) => content.extend(thought_block(thought)),
        Part::Refusal(text) => content.push(json!({"type": "text", "text": text})),
        Part::Text { text, citations } => {
            let mut block = json!({"type": "text", "text": text});
            let citations: Vec<Value> = citations.iter().filter_map(citation::written).collect();
            if !citations.is_empty() {
                block["citations"] = citations.into();
            }
            content.push(block);
        }
        Part::ToolCall(call) => {
            content.extend(call.signature.as_ref().map(block::call_signature));
            let id = if call.id.is_empty() {
                made_up_id(&owed.id, content.len())
            } else {
                call.id.clone()
            };
            content.push(json!({
                "type": "tool_use",
                "id": id,
                "name": call.name,
                "input": block::input_of(&call.arguments),
            }));
        }
        Part::ToolResult(_) => {}
    }
}

/// A thought as a block. The SDKs demand a signature; one that the provider did not give is empty.
fn thought_block(thought: &Thought) -> Option<Value> {
    let signature = thought.signature.as_ref().map(|it| it.written_in(HERE));
    if thought.redacted {
        return Some(json!({"type": "redacted_thinking", "data": signature?}));
    }
    Some(json!({
        "type": "thinking",
        "thinking": thought.text,
        "signature": signature.unwrap_or_default(),
    }))
}

/// What stands in an answer for a part that it cannot hold.
fn in_words(part: &Part) -> String {
    let (kind, media) = match part {
        Part::Audio(media) => ("sound", media),
        Part::Document(media) => ("document", media),
        Part::Image(media) => ("picture", media),
        _ => return String::new(),
    };
    match &media.source {
        crate::interlingua::Source::Url(url) => url.clone(),
        _ => format!("[a {kind}, which this API cannot carry]"),
    }
}

/// The id of an answer.
pub(super) fn message_id(owed: &Owed) -> String {
    format!("msg_{}", owed.id)
}

/// An id for a call whose provider gave none.
pub(super) fn made_up_id(call: &str, place: usize) -> String {
    format!("toolu_{call}{place}")
}

/// The most blocks read of one answer: more than any has, and few enough to be walked through.
const BLOCKS_MAX: usize = 65_536;
