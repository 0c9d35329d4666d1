//! Reads a completion, whole or one chunk of a stream, as a view that borrows the text. Nothing is allocated.
//!
//! The code is written by hand, because derived code is too strict: here the last of two members with one
//! name counts, as it does for the clients, and null counts as missing.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::json::{is_void, members, string};
use crate::openai_chat::usage;
use crate::stream::Text;
use crate::{ProviderError, Usage};

/// A completion, or a chunk of one.
#[derive(Debug, Default)]
pub(crate) struct ChunkScan<'a> {
    id: Option<&'a RawValue>,
    model: Option<&'a RawValue>,
    /// `None` if there is no such member, or null.
    pub(crate) choices: Option<Choices<'a>>,
    error: Option<&'a RawValue>,
    object: Option<&'a RawValue>,
    kind: Option<&'a RawValue>,
    usage: Option<&'a RawValue>,
    /// Groq's own member, with usage or an error in it.
    x_groq: Option<&'a RawValue>,
}

/// All choices of a chunk, taken together.
#[derive(Debug, Default)]
pub(crate) struct Choices<'a> {
    /// How many there are.
    pub(crate) count: usize,
    /// Whether any of them has a part of the response.
    pub(crate) content: bool,
    /// Which of them are here: bit n stands for the index n.
    pub(crate) seen: u128,
    /// Which of them have a finish reason: bit n stands for the index n.
    pub(crate) finished: u128,
    /// The choice with the index 0; without one, the first of the list.
    first: Option<ChoiceScan<'a>>,
    /// The last finish reason of any choice.
    finish_reason: Option<&'a RawValue>,
    /// The last finish reason of OpenRouter's provider.
    native_finish_reason: Option<&'a RawValue>,
    /// OpenRouter's error of a choice.
    error: Option<&'a RawValue>,
    /// Moonshot's usage of a choice.
    usage: Option<&'a RawValue>,
}

/// One choice.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ChoiceScan<'a> {
    index: Option<&'a RawValue>,
    delta: Option<DeltaScan<'a>>,
    message: Option<DeltaScan<'a>>,
    text: Option<&'a RawValue>,
    finish_reason: Option<&'a RawValue>,
    /// What OpenRouter's provider sent; the finish reason beside it may be `stop` for a failure.
    native_finish_reason: Option<&'a RawValue>,
    /// The text that vLLM stopped at, or the number of a token, which is ignored.
    stop_reason: Option<&'a RawValue>,
    error: Option<&'a RawValue>,
    usage: Option<&'a RawValue>,
}

/// The content of a choice: a streamed `delta`, or a whole `message`.
#[derive(Clone, Copy, Debug)]
struct DeltaScan<'a> {
    raw: &'a RawValue,
    /// Whether there is more in it than a role. Providers invent members for reasoning, images and
    /// more: to hold back one that a list does not know would hold back the whole response.
    content: bool,
}

impl<'a> ChunkScan<'a> {
    /// Reads a chunk; `None` if the text is not a JSON object, or its `choices` are not a list of choices.
    pub(crate) fn decode(text: &'a str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    /// The provider's id of the response.
    pub(crate) fn id(&self) -> Text<'a> {
        self.id.into()
    }

    /// The provider's name of the model.
    pub(crate) fn model(&self) -> Text<'a> {
        self.model.into()
    }

    /// The error that the chunk reports: its own, of one of its choices, or in Groq's member.
    pub(crate) fn failure(&self) -> Option<ProviderError> {
        let choices = self.choices.as_ref();
        let of_choice = choices.and_then(|choices| choices.error);
        let candidates = [self.error, of_choice, self.of_groq("error")];
        let mut errors = candidates.into_iter().flatten();
        if let Some(error) = errors.find_map(ProviderError::from_member) {
            return Some(error);
        }
        let choices = choices?;
        let reasons = [choices.finish_reason, choices.native_finish_reason];
        let mut reasons = reasons.into_iter().flatten().filter_map(string);
        let reason = reasons.find(|reason| FAILURE_REASONS.contains(&&**reason))?;
        let message = format!("the provider sent the finish reason `{reason}`");
        Some(ProviderError::from_message(&message))
    }

    /// The usage that the chunk reports, in any of the three places that providers use.
    pub(crate) fn usage(&self) -> Option<Usage> {
        let of_choice = self.choices.as_ref().and_then(|choices| choices.usage);
        let own = self.usage.and_then(usage::decode);
        own.or_else(|| usage::decode(of_choice.or_else(|| self.of_groq("usage"))?))
    }

    /// Whether it is an error object in place of a chunk: by vLLM's `object`, or others' `type`.
    pub(crate) fn is_error_object(&self) -> bool {
        let mut words = [self.object, self.kind].into_iter().flatten();
        self.choices.is_none() && words.any(|raw| raw.get() == "\"error\"")
    }

    fn of_groq(&self, name: &'static str) -> Option<&'a RawValue> {
        members(self.x_groq?.get(), [name]).ok()?.values[0]
    }
}

impl<'a> Choices<'a> {
    /// The choice that a translated response is made of: the one with the index 0, or else the first of
    /// the list. A translated request asks for one choice only.
    pub(crate) fn first(&self) -> Option<&ChoiceScan<'a>> {
        self.first.as_ref()
    }

    fn add(&mut self, choice: ChoiceScan<'a>) {
        let bit = 1 << choice.index();
        let is_present = |raw: &&RawValue| !is_void(raw);
        self.count += 1;
        self.seen |= bit;
        if choice.finish_reason().is_some() {
            self.finished |= bit;
        }
        self.content |= choice.has_content();
        self.finish_reason = choice.finish_reason().or(self.finish_reason);
        self.native_finish_reason = choice.native_finish_reason.or(self.native_finish_reason);
        self.error = choice.error.filter(is_present).or(self.error);
        self.usage = choice.usage.filter(is_present).or(self.usage);
        let is_better = |known: &ChoiceScan<'_>| known.index() > 0 && choice.index() == 0;
        if self.first.as_ref().is_none_or(is_better) {
            self.first = Some(choice);
        }
    }
}

impl<'a> ChoiceScan<'a> {
    /// The choice's index, from 0. OpenAI allows 128 choices; if there are more, the last bit stands for
    /// all others.
    pub(crate) fn index(&self) -> u32 {
        let index = self.index.and_then(|raw| raw.get().parse::<u32>().ok());
        index.unwrap_or(0).min(u128::BITS - 1)
    }

    /// The object with the content, if there is any. Some providers send a whole `message` as the only
    /// chunk of a stream.
    pub(crate) fn content(&self) -> Option<&'a RawValue> {
        let mut deltas = [self.delta, self.message].into_iter().flatten();
        Some(deltas.find(|delta| delta.content)?.raw)
    }

    /// The text of a text completion.
    pub(crate) fn text(&self) -> Text<'a> {
        self.text.into()
    }

    /// The finish reason; `None` if it is null or empty.
    pub(crate) fn finish_reason(&self) -> Option<&'a RawValue> {
        self.finish_reason.filter(|raw| !is_void(raw))
    }

    /// The text that the response stopped at; empty if the provider does not send it.
    pub(crate) fn stop_sequence(&self) -> Text<'a> {
        self.stop_reason.into()
    }

    fn has_content(&self) -> bool {
        let mut deltas = [self.delta, self.message].into_iter().flatten();
        self.finish_reason().is_some()
            || self.text.is_some_and(|text| !is_void(text))
            || deltas.any(|delta| delta.content)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for ChunkScan<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor::<Self>::default())
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Choices<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(ChoicesVisitor(Self::default()))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for ChoiceScan<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor::<Self>::default())
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for DeltaScan<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = <&RawValue>::deserialize(deserializer)?;
        let content: HasContent = serde_json::from_str(raw.get()).map_err(D::Error::custom)?;
        Ok(Self {
            raw,
            content: content.0,
        })
    }
}

/// Whether an object has more than a role.
#[derive(Default)]
struct HasContent(bool);

impl<'de> Deserialize<'de> for HasContent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor::<Self>::default())
    }
}

/// An object that is read member by member.
trait FromMembers<'de>: Default {
    fn member<A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<(), A::Error>;
}

impl<'de: 'a, 'a> FromMembers<'de> for ChunkScan<'a> {
    fn member<A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<(), A::Error> {
        match name {
            "\"id\"" => self.id = map.next_value()?,
            "\"model\"" => self.model = map.next_value()?,
            "\"choices\"" => self.choices = map.next_value()?,
            "\"error\"" => self.error = map.next_value()?,
            "\"object\"" => self.object = map.next_value()?,
            "\"type\"" => self.kind = map.next_value()?,
            "\"usage\"" => self.usage = map.next_value()?,
            "\"x_groq\"" => self.x_groq = map.next_value()?,
            _ => drop(map.next_value::<IgnoredAny>()?),
        }
        Ok(())
    }
}

impl<'de: 'a, 'a> FromMembers<'de> for ChoiceScan<'a> {
    fn member<A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<(), A::Error> {
        match name {
            "\"delta\"" => self.delta = map.next_value()?,
            "\"error\"" => self.error = map.next_value()?,
            "\"finish_reason\"" => self.finish_reason = map.next_value()?,
            "\"index\"" => self.index = map.next_value()?,
            "\"native_finish_reason\"" => self.native_finish_reason = map.next_value()?,
            "\"message\"" => self.message = map.next_value()?,
            "\"stop_reason\"" => self.stop_reason = map.next_value()?,
            "\"text\"" => self.text = map.next_value()?,
            "\"usage\"" => self.usage = map.next_value()?,
            _ => drop(map.next_value::<IgnoredAny>()?),
        }
        Ok(())
    }
}

impl<'de> FromMembers<'de> for HasContent {
    fn member<A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<(), A::Error> {
        let value: &RawValue = map.next_value()?;
        // MiniMax sends the speaker's `name` with every role.
        self.0 |= !matches!(name, "\"role\"" | "\"name\"") && !is_void(value);
        Ok(())
    }
}

struct MembersVisitor<R>(std::marker::PhantomData<R>);

impl<R> Default for MembersVisitor<R> {
    fn default() -> Self {
        Self(std::marker::PhantomData)
    }
}

impl<'de, R: FromMembers<'de>> Visitor<'de> for MembersVisitor<R> {
    type Value = R;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<R, A::Error> {
        let mut record = R::default();
        while let Some(name) = map.next_key::<&RawValue>()? {
            record.member(name.get(), &mut map)?;
        }
        Ok(record)
    }
}

struct ChoicesVisitor<'a>(Choices<'a>);

impl<'de: 'a, 'a> Visitor<'de> for ChoicesVisitor<'a> {
    type Value = Choices<'a>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an array of choices")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut seq: A) -> Result<Choices<'a>, A::Error> {
        while let Some(choice) = seq.next_element::<Option<ChoiceScan<'a>>>()? {
            choice.into_iter().for_each(|choice| self.0.add(choice));
        }
        Ok(self.0)
    }
}

/// The finish reasons of choices that broke off. OpenRouter has an error beside its `error`, as a rule; the network errors
/// of GLM and OpenCode Zen come alone, and gateways pass on Gemini's word.
const FAILURE_REASONS: [&str; 5] = [
    "error",
    "network-error",
    "network_error",
    "malformed_function_call",
    "MALFORMED_FUNCTION_CALL",
];
