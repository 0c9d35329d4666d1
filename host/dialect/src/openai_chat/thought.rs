//! What a model thought, in the members that providers of this dialect have for it: `reasoning_content`
//! (DeepSeek's name) or `reasoning` (OpenRouter's) for the text, `reasoning_details` (OpenRouter's) for the
//! records that are handed back. OpenAI's own chat shows neither.

use serde_json::{Map, Value, json};

use crate::Dialect;
use crate::interlingua::{Signature, ReasoningPart};

/// The text of a message's or a delta's thoughts, by either name.
pub(super) fn text_of(message: &Map<String, Value>) -> &str {
    ["reasoning_content", "reasoning"]
        .into_iter()
        .find_map(|name| message.get(name)?.as_str().filter(|text| !text.is_empty()))
        .unwrap_or_default()
}

/// The thoughts that a text and its details tell.
///
/// A thought without a record gets an empty one of this dialect: it tells a later request that a provider
/// of this dialect thought so, and some of them demand their text back beside a call of a tool.
pub(super) fn read(text: &str, details: &[Value]) -> Vec<ReasoningPart> {
    if details.is_empty() {
        return bare(text).into_iter().collect();
    }
    match details.iter().map(Sealed::read).collect::<Option<Vec<_>>>() {
        Some(sealed) => split(text, &sealed),
        None => vec![recorded(text, details)],
    }
}

/// A signature of this dialect.
pub(super) fn own(data: impl Into<String>) -> Signature {
    Signature {
        origin: MINE,
        data: data.into(),
    }
}

/// One detail that is nothing but a record: what Jackfield itself writes.
pub(super) struct Sealed<'a> {
    pub(super) data: &'a str,
    /// The bytes of the text that it belongs to; none for a text that is hidden.
    pub(super) span: Option<(usize, usize)>,
}

impl<'a> Sealed<'a> {
    /// None if there is more in it, which a provider may want back as well.
    pub(super) fn read(detail: &'a Value) -> Option<Self> {
        let members = detail.as_object()?;
        let known = |(name, value): (&String, &Value)| {
            value.is_null() || ["type", "data", "index", SPAN].contains(&name.as_str())
        };
        if members.get("type")?.as_str()? != SEALED || !members.iter().all(known) {
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

/// The members of thoughts, being written.
#[derive(Debug, Default)]
pub(super) struct Members {
    /// Goes into `reasoning_content`.
    pub(super) text: String,
    details: Vec<Value>,
}

impl Members {
    /// Adds a thought, with its record whoever made it.
    pub(super) fn add(&mut self, thought: &ReasoningPart) {
        let start = self.text.len();
        self.text += &thought.text;
        let span = (!thought.redacted).then_some((start, self.text.len()));
        if let Some(signature) = &thought.signature {
            let index = self.details.len();
            self.details.extend(details(signature, index, span));
        }
    }

    /// What goes into `reasoning_details`. Where one record belongs to all of the text, its place is not
    /// said: no reader could go wrong.
    pub(super) fn into_details(self) -> Vec<Value> {
        let mut details = self.details;
        let whole = json!([0, self.text.len()]);
        if let [Value::Object(only)] = details.as_mut_slice()
            && !self.text.is_empty()
            && only.get(SPAN) == Some(&whole)
        {
            only.shift_remove(SPAN);
        }
        details
    }
}

/// The details that a signature is written as, from `index` on.
pub(super) fn details(
    signature: &Signature,
    index: usize,
    span: Option<(usize, usize)>,
) -> Vec<Value> {
    match signature.data_for(MINE) {
        Some("") => return Vec::new(),
        Some(data) if data.starts_with('[') => {
            if let Ok(Value::Array(details)) = serde_json::from_str(data) {
                return details;
            }
        }
        _ => {}
    }
    let mut detail = json!({"type": SEALED, "data": signature.encode_for(MINE), "index": index});
    if let (Some((start, end)), Some(members)) = (span, detail.as_object_mut()) {
        members.insert(SPAN.to_owned(), json!([start, end]));
    }
    vec![detail]
}

/// The details of a stream, put together again from their pieces. They are handed back whole or not at
/// all: a provider refuses a record that lacks a part.
#[derive(Debug, Default)]
pub(super) struct Record {
    details: Vec<Value>,
    bytes: usize,
}

impl Record {
    /// Adds a piece: of the last detail if it has the same type and index.
    pub(super) fn add(&mut self, piece: &Value) {
        self.bytes = self.bytes.saturating_add(piece.to_string().len());
        if self.bytes > RECORD_BYTES_MAX {
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

    /// The record as a signature; none if there is nothing, or too much.
    pub(super) fn take(&mut self) -> Option<Signature> {
        let record = std::mem::take(self);
        (!record.details.is_empty()).then(|| own(Value::Array(record.details).to_string()))
    }
}

/// What a detail shows of a thought.
pub(super) fn shown(detail: &Value) -> &str {
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

fn bare(text: &str) -> Option<ReasoningPart> {
    (!text.is_empty()).then(|| ReasoningPart {
        text: text.to_owned(),
        signature: Some(own("")),
        redacted: false,
    })
}

fn recorded(text: &str, details: &[Value]) -> ReasoningPart {
    let text = if text.is_empty() {
        details.iter().map(shown).collect()
    } else {
        text.to_owned()
    };
    ReasoningPart {
        redacted: text.is_empty(),
        text,
        signature: Some(own(Value::Array(details.to_vec()).to_string())),
    }
}

fn split(text: &str, sealed: &[Sealed<'_>]) -> Vec<ReasoningPart> {
    let mut thoughts = Vec::new();
    let mut at = 0;
    // Without any place, the first record is that of the text.
    let placed = sealed.iter().any(|record| record.span.is_some());
    for record in sealed {
        let first = !placed && thoughts.is_empty() && !text.is_empty();
        let span = if first {
            Some((0, text.len()))
        } else {
            record.span
        };
        let span = span.filter(|(start, end)| *start >= at && text.get(*start..*end).is_some());
        if let Some((start, end)) = span {
            thoughts.extend(bare(text.get(at..start).unwrap_or_default()));
            at = end;
        }
        let (start, end) = span.unwrap_or_default();
        thoughts.push(ReasoningPart {
            text: text.get(start..end).unwrap_or_default().to_owned(),
            signature: Some(Signature::read(MINE, record.data)),
            redacted: span.is_none(),
        });
    }
    thoughts.extend(bare(text.get(at..).unwrap_or_default()));
    thoughts
}

const MINE: Dialect = Dialect::OpenaiChat;
/// The type of a detail that only its provider can read.
const SEALED: &str = "reasoning.encrypted";
/// Jackfield's own member of a detail: OpenRouter's have no place for what says where a thought ends.
const SPAN: &str = "span";
/// The most that is kept of one thought's record, in bytes. The longest there are hold a whole chain of
/// thought, encrypted, and have some hundred KiB.
const RECORD_BYTES_MAX: usize = 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn thought(text: &str, signature: Option<Signature>, redacted: bool) -> ReasoningPart {
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
    fn thoughts_with_records_of_any_dialect_come_back_apart() {
        let cases = [
            vec![thought("one", foreign("a"), false)],
            vec![thought("", foreign("a"), true)],
            vec![
                thought("é", foreign("a"), false),
                thought("", foreign("b"), true),
                thought("", foreign("c"), false),
                thought("bare", Some(own("")), false),
                thought("last", foreign("d"), false),
            ],
            vec![thought("bare", Some(own("")), false)],
            vec![thought(
                "x",
                Some(own(
                    r#"[{"type":"reasoning.text","text":"x","signature":"s"}]"#,
                )),
                false,
            )],
        ];
        for thoughts in cases {
            let mut members = Members::default();
            thoughts.iter().for_each(|thought| members.add(thought));
            let text = members.text.clone();
            assert_eq!(read(&text, &members.into_details()), thoughts);
        }
    }

    #[test]
    fn a_single_record_without_its_place_is_that_of_the_text() {
        let details = [json!({"type": "reasoning.encrypted", "data": "s"})];
        let expected = [thought("x", Some(own("s")), false)];
        assert_eq!(read("x", &details), expected);
    }

    #[test]
    fn a_place_that_is_none_is_not_followed() {
        for span in [
            json!([2, 1]),
            json!([0, 99]),
            json!([1, 2]),
            json!(["a"]),
            json!([-1, 2]),
        ] {
            let details = [json!({"type": "reasoning.encrypted", "data": "s", "span": span})];
            let read: String = read("é", &details).into_iter().map(|it| it.text).collect();
            assert_eq!(read, "é");
        }
    }

    #[test]
    fn a_record_is_put_together_from_its_pieces() {
        let mut record = Record::default();
        for piece in [
            json!({"type": "reasoning.text", "text": "a", "index": 0, "signature": null}),
            json!({"type": "reasoning.text", "text": "b", "index": 0}),
            json!({"type": "reasoning.text", "signature": "s", "index": 0}),
            json!({"type": "reasoning.encrypted", "data": "d", "index": 1}),
        ] {
            record.add(&piece);
        }
        let whole = r#"[{"type":"reasoning.text","text":"ab","index":0,"signature":"s"},{"type":"reasoning.encrypted","data":"d","index":1}]"#;
        assert_eq!(record.take(), Some(own(whole)));
        assert_eq!(record.take(), None);
    }

    #[test]
    fn a_record_that_is_too_long_is_not_handed_back() {
        let mut record = Record::default();
        let piece =
            json!({"type": "reasoning.encrypted", "data": "x".repeat(RECORD_BYTES_MAX / 2)});
        record.add(&piece);
        record.add(&piece);
        record.add(&json!({"type": "reasoning.encrypted", "data": "y"}));
        assert_eq!(record.take(), None);
    }
}
