//! Where a JSON pointer leads inside a text: one pass, no tree, and the neighbours that a patch needs.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::JsonError;
use super::members::name_matches;

/// What is at the end of a pointer.
#[derive(Debug, Default)]
pub(super) struct Location {
    /// What the pointer's last token is looked up in.
    pub(super) container: Container,
    /// The element that it names, if it is there.
    pub(super) target: Option<Element>,
    /// Where the element before the target ends, if there is one.
    pub(super) before: Option<usize>,
    /// Where the element after the target begins, if there is one.
    pub(super) after: Option<usize>,
    /// Where the container's last element ends, if it has any.
    pub(super) last: Option<usize>,
    /// How many elements the container has.
    pub(super) len: usize,
    duplicate: Option<String>,
}

/// What the pointer's last token is looked up in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Container {
    /// There is none: a token before it led nowhere, or to a scalar.
    #[default]
    Absent,
    Array,
    Object,
}

/// A member of an object or an item of an array.
#[derive(Clone, Debug)]
pub(super) struct Element {
    /// Where it begins: in an object, with its name.
    pub(super) start: usize,
    pub(super) value: Range<usize>,
}

/// Follows `pointer`, which must not be empty, and checks the whole text.
pub(super) fn locate(text: &str, pointer: &str) -> Result<Location, JsonError> {
    validate_pointer(pointer)?;
    let mut location = Location::default();
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let descent = Descent {
        text,
        pointer,
        location: &mut location,
    };
    descent
        .deserialize(&mut deserializer)
        .and_then(|()| deserializer.end())
        .map_err(|source| JsonError::Syntax { source })?;
    match location.duplicate.take() {
        Some(name) => Err(JsonError::Duplicate { name }),
        None => Ok(location),
    }
}

/// The range of the whole value that a text holds.
pub(super) fn root(text: &str) -> Result<Range<usize>, JsonError> {
    let raw = serde_json::from_str(text).map_err(|source| JsonError::Syntax { source })?;
    Ok(range(text, raw))
}

/// The last token of a pointer, and the pointer of what holds it. The pointer must not be empty.
pub(super) fn split_last(pointer: &str) -> (&str, Cow<'_, str>) {
    let (parent, token) = pointer.rsplit_once('/').unwrap_or(("", pointer));
    (parent, unescape(token))
}

/// An array index by RFC 6901: digits, no zero in front.
pub(super) fn index(token: &str) -> Option<usize> {
    // `parse` alone would accept `+1`.
    let plain = token.bytes().all(|byte| byte.is_ascii_digit())
        && (token == "0" || !token.starts_with('0'));
    if plain { token.parse().ok() } else { None }
}

fn validate_pointer(pointer: &str) -> Result<(), JsonError> {
    let mut bytes = pointer.bytes();
    let rooted = bytes.next() == Some(b'/');
    let mut escaped = false;
    let spelled = bytes.all(|byte| {
        let valid = !escaped || matches!(byte, b'0' | b'1');
        escaped = byte == b'~';
        valid
    });
    if rooted && spelled && !escaped {
        return Ok(());
    }
    Err(JsonError::Pointer {
        pointer: pointer.to_owned(),
    })
}

fn unescape(token: &str) -> Cow<'_, str> {
    if token.contains('~') {
        // RFC 6901, section 4: `~1` first. In the other order, `~01` would become a slash.
        Cow::Owned(token.replace("~1", "/").replace("~0", "~"))
    } else {
        Cow::Borrowed(token)
    }
}

/// Where `part`, borrowed from `text`, stands in it.
pub(super) fn range(text: &str, part: &RawValue) -> Range<usize> {
    let start = part.get().as_ptr().addr() - text.as_ptr().addr();
    start..start + part.get().len()
}

/// One step down along the pointer, which begins with a slash.
struct Descent<'t> {
    text: &'t str,
    pointer: &'t str,
    location: &'t mut Location,
}

/// The first token of a pointer, and the rest; the rest is empty after the last token.
fn split_first(pointer: &str) -> (Cow<'_, str>, &str) {
    let tokens = pointer.get(1..).unwrap_or_default();
    let end = memchr::memchr(b'/', tokens.as_bytes()).unwrap_or(tokens.len());
    let (token, rest) = tokens.split_at(end);
    (unescape(token), rest)
}

impl Location {
    fn record(&mut self, element: Element, wanted: bool) {
        if wanted {
            self.before = self.last;
        } else if self.target.is_some() && self.after.is_none() {
            self.after = Some(element.start);
        }
        self.last = Some(element.value.end);
        self.len += 1;
        if wanted {
            self.target = Some(element);
        }
    }
}

impl<'de> DeserializeSeed<'de> for Descent<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Descent<'_> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("any JSON value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Descent {
            text,
            pointer,
            location,
        } = self;
        let (token, rest) = split_first(pointer);
        let last = rest.is_empty();
        if last {
            location.container = Container::Object;
        }
        let mut seen = false;
        // The loop goes on after the wanted member: a duplicate may follow.
        while let Some(name) = map.next_key::<&RawValue>()? {
            let wanted = name_matches(name, &token);
            if wanted && seen {
                location
                    .duplicate
                    .get_or_insert_with(|| token.clone().into_owned());
            }
            if last {
                let value = range(text, map.next_value()?);
                location.record(
                    Element {
                        start: range(text, name).start,
                        value,
                    },
                    wanted,
                );
            } else if wanted && !seen {
                map.next_value_seed(Descent {
                    text,
                    pointer: rest,
                    location: &mut *location,
                })?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
            seen |= wanted;
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let Descent {
            text,
            pointer,
            location,
        } = self;
        let (token, rest) = split_first(pointer);
        let wanted = index(&token);
        if !rest.is_empty() {
            return descend(
                seq,
                wanted,
                Descent {
                    text,
                    pointer: rest,
                    location,
                },
            );
        }
        location.container = Container::Array;
        while let Some(raw) = seq.next_element()? {
            let value = range(text, raw);
            let wanted = wanted == Some(location.len);
            location.record(
                Element {
                    start: value.start,
                    value,
                },
                wanted,
            );
        }
        Ok(())
    }

    // A scalar has nothing inside, whatever the pointer says.

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}

/// Follows the descent into the wanted item, and skips the others.
fn descend<'de, A: SeqAccess<'de>>(
    mut seq: A,
    wanted: Option<usize>,
    descent: Descent<'_>,
) -> Result<(), A::Error> {
    for _ in 0..wanted.unwrap_or(usize::MAX) {
        if seq.next_element::<IgnoredAny>()?.is_none() {
            return Ok(());
        }
    }
    seq.next_element_seed(descent)?;
    while seq.next_element::<IgnoredAny>()?.is_some() {}
    Ok(())
}
