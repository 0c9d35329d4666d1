//! A `GenerateContentResponse`, whole or as one event of a stream, read in one pass. No content is kept.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::json::{is_void, string};

/// A response, or a piece of one. A null member counts as missing.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct ResponseChunk<'a> {
    #[serde(borrow)]
    pub(crate) candidates: Option<Vec<Option<Candidate<'a>>>>,
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

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Candidate<'a> {
    content: Option<ContentScan>,
    #[serde(borrow)]
    finish_reason: Option<&'a RawValue>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct PromptFeedback<'a> {
    #[serde(borrow)]
    block_reason: Option<&'a RawValue>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ContentScan {
    parts: Option<PartsScan>,
}

/// Whether any of the parts has content. Google adds kinds of parts often. A part of an unknown kind counts
/// as content, because to hold it back would hold back the whole response.
#[derive(Debug, Default)]
struct PartsScan {
    has_content: bool,
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
        self.candidates().any(|candidate| {
            let content = candidate.content.as_ref();
            let parts = content.and_then(|content| content.parts.as_ref());
            parts.is_some_and(|parts| parts.has_content)
        })
    }

    /// Returns the finish reason. A response to a blocked prompt has [`BLOCKED`] in place of one.
    pub(crate) fn reason(&self) -> Option<Cow<'a, str>> {
        let is_set = |raw: &&'a RawValue| !is_void(raw);
        let of_candidate = self
            .candidates()
            .find_map(|candidate| candidate.finish_reason.filter(is_set));
        if let Some(reason) = of_candidate {
            return string(reason);
        }
        let block_reason = self.prompt_feedback.as_ref()?.block_reason.filter(is_set)?;
        string(block_reason).map(|_| Cow::Borrowed(BLOCKED))
    }

    fn candidates(&self) -> impl Iterator<Item = &Candidate<'a>> {
        self.candidates.iter().flatten().flatten()
    }
}

impl<'de> Deserialize<'de> for PartsScan {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(Self::default())
    }
}

impl<'de> Visitor<'de> for PartsScan {
    type Value = Self;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an array of parts")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut seq: A) -> Result<Self, A::Error> {
        while let Some(part) = seq.next_element::<Option<PartScan>>()? {
            self.has_content |= part.is_some_and(|part| part.has_content);
        }
        Ok(self)
    }
}

#[derive(Debug, Default)]
struct PartScan {
    has_content: bool,
}

impl<'de> Deserialize<'de> for PartScan {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Self::default())
    }
}

impl<'de> Visitor<'de> for PartScan {
    type Value = Self;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a part")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<Self, A::Error> {
        while let Some(name) = map.next_key::<&RawValue>()? {
            // This flag marks the text beside it as reasoning. It is no content itself.
            if name.get() == "\"thought\"" {
                map.next_value::<IgnoredAny>()?;
                continue;
            }
            self.has_content |= !is_void(map.next_value()?);
        }
        Ok(self)
    }
}

/// The finish reason that stands for a blocked prompt.
const BLOCKED: &str = "PROHIBITED_CONTENT";
