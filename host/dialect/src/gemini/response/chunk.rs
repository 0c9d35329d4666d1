//! A `GenerateContentResponse`, whole or as one event of a stream, read in one pass. The content stays as the
//! provider sent it: `stream/reader/parts.rs` decodes it.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::finish_reason;
use crate::ProviderError;
use crate::json::{is_void, string};

/// A response, or an event of one. A null member counts as missing.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct ResponseChunk<'a> {
    #[serde(borrow)]
    pub(crate) candidates: Option<CandidateList<'a>>,
    #[serde(borrow)]
    pub(crate) error: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(crate) model_version: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(crate) prompt_feedback: Option<PromptFeedback<'a>>,
    #[serde(borrow)]
    pub(crate) response_id: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(crate) usage_metadata: Option<&'a RawValue>,
}

/// The candidates of a response. Only the first is translated; relayed responses may have others.
#[derive(Debug, Default)]
pub(crate) struct CandidateList<'a> {
    first: Option<Candidate<'a>>,
    /// Whether any candidate has content.
    has_content: bool,
    /// The first finish reason.
    finish_reason: Option<&'a RawValue>,
}

/// A candidate.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Candidate<'a> {
    #[serde(borrow)]
    content: Option<ContentMembers<'a>>,
    #[serde(borrow)]
    finish_reason: Option<&'a RawValue>,
    #[serde(borrow)]
    finish_message: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(crate) grounding_metadata: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(crate) citation_metadata: Option<&'a RawValue>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct PromptFeedback<'a> {
    #[serde(borrow)]
    block_reason: Option<&'a RawValue>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ContentMembers<'a> {
    #[serde(borrow)]
    parts: Option<Vec<Option<PartMembers<'a>>>>,
}

/// The members of a part that the common form has; of a duplicate member, the last one.
#[derive(Debug, Default)]
pub(crate) struct PartMembers<'a> {
    /// Whether the part has content. Google adds kinds of parts often. A part of an unknown kind counts as
    /// content, because to hold it back would hold back the whole response.
    has_content: bool,
    /// Whether the text is reasoning.
    pub(crate) is_reasoning: bool,
    pub(crate) function_call: Option<&'a RawValue>,
    pub(crate) inline_data: Option<&'a RawValue>,
    pub(crate) text: Option<&'a RawValue>,
    pub(crate) signature: Option<&'a RawValue>,
}

impl<'a> ResponseChunk<'a> {
    /// Reads a response; `None` if the text is not a JSON object, or a member has another type than in the
    /// API.
    pub(crate) fn read(text: &'a str) -> Option<Self> {
        // Serde would read an array as the members in their order.
        text.trim_ascii_start()
            .starts_with('{')
            .then(|| serde_json::from_str(text).ok())?
    }

    /// Whether any candidate has content.
    pub(crate) fn has_content(&self) -> bool {
        let candidates = self.candidates.as_ref();
        candidates.is_some_and(|candidates| candidates.has_content)
    }

    /// Returns the first candidate. Translated requests never ask for another one.
    pub(crate) fn first_candidate(&self) -> Option<&Candidate<'a>> {
        self.candidates.as_ref()?.first.as_ref()
    }

    /// Returns the finish reason. A response to a blocked prompt has [`BLOCKED`] in place of one.
    pub(crate) fn reason(&self) -> Option<Cow<'a, str>> {
        let candidates = self.candidates.as_ref();
        if let Some(reason) = candidates.and_then(|candidates| candidates.finish_reason) {
            return string(reason);
        }
        let block_reason = self.prompt_feedback.as_ref()?.block_reason;
        let block_reason = block_reason.filter(|raw| !is_void(raw))?;
        string(block_reason).map(|_| Cow::Borrowed(BLOCKED))
    }
}

impl ResponseChunk<'_> {
    /// Returns the error of a response that failed by its finish reason.
    pub(crate) fn failure(&self) -> Option<ProviderError> {
        let reason = self
            .reason()
            .filter(|reason| finish_reason::is_failure(reason))?;
        let candidate = self.first_candidate();
        let message = candidate.and_then(|candidate| string(candidate.finish_message?));
        let message = message.filter(|message| !message.is_empty());
        let default = || format!("the provider ended the response with {reason}").into();
        Some(ProviderError {
            code: Some(reason.clone().into_owned()),
            ..ProviderError::from_message(&message.unwrap_or_else(default))
        })
    }
}

impl<'a> Candidate<'a> {
    /// Returns the parts.
    pub(crate) fn parts(&self) -> impl Iterator<Item = &PartMembers<'a>> {
        let parts = self.content.iter().flat_map(|content| &content.parts);
        parts.flatten().flatten()
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for CandidateList<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(Self::default())
    }
}

impl<'de: 'a, 'a> Visitor<'de> for CandidateList<'a> {
    type Value = Self;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an array of candidates")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut seq: A) -> Result<Self, A::Error> {
        let mut is_first = true;
        while let Some(candidate) = seq.next_element::<Option<Candidate<'a>>>()? {
            if let Some(candidate) = candidate {
                self.has_content |= candidate.parts().any(|part| part.has_content);
                let reason = candidate.finish_reason.filter(|raw| !is_void(raw));
                self.finish_reason = self.finish_reason.or(reason);
                if is_first {
                    self.first = Some(candidate);
                }
            }
            is_first = false;
        }
        Ok(self)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for PartMembers<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Self::default())
    }
}

impl<'de: 'a, 'a> Visitor<'de> for PartMembers<'a> {
    type Value = Self;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a part")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<Self, A::Error> {
        while let Some(name) = map.next_key::<&RawValue>()? {
            let value: &RawValue = map.next_value()?;
            match string(name).as_deref() {
                // This flag marks the text beside it as reasoning. It is no content itself.
                Some("thought") => {
                    self.is_reasoning = value.get() == "true";
                    continue;
                }
                Some("functionCall") => self.function_call = Some(value),
                Some("inlineData") => self.inline_data = Some(value),
                Some("text") => self.text = Some(value),
                Some("thoughtSignature") => self.signature = Some(value),
                _ => {}
            }
            self.has_content |= !is_void(value);
        }
        Ok(self)
    }
}

/// The finish reason that stands for a blocked prompt.
const BLOCKED: &str = "PROHIBITED_CONTENT";
