//! Reasoning. OpenAI's own chat does not show it. Other providers have the text in `reasoning_content`
//! (DeepSeek) or `reasoning` (OpenRouter), and in `reasoning_details` (OpenRouter) the records that they
//! expect back in later requests.

use serde_json::{Map, Value, json};

use super::DIALECT;
use crate::ir::{Effort, ReasoningPart, Signature, TranslationError, TranslationReport, loss};
use crate::limits::REASONING_RECORD_BYTES_MAX;
use crate::thinking::{BodyEdit, Thinking, warn_suffix};
use crate::traits::{ReasoningRequest, Traits};

/// Edits a client's request so that it asks for `thinking`, in the members that the server has for it.
///
/// # Errors
/// As [`BodyEdit::set`].
pub(super) fn edit_thinking(
    thinking: Thinking,
    traits: &Traits,
    edit: &mut BodyEdit,
    report: &mut TranslationReport,
) -> Result<(), TranslationError> {
    let mut suffix_report = TranslationReport::default();
    let effort = thinking.effort(traits, edit, report);
    let mut written = effort.map_or_else(Vec::new, |effort| {
        effort_members(effort, traits, &mut suffix_report)
    });
    warn_suffix(suffix_report, report);
    // The usual member, and those of this server.
    let of_server = traits.reasoning_request.members();
    let usual = ["reasoning_effort"];
    let usual = usual.iter().filter(|name| !of_server.contains(name));
    for name in of_server.iter().chain(usual) {
        let at = written.iter().position(|(member, _)| member == name);
        let value = at.map(|at| written.swap_remove(at).1);
        edit.replace(&format!("/{name}"), value)?;
    }
    // OpenRouter's members would contradict OpenAI's.
    for name in ["effort", "max_tokens", "enabled"] {
        edit.remove(&format!("/reasoning/{name}"));
    }
    Ok(())
}

/// Returns the members by which a request asks for an effort.
pub(super) fn effort_members(
    effort: Effort,
    traits: &Traits,
    report: &mut TranslationReport,
) -> Vec<(&'static str, Value)> {
    let enabled = effort != Effort::None;
    let kind = if enabled { "enabled" } else { "disabled" };
    let is_switch = matches!(
        traits.reasoning_request,
        ReasoningRequest::EnableThinking | ReasoningRequest::Thinking
    );
    if is_switch && enabled {
        report.warn(
            loss::EFFORT,
            "changed: the model takes reasoning on or off, no effort",
        );
    }
    let members = traits.reasoning_request.members().iter();
    let value = |name: &&'static str| match *name {
        "enable_thinking" => Some((*name, json!(enabled))),
        "thinking" => Some((*name, json!({"type": kind}))),
        // Beside a switch that is off, an effort would contradict it.
        _ if !enabled && traits.reasoning_request == ReasoningRequest::ThinkingAndEffort => None,
        _ => Some((*name, json!(traits.effort_word(effort)))),
    };
    members.filter_map(value).collect()
}

/// Returns the reasoning text of a message or a delta, by either name; empty if there is none.
pub(super) fn text_of(message: &Map<String, Value>) -> &str {
    ["reasoning_content", "reasoning"]
        .into_iter()
        .find_map(|name| message.get(name)?.as_str().filter(|text| !text.is_empty()))
        .unwrap_or_default()
}

/// Decodes a reasoning text and its details.
///
/// Reasoning without a record gets an empty signature of this dialect. It marks the reasoning, in later
/// requests, as one of a provider of this dialect: some require their text back beside a tool call.
pub(super) fn decode(text: &str, details: &[Value]) -> Vec<ReasoningPart> {
    if details.is_empty() {
        return text_only(text).into_iter().collect();
    }
    match details
        .iter()
        .map(EncryptedDetail::decode)
        .collect::<Option<Vec<_>>>()
    {
        Some(encrypted) => split(text, &encrypted),
        None => vec![with_details(text, details)],
    }
}

/// Returns a signature of this dialect.
pub(super) fn own_signature(data: impl Into<String>) -> Signature {
    Signature {
        origin: DIALECT,
        data: data.into(),
    }
}

/// A detail with nothing but a record. Jackfield writes such details.
pub(super) struct EncryptedDetail<'a> {
    pub(super) data: &'a str,
    /// The bytes of the reasoning text that it belongs to; `None` if that text is hidden.
    pub(super) span: Option<(usize, usize)>,
}

impl<'a> EncryptedDetail<'a> {
    /// Decodes a detail; `None` if it has other members, which the provider may expect back too.
    pub(super) fn decode(detail: &'a Value) -> Option<Self> {
        let members = detail.as_object()?;
        let known = |(name, value): (&String, &Value)| {
            value.is_null() || ["type", "data", "index", SPAN].contains(&name.as_str())
        };
        if members.get("type")?.as_str()? != ENCRYPTED || !members.iter().all(known) {
            return None;
        }
        let end = |value: &Value| value.as_u64().and_then(|end| usize::try_from(end).ok());
        let span = members.get(SPAN).and_then(Value::as_array);
        Some(Self {
            data: members.get("data")?.as_str()?,
            span: span.and_then(|span| Some((end(span.first()?)?, end(span.get(1)?)?))),
        })
    }
}

/// Encodes reasoning into the members of a message.
#[derive(Debug, Default)]
pub(super) struct ReasoningMembers {
    /// The text for `reasoning_content`.
    pub(super) text: String,
    details: Vec<Value>,
}

impl ReasoningMembers {
    /// Adds reasoning, with its signature of any dialect.
    pub(super) fn add(&mut self, part: &ReasoningPart) {
        let start = self.text.len();
        self.text += &part.text;
        let span = (!part.redacted).then_some((start, self.text.len()));
        if let Some(signature) = &part.signature {
            let index = self.details.len();
            self.details.extend(details(signature, index, span));
        }
    }

    /// Returns the list for `reasoning_details`. If one record belongs to all of the text, it needs no span.
    pub(super) fn into_details(self) -> Vec<Value> {
        let mut details = self.details;
        let whole = json!([0, self.text.len()]);
        // With an empty text the span stays: without it, `split` would read the part as redacted.
        if let [Value::Object(only)] = details.as_mut_slice()
            && !self.text.is_empty()
            && only.get(SPAN) == Some(&whole)
        {
            only.shift_remove(SPAN);
        }
        details
    }
}

/// Encodes a signature as details, with indexes from `index` on.
pub(super) fn details(
    signature: &Signature,
    index: usize,
    span: Option<(usize, usize)>,
) -> Vec<Value> {
    match signature.data_for(DIALECT) {
        Some("") => return Vec::new(),
        Some(data) if data.starts_with('[') => {
            if let Ok(Value::Array(details)) = serde_json::from_str(data) {
                return details;
            }
        }
        _ => {}
    }
    let mut detail =
        json!({"type": ENCRYPTED, "data": signature.encode_for(DIALECT), "index": index});
    if let (Some((start, end)), Some(members)) = (span, detail.as_object_mut()) {
        members.insert(SPAN.to_owned(), json!([start, end]));
    }
    vec![detail]
}

/// The details of a stream, joined from their pieces. They are kept whole or not at all, because a provider
/// rejects an incomplete record.
#[derive(Debug, Default)]
pub(super) struct DetailRecord {
    details: Vec<Value>,
    bytes: usize,
}

impl DetailRecord {
    /// Adds a piece. It belongs to the last detail if it has the same type and index.
    pub(super) fn add(&mut self, piece: &Value) {
        self.bytes = self.bytes.saturating_add(piece.to_string().len());
        if self.bytes > REASONING_RECORD_BYTES_MAX {
            // `bytes` stays above the limit, so the pieces that follow are dropped too.
            self.details = Vec::new();
            return;
        }
        let same = |last: &Value| {
            ["type", "index"]
                .iter()
                .all(|it| last.get(it) == piece.get(it))
        };
        match (self.details.last_mut().filter(|last| same(last)), piece) {
            (Some(Value::Object(last)), Value::Object(piece)) => merge(last, piece),
            _ => self.details.push(piece.clone()),
        }
    }

    /// Takes the record as a signature; `None` if it is empty, or was too large.
    pub(super) fn take(&mut self) -> Option<Signature> {
        let record = std::mem::take(self);
        (!record.details.is_empty())
            .then(|| own_signature(Value::Array(record.details).to_string()))
    }
}

/// Returns the reasoning text in a detail; empty if there is none.
pub(super) fn visible_text(detail: &Value) -> &str {
    ["text", "summary"]
        .into_iter()
        .find_map(|name| detail.get(name)?.as_str())
        .unwrap_or_default()
}

fn merge(last: &mut Map<String, Value>, piece: &Map<String, Value>) {
    for (name, value) in piece {
        let grows = ["text", "summary", "data"].contains(&name.as_str());
        match (last.get_mut(name), value) {
            (_, Value::Null) => {}
            (Some(Value::String(text)), Value::String(more)) if grows => text.push_str(more),
            _ => {
                last.insert(name.clone(), value.clone());
            }
        }
    }
}

fn text_only(text: &str) -> Option<ReasoningPart> {
    (!text.is_empty()).then(|| ReasoningPart {
        text: text.to_owned(),
        signature: Some(own_signature("")),
        redacted: false,
    })
}

fn with_details(text: &str, details: &[Value]) -> ReasoningPart {
    let text = if text.is_empty() {
        details.iter().map(visible_text).collect()
    } else {
        text.to_owned()
    };
    ReasoningPart {
        redacted: text.is_empty(),
        text,
        signature: Some(own_signature(Value::Array(details.to_vec()).to_string())),
    }
}

fn split(text: &str, encrypted: &[EncryptedDetail<'_>]) -> Vec<ReasoningPart> {
    let mut parts = Vec::new();
    let mut at = 0;
    // If no record has a span, the first one belongs to the text.
    let placed = encrypted.iter().any(|record| record.span.is_some());
    for record in encrypted {
        let first = !placed && parts.is_empty() && !text.is_empty();
        let span = if first {
            Some((0, text.len()))
        } else {
            record.span
        };
        // Clients may send any span. It must not overlap the one before it, or cut a character.
        let span = span.filter(|(start, end)| *start >= at && text.get(*start..*end).is_some());
        if let Some((start, end)) = span {
            parts.extend(text_only(text.get(at..start).unwrap_or_default()));
            at = end;
        }
        let (start, end) = span.unwrap_or_default();
        parts.push(ReasoningPart {
            text: text.get(start..end).unwrap_or_default().to_owned(),
            signature: Some(Signature::read(DIALECT, record.data)),
            redacted: span.is_none(),
        });
    }
    parts.extend(text_only(text.get(at..).unwrap_or_default()));
    parts
}

/// The type of details that only their provider can read.
const ENCRYPTED: &str = "reasoning.encrypted";
/// Jackfield's own member of a detail: OpenRouter's details have no member for where the reasoning ends.
const SPAN: &str = "span";
#[cfg(test)]
mod tests {
    use super::*;
    use crate::Dialect;

    fn part(text: &str, signature: Option<Signature>, redacted: bool) -> ReasoningPart {
        let text = text.to_owned();
        ReasoningPart {
            text,
            signature,
            redacted,
        }
    }

    fn foreign(data: &str) -> Option<Signature> {
        let data = data.to_owned();
        Some(Signature {
            origin: Dialect::AnthropicMessages,
            data,
        })
    }

    #[test]
    fn splits_reasoning_by_signature() {
        let cases = [
            vec![part("one", foreign("a"), false)],
            vec![part("", foreign("a"), true)],
            vec![
                part("é", foreign("a"), false),
                part("", foreign("b"), true),
                part("", foreign("c"), false),
                part("bare", Some(own_signature("")), false),
                part("last", foreign("d"), false),
            ],
            vec![part("bare", Some(own_signature("")), false)],
            vec![part(
                "x",
                Some(own_signature(
                    r#"[{"type":"reasoning.text","text":"x","signature":"s"}]"#,
                )),
                false,
            )],
        ];
        for parts in cases {
            let mut members = ReasoningMembers::default();
            parts.iter().for_each(|part| members.add(part));
            let text = members.text.clone();
            assert_eq!(decode(&text, &members.into_details()), parts);
        }
    }

    #[test]
    fn assigns_single_signature_without_span_to_text() {
        let details = [json!({"type": "reasoning.encrypted", "data": "s"})];
        let expected = [part("x", Some(own_signature("s")), false)];
        assert_eq!(decode("x", &details), expected);
    }

    #[test]
    fn ignores_invalid_spans() {
        for span in [
            json!([2, 1]),
            json!([0, 99]),
            json!([1, 2]),
            json!(["a"]),
            json!([-1, 2]),
        ] {
            let details = [json!({"type": "reasoning.encrypted", "data": "s", "span": span})];
            let read: String = decode("é", &details)
                .into_iter()
                .map(|it| it.text)
                .collect();
            assert_eq!(read, "é");
        }
    }

    #[test]
    fn merges_streamed_details() {
        let mut record = DetailRecord::default();
        for piece in [
            json!({"type": "reasoning.text", "text": "a", "index": 0, "signature": null}),
            json!({"type": "reasoning.text", "text": "b", "index": 0}),
            json!({"type": "reasoning.text", "signature": "s", "index": 0}),
            json!({"type": "reasoning.encrypted", "data": "d", "index": 1}),
        ] {
            record.add(&piece);
        }
        let whole = r#"[{"type":"reasoning.text","text":"ab","index":0,"signature":"s"},{"type":"reasoning.encrypted","data":"d","index":1}]"#;
        assert_eq!(record.take(), Some(own_signature(whole)));
        assert_eq!(record.take(), None);
    }

    #[test]
    fn drops_details_over_size_limit() {
        let mut record = DetailRecord::default();
        let half = "x".repeat(REASONING_RECORD_BYTES_MAX / 2);
        let piece = json!({"type": "reasoning.encrypted", "data": half});
        record.add(&piece);
        record.add(&piece);
        record.add(&json!({"type": "reasoning.encrypted", "data": "y"}));
        assert_eq!(record.take(), None);
    }
}
