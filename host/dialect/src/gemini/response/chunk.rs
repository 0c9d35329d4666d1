//! What matters in a `GenerateContentResponse`, whole or one event of a stream: one pass, and of the
//! content nothing is kept.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::json::is_void;

/// A response, or a part of one. Null stands for missing.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct ResponseChunk<'a> {
    #[serde(borrow)]
    pub(crate) candidates: Option<Vec<Option<Candidate<'a>>>>,
    #[serde(borrow)]
    pub(crate) error: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(crate) prompt_feedback: Option<PromptFeedback<'a>>,
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

/// Whether any of the parts says something. Google adds kinds of parts often; holding back one that a
/// list does not know would hold back the whole answer.
#[derive(Debug, Default)]
struct PartsScan {
    has_content: bool,
}

impl<'a> ResponseChunk<'a> {
    /// None if the text is not a JSON object, or its members are not what they are called.
    pub(crate) fn read(text: &'a str) -> Option<Self> {
        // Without this an array would be read as the members in their order.
        text.trim_ascii_start()
            .starts_with('{')
            .then(|| serde_json::from_str(text).ok())?
    }

    /// Whether there is any part of the answer in it.
    pub(crate) fn has_content(&self) -> bool {
        self.candidates().any(|candidate| {
            let content = candidate.content.as_ref();
            let parts = content.and_then(|content| content.parts.as_ref());
            parts.is_some_and(|parts| parts.has_content)
        })
    }

    /// Why the answer ended, or was not begun.
    pub(crate) fn reason(&self) -> Option<&'a RawValue> {
        let is_set = |raw: &&'a RawValue| !is_void(raw);
        let of_candidate = self
            .candidates()
            .find_map(|candidate| candidate.finish_reason.filter(is_set));
        let blocked = || self.prompt_feedback.as_ref()?.block_reason.filter(is_set);
        of_candidate.or_else(blocked)
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
            // It only says what kind of text stands beside it.
            if name.get() == "\"thought\"" {
                map.next_value::<IgnoredAny>()?;
                continue;
            }
            self.has_content |= !is_void(map.next_value()?);
        }
        Ok(self)
    }
}
