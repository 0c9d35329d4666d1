//! Reads a provider's stream: each event is a whole `GenerateContentResponse` with the next parts.

use serde_json::{Map, Value};

use crate::gemini::citations::{self, CITATIONS_MAX, CITED_BYTES_MAX};
use crate::gemini::response::finish_reason;
use crate::gemini::{media, reasoning, usage};
use crate::ir::{Delta, Event, EventDecoder, Malformed, PartStart, Signature};
use crate::stream::{Classifying, LegacyDecoder};
use crate::{ProviderError, truncate};

/// Reads the events of one stream.
#[must_use]
pub(crate) fn decoder() -> Box<dyn EventDecoder> {
    Box::new(Classifying::new(StreamDecoder::default()))
}

#[derive(Debug, Default)]
pub(crate) struct StreamDecoder {
    started: bool,
    /// Whether nothing follows any more: it failed, or was done.
    ended: bool,
    open: Option<OpenKind>,
    /// The open text, while it is short enough for places in it to be counted.
    text: Option<String>,
    /// The signature that came with the text. It is told once the text has ended.
    signature: Option<Signature>,
    /// What was cited already: some models repeat all of it in each event.
    cited: Vec<CitationKey>,
    /// How many calls there were.
    calls: usize,
    /// What the ids of calls are made of, where the provider gives none.
    id: String,
    reason: Option<String>,
}

/// A citation's address and place.
type CitationKey = (Option<String>, Option<(u64, u64)>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum OpenKind {
    Reasoning,
    Text,
}

impl LegacyDecoder for StreamDecoder {
    fn event(&mut self, name: &str, data: &[u8], out: &mut Vec<Event>) -> Result<(), Malformed> {
        // Some gateways end streams as OpenAI does.
        if self.ended || data.trim_ascii().is_empty() || data.starts_with(b"[DONE]") {
            return Ok(());
        }
        let value: Option<Value> = serde_json::from_slice(data).ok();
        let response = match value {
            Some(Value::Object(response)) if name != "error" => response,
            _ => return self.failure(name, data, out),
        };
        if response.get("error").is_some_and(|error| !error.is_null()) {
            return self.failure("error", data, out);
        }
        self.start(&response, out);
        if let Some(usage) = response.get("usageMetadata").and_then(usage::decode) {
            out.push(Event::Usage(usage));
        }
        let candidate = response.get("candidates").and_then(|them| them.get(0));
        match candidate.and_then(Value::as_object) {
            Some(candidate) => self.candidate(candidate, out)?,
            None => self.blocked(&response),
        }
        Ok(())
    }

    fn finish(&mut self, out: &mut Vec<Event>) {
        if self.ended {
            return;
        }
        // Told only now: providers have been seen to send parts and counts after it.
        if let Some(reason) = self.reason.take() {
            self.close(out);
            out.push(Event::Finish(finish_reason::decode(
                &reason,
                self.calls > 0,
            )));
            out.push(Event::Done);
            self.ended = true;
        }
    }
}

impl StreamDecoder {
    /// Ends what is open.
    pub(crate) fn close(&mut self, out: &mut Vec<Event>) {
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

    fn failure(&mut self, name: &str, data: &[u8], out: &mut Vec<Event>) -> Result<(), Malformed> {
        self.ended = true;
        let error = ProviderError::read(data).or_else(|| {
            let text = String::from_utf8_lossy(data);
            (name == "error").then(|| ProviderError::from_message(&text))
        });
        out.push(Event::Error(error.ok_or(Malformed(
            "an event of the stream is no response object",
        ))?));
        Ok(())
    }

    fn start(&mut self, response: &Map<String, Value>, out: &mut Vec<Event>) {
        if self.started {
            return;
        }
        self.started = true;
        let id = string(response, "responseId").unwrap_or_default();
        let is_id_char = |letter: &char| letter.is_ascii_alphanumeric() || "-_".contains(*letter);
        self.id = id.chars().filter(is_id_char).take(ID_CHARS_MAX).collect();
        out.push(Event::Start {
            id: id.to_owned(),
            model: string(response, "modelVersion")
                .unwrap_or_default()
                .to_owned(),
        });
    }

    /// An answer that was not begun: the prompt was held back.
    fn blocked(&mut self, response: &Map<String, Value>) {
        let feedback = response.get("promptFeedback").and_then(Value::as_object);
        let reason = feedback.and_then(|feedback| string(feedback, "blockReason"));
        if reason.is_some_and(|reason| !reason.is_empty()) {
            self.reason = Some("PROHIBITED_CONTENT".to_owned());
        }
    }

    fn candidate(
        &mut self,
        candidate: &Map<String, Value>,
        out: &mut Vec<Event>,
    ) -> Result<(), Malformed> {
        let parts = candidate
            .get("content")
            .and_then(|content| content.get("parts"));
        for part in parts.and_then(Value::as_array).into_iter().flatten() {
            if let Some(part) = part.as_object() {
                self.part(part, out)?;
            }
        }
        self.push_citations(candidate, out);
        if let Some(reason) = string(candidate, "finishReason").filter(|it| !it.is_empty()) {
            self.reason = Some(truncate(reason, ProviderError::CODE_BYTES_MAX).to_owned());
        }
        Ok(())
    }

    fn part(&mut self, part: &Map<String, Value>, out: &mut Vec<Event>) -> Result<(), Malformed> {
        let is_reasoning = part.get("thought") == Some(&Value::Bool(true));
        let signature = string(part, "thoughtSignature").and_then(reasoning::decode);
        if let Some(call) = part.get("functionCall").and_then(Value::as_object) {
            self.push_call(call, signature, out)?;
        } else if let Some(data) = part.get("inlineData").and_then(Value::as_object) {
            // Pictures of a thought are drafts.
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
        if self.open != Some(OpenKind::Text) || self.signature.is_some() {
            self.close(out);
            self.open = Some(OpenKind::Text);
            self.text = Some(String::new());
            out.push(Event::PartStart(PartStart::Text));
        }
        self.text = self
            .text
            .take()
            .filter(|buffered| buffered.len() + text.len() <= CITED_BYTES_MAX);
        if let Some(buffered) = &mut self.text {
            buffered.push_str(text);
        }
        out.push(Event::Delta(Delta::Text(text.to_owned())));
    }

    /// Keeps the signature of what was just said.
    fn set_signature(&mut self, signature: Option<Signature>, out: &mut Vec<Event>) {
        if signature.is_none() {
            return;
        }
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

    /// Tells what the open text cites. What comes when there is none has nowhere to stand.
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

/// How much of a response's id goes into the ids of its calls, in characters: OpenAI takes ids of 40, and
/// Google's have 22.
const ID_CHARS_MAX: usize = 24;
