//! The parts of a stream. The API sends pieces without marks of where a part begins or ends, so both
//! follow from the order of the pieces.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::gemini::citations;
use crate::gemini::response::chunk::{Candidate, PartMembers};
use crate::gemini::{media, reasoning};
use crate::ir::{Delta, Event, Malformed, PartStart, Signature};
use crate::json;
use crate::limits::{CITATIONS_MAX, CITED_TEXT_BYTES_MAX};

/// The open part, and what is known of those before it.
#[derive(Debug, Default)]
pub(super) struct Parts {
    open: Option<OpenKind>,
    /// The open text; `None` if it is too long to compute the spans of its citations.
    text: Option<String>,
    /// The signature of the open text. It goes out at the end of the text, as a part of its own.
    signature: Option<Signature>,
    /// The citations so far: some models repeat all of them in each event.
    cited: Vec<CitationKey>,
    /// The number of tool calls so far.
    pub(super) calls: usize,
    /// The middle of the ids that are made up for calls without one.
    pub(super) id: String,
}

/// A citation's address and span.
type CitationKey = (Option<String>, Option<(u64, u64)>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum OpenKind {
    Reasoning,
    Text,
}

impl Parts {
    /// Reads the parts and the citations of a candidate.
    ///
    /// # Errors
    /// If one is not valid JSON, or a tool call has no name.
    pub(super) fn read(
        &mut self,
        candidate: &Candidate<'_>,
        out: &mut Vec<Event>,
    ) -> Result<(), Malformed> {
        for part in candidate.parts() {
            self.part(part, out)?;
        }
        self.push_citations(candidate, out)
    }

    /// Ends the open part.
    pub(super) fn close(&mut self, out: &mut Vec<Event>) {
        if self.open.take().is_some() {
            out.push(Event::PartEnd);
        }
        self.text = None;
        if let Some(signature) = self.signature.take() {
            out.push(Event::PartStart(PartStart::Reasoning { redacted: false }));
            out.push(Event::Delta(Delta::Signature(signature)));
            out.push(Event::PartEnd);
        }
    }

    fn part(&mut self, part: &PartMembers<'_>, out: &mut Vec<Event>) -> Result<(), Malformed> {
        let signature = reasoning::decode(&text(part.signature)?);
        let call = part.function_call.filter(|raw| raw.get().starts_with('{'));
        if let Some(call) = call {
            self.push_call(call, signature, out)?;
        } else if let Some(data) = object(part.inline_data)? {
            // Images inside of reasoning are drafts of the image that follows.
            if !part.is_reasoning {
                self.push_media(data, out);
            }
            self.set_signature(signature, out);
        } else if part.is_reasoning {
            self.push_reasoning(text(part.text)?, signature, out);
        } else {
            self.push_text(text(part.text)?, out);
            self.set_signature(signature, out);
        }
        Ok(())
    }

    fn push_text(&mut self, text: Cow<'_, str>, out: &mut Vec<Event>) {
        if text.is_empty() {
            return;
        }
        // A signature belongs to the text before it, so text after it is another part.
        if self.open != Some(OpenKind::Text) || self.signature.is_some() {
            self.close(out);
            self.open = Some(OpenKind::Text);
            self.text = Some(String::new());
            out.push(Event::PartStart(PartStart::Text));
        }
        let is_short = |buffered: &String| buffered.len() + text.len() <= CITED_TEXT_BYTES_MAX;
        self.text = self.text.take().filter(is_short);
        if let Some(buffered) = &mut self.text {
            buffered.push_str(&text);
        }
        out.push(Event::Delta(Delta::Text(text.into_owned())));
    }

    /// Stores the signature of the piece that was read last.
    fn set_signature(&mut self, signature: Option<Signature>, out: &mut Vec<Event>) {
        if signature.is_none() {
            return;
        }
        // There is room for one signature, so an earlier one must go out first.
        if self.open != Some(OpenKind::Text) || self.signature.is_some() {
            self.close(out);
        }
        self.signature = signature;
    }

    fn push_reasoning(
        &mut self,
        text: Cow<'_, str>,
        signature: Option<Signature>,
        out: &mut Vec<Event>,
    ) {
        if text.is_empty() && signature.is_none() {
            return;
        }
        if self.open != Some(OpenKind::Reasoning) {
            self.close(out);
            self.open = Some(OpenKind::Reasoning);
            let redacted = text.is_empty();
            out.push(Event::PartStart(PartStart::Reasoning { redacted }));
        }
        if !text.is_empty() {
            out.push(Event::Delta(Delta::Reasoning(text.into_owned())));
        }
        if let Some(signature) = signature {
            out.push(Event::Delta(Delta::Signature(signature)));
            self.close(out);
        }
    }

    fn push_call(
        &mut self,
        call: &RawValue,
        signature: Option<Signature>,
        out: &mut Vec<Event>,
    ) -> Result<(), Malformed> {
        let found = json::members(call.get(), ["name", "id", "args"]).map_err(|_| NOT_JSON)?;
        let [name, id, args] = found.values;
        let name = Some(text(name)?).filter(|name| !name.is_empty());
        let name = name.ok_or(Malformed::UNNAMED_CALL)?;
        self.close(out);
        let given = Some(text(id)?).filter(|id| !id.is_empty());
        let fallback_id = || match self.id.as_str() {
            "" => format!("call_{}", self.calls),
            id => format!("call_{id}_{}", self.calls),
        };
        let id = given.map_or_else(fallback_id, Cow::into_owned);
        self.calls += 1;
        // As a tree, numbers beyond 64 bits would lose digits.
        let arguments = match args.map(RawValue::get) {
            None | Some("null") => "{}".to_owned(),
            Some(args) => json::compact(args),
        };
        out.push(Event::PartStart(PartStart::ToolCall {
            id,
            name: name.into_owned(),
            signature,
        }));
        out.push(Event::Delta(Delta::Arguments(arguments)));
        out.push(Event::PartEnd);
        Ok(())
    }

    fn push_media(&mut self, mut data: Map<String, Value>, out: &mut Vec<Event>) {
        let mut take = |name: &str| match data.remove(name) {
            Some(Value::String(text)) => Some(text),
            _ => None,
        };
        let (Some(media_type), Some(bytes)) = (take("mimeType"), take("data")) else {
            return;
        };
        if let Some(part) = media::inline_part(media_type, bytes, take("displayName")) {
            self.close(out);
            out.push(Event::PartStart(PartStart::Complete(part)));
            out.push(Event::PartEnd);
        }
    }

    /// Adds the citations of the open text. Without an open text they belong to no part, and are dropped.
    ///
    /// # Errors
    /// If they are not valid JSON.
    fn push_citations(
        &mut self,
        candidate: &Candidate<'_>,
        out: &mut Vec<Event>,
    ) -> Result<(), Malformed> {
        if self.open != Some(OpenKind::Text) {
            return Ok(());
        }
        let grounding = candidate.grounding_metadata.map(decode).transpose()?;
        let cited = candidate.citation_metadata.map(decode).transpose()?;
        let text = self.text.as_deref();
        for citation in citations::decode(grounding.as_ref(), cited.as_ref(), text) {
            let key = (citation.url.clone(), citation.span);
            if self.cited.len() < CITATIONS_MAX && !self.cited.contains(&key) {
                self.cited.push(key);
                out.push(Event::Delta(Delta::Citation(citation)));
            }
        }
        Ok(())
    }
}

/// Decodes a text; empty if it is missing or no string.
///
/// # Errors
/// If it has an escape that stands for no character.
fn text(raw: Option<&RawValue>) -> Result<Cow<'_, str>, Malformed> {
    match raw.filter(|raw| raw.get().starts_with('"')) {
        Some(raw) => json::string(raw).ok_or(NOT_JSON),
        None => Ok(Cow::Borrowed("")),
    }
}

/// Decodes an object; `None` if it is missing or another value.
///
/// # Errors
/// If something in it is not valid.
fn object(raw: Option<&RawValue>) -> Result<Option<Map<String, Value>>, Malformed> {
    let raw = raw.filter(|raw| raw.get().starts_with('{'));
    raw.map(decode).transpose()
}

fn decode<'a, T: Deserialize<'a>>(raw: &'a RawValue) -> Result<T, Malformed> {
    serde_json::from_str(raw.get()).map_err(|_| NOT_JSON)
}

/// Returns the characters of a response's id that may stand in the id of a call.
pub(super) fn call_id_stem(response_id: &str) -> String {
    let is_id_char = |letter: &char| letter.is_ascii_alphanumeric() || "-_".contains(*letter);
    let letters = response_id.chars().filter(is_id_char);
    letters.take(ID_CHARS_MAX).collect()
}

/// The error for a value that is valid for `RawValue`, but not for serde_json's tree: a
/// number out of range, or a deep nesting.
const NOT_JSON: Malformed = Malformed("an event is not valid JSON");

/// The longest part of a response's id in the ids of its calls, in characters. OpenAI's ids have at most
/// 40, and Google's have 22.
const ID_CHARS_MAX: usize = 24;
