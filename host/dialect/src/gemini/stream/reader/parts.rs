//! The parts of a stream. The API sends pieces without marks of where a part begins or ends, so both
//! follow from the order of the pieces.

use serde_json::{Map, Value};

use crate::gemini::citations;
use crate::gemini::{media, reasoning};
use crate::ir::{Delta, Event, Malformed, PartStart, Signature};
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
    /// Reads the parts and the citations of a response's first candidate. Translated requests never ask
    /// for another one.
    ///
    /// # Errors
    /// If the response is not JSON, or a tool call has no name.
    pub(super) fn read(&mut self, text: &str, out: &mut Vec<Event>) -> Result<(), Malformed> {
        let response: Value =
            serde_json::from_str(text).map_err(|_| Malformed("an event is not valid JSON"))?;
        let candidate = response.pointer("/candidates/0").and_then(Value::as_object);
        let Some(candidate) = candidate else {
            return Ok(());
        };
        let content = candidate.get("content");
        let parts = content.and_then(|content| content.get("parts")?.as_array());
        for part in parts.into_iter().flatten().filter_map(Value::as_object) {
            self.part(part, out)?;
        }
        self.push_citations(candidate, out);
        Ok(())
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

    fn part(&mut self, part: &Map<String, Value>, out: &mut Vec<Event>) -> Result<(), Malformed> {
        let is_reasoning = part.get("thought") == Some(&Value::Bool(true));
        let signature = string(part, "thoughtSignature").and_then(reasoning::decode);
        if let Some(call) = part.get("functionCall").and_then(Value::as_object) {
            self.push_call(call, signature, out)?;
        } else if let Some(data) = part.get("inlineData").and_then(Value::as_object) {
            // Images inside of reasoning are drafts of the image that follows.
            if !is_reasoning {
                self.push_media(data, out);
            }
            self.set_signature(signature, out);
        } else if is_reasoning {
            self.push_reasoning(string(part, "text").unwrap_or_default(), signature, out);
        } else {
            let text = string(part, "text").unwrap_or_default();
            self.push_text(text, out);
            self.set_signature(signature, out);
        }
        Ok(())
    }

    fn push_text(&mut self, text: &str, out: &mut Vec<Event>) {
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
            buffered.push_str(text);
        }
        out.push(Event::Delta(Delta::Text(text.to_owned())));
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

    fn push_reasoning(&mut self, text: &str, signature: Option<Signature>, out: &mut Vec<Event>) {
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
            out.push(Event::Delta(Delta::Reasoning(text.to_owned())));
        }
        if let Some(signature) = signature {
            out.push(Event::Delta(Delta::Signature(signature)));
            self.close(out);
        }
    }

    fn push_call(
        &mut self,
        call: &Map<String, Value>,
        signature: Option<Signature>,
        out: &mut Vec<Event>,
    ) -> Result<(), Malformed> {
        let name = string(call, "name").filter(|name| !name.is_empty());
        let name = name.ok_or(Malformed::UNNAMED_CALL)?;
        self.close(out);
        let given = string(call, "id").filter(|id| !id.is_empty());
        let fallback_id = || match self.id.as_str() {
            "" => format!("call_{}", self.calls),
            id => format!("call_{id}_{}", self.calls),
        };
        let id = given.map_or_else(fallback_id, str::to_owned);
        self.calls += 1;
        let arguments = match call.get("args") {
            None | Some(Value::Null) => "{}".to_owned(),
            Some(args) => args.to_string(),
        };
        out.push(Event::PartStart(PartStart::ToolCall {
            id,
            name: name.to_owned(),
            signature,
        }));
        out.push(Event::Delta(Delta::Arguments(arguments)));
        out.push(Event::PartEnd);
        Ok(())
    }

    fn push_media(&mut self, data: &Map<String, Value>, out: &mut Vec<Event>) {
        let of = |name: &str| string(data, name).map(str::to_owned);
        let (Some(media_type), Some(bytes)) = (of("mimeType"), of("data")) else {
            return;
        };
        if let Some(part) = media::inline_part(media_type, bytes, of("displayName")) {
            self.close(out);
            out.push(Event::PartStart(PartStart::Complete(part)));
            out.push(Event::PartEnd);
        }
    }

    /// Adds the citations of the open text. Without an open text they belong to no part, and are dropped.
    fn push_citations(&mut self, candidate: &Map<String, Value>, out: &mut Vec<Event>) {
        if self.open != Some(OpenKind::Text) {
            return;
        }
        for citation in citations::decode(candidate, self.text.as_deref()) {
            let key = (citation.url.clone(), citation.span);
            if self.cited.len() < CITATIONS_MAX && !self.cited.contains(&key) {
                self.cited.push(key);
                out.push(Event::Delta(Delta::Citation(citation)));
            }
        }
    }
}

fn string<'a>(members: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    members.get(name)?.as_str()
}

/// Returns the characters of a response's id that may stand in the id of a call.
pub(super) fn call_id_stem(response_id: &str) -> String {
    let is_id_char = |letter: &char| letter.is_ascii_alphanumeric() || "-_".contains(*letter);
    let letters = response_id.chars().filter(is_id_char);
    letters.take(ID_CHARS_MAX).collect()
}

/// The longest part of a response's id in the ids of its calls, in characters. OpenAI's ids have at most
/// 40, and Google's have 22.
const ID_CHARS_MAX: usize = 24;
