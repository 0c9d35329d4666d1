//! What matters in a completion, whole or one event of a stream: one pass, nothing allocated.
//!
//! Written by hand where derived code would do for a strict sender: of a member that is there twice the
//! last one counts, as it does for the clients, and null stands for missing everywhere.

use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::json::is_void;

/// A completion, or a part of one.
#[derive(Debug, Default)]
pub(crate) struct ChunkScan<'a> {
    /// None if there is no such member, or null.
    pub(crate) choices: Option<Choices<'a>>,
    pub(crate) error: Option<&'a RawValue>,
    pub(crate) object: Option<&'a RawValue>,
    pub(crate) kind: Option<&'a RawValue>,
    pub(crate) usage: Option<&'a RawValue>,
    /// Groq's own member, with usage or an error in it.
    pub(crate) x_groq: Option<&'a RawValue>,
}

impl<'a> ChunkScan<'a> {
    /// None if the text is not a JSON object, or its `choices` are no choices.
    pub(crate) fn decode(text: &'a str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    /// Whether the object calls itself an error: vLLM's `object`, others' `type`.
    pub(crate) fn is_error_object(&self) -> bool {
        [self.object, self.kind]
            .into_iter()
            .flatten()
            .any(|raw| raw.get() == "\"error\"")
    }
}

/// All choices of a chunk, taken together.
#[derive(Debug, Default)]
pub(crate) struct Choices<'a> {
    /// How many there are.
    pub(crate) count: usize,
    /// Whether any of them has a part of the answer.
    pub(crate) content: bool,
    /// Which of them are here: a bit an index.
    pub(crate) seen: u128,
    /// Which of them say why they finished.
    pub(crate) finished: u128,
    /// The last reason given.
    pub(crate) finish_reason: Option<&'a RawValue>,
    /// OpenRouter's error of a choice.
    pub(crate) error: Option<&'a RawValue>,
    /// Moonshot's usage of a choice.
    pub(crate) usage: Option<&'a RawValue>,
}

#[derive(Debug, Default)]
struct ChoiceScan<'a> {
    index: Option<&'a RawValue>,
    delta: Option<DeltaScan>,
    message: Option<DeltaScan>,
    text: Option<&'a RawValue>,
    finish_reason: Option<&'a RawValue>,
    error: Option<&'a RawValue>,
    usage: Option<&'a RawValue>,
}

/// What a choice adds: a streamed `delta`, or a whole `encode_message`.
#[derive(Debug, Default)]
struct DeltaScan {
    /// Whether there is anything in it but a role. Providers invent members for reasoning, pictures and
    /// more; holding back one that a list does not know would hold back the whole answer.
    content: bool,
}

impl<'a> Choices<'a> {
    fn add(&mut self, choice: &ChoiceScan<'a>) {
        let bit = 1 << index(choice.index);
        let is_present = |raw: &&RawValue| !is_void(raw);
        let finish_reason = choice.finish_reason.filter(is_present);
        self.count += 1;
        self.seen |= bit;
        if finish_reason.is_some() {
            self.finished |= bit;
        }
        self.content |= finish_reason.is_some()
            || choice.text.is_some_and(|text| !is_void(text))
            || [&choice.delta, &choice.message]
                .into_iter()
                .flatten()
                .any(|delta| delta.content);
        self.finish_reason = finish_reason.or(self.finish_reason);
        self.error = choice.error.filter(is_present).or(self.error);
        self.usage = choice.usage.filter(is_present).or(self.usage);
    }
}

/// A choice's index, from 0. OpenAI allows 128 choices; were there more, the last bit would stand for all.
fn index(raw: Option<&RawValue>) -> u32 {
    let index = raw
        .and_then(|raw| raw.get().parse::<u32>().ok())
        .unwrap_or(0);
    index.min(u128::BITS - 1)
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

impl<'de> Deserialize<'de> for DeltaScan {
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
            "\"message\"" => self.message = map.next_value()?,
            "\"text\"" => self.text = map.next_value()?,
            "\"usage\"" => self.usage = map.next_value()?,
            _ => drop(map.next_value::<IgnoredAny>()?),
        }
        Ok(())
    }
}

impl<'de> FromMembers<'de> for DeltaScan {
    fn member<A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<(), A::Error> {
        let value: &RawValue = map.next_value()?;
        // `valid_name` is the speaker's, which MiniMax sends with every role.
        self.content |= !matches!(name, "\"role\"" | "\"name\"") && !is_void(value);
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
            choice.iter().for_each(|choice| self.0.add(choice));
        }
        Ok(self.0)
    }
}
