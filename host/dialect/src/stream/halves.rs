//! Joins surrogate pairs that a provider split over two events.

use crate::ir::{Delta, Event};
use crate::json::{is_high, mark_lone, pair, unmark};

use std::borrow::Cow;

/// The lone surrogates of a stream. Halves that follow each other in the same part are joined; others become U+FFFD.
#[derive(Debug, Default)]
pub(super) struct Halves {
    /// Whether the stream had any: others are not searched for the marks.
    any: bool,
    held: Option<HeldHalf>,
}

/// The first half of a pair at the end of a piece.
#[derive(Debug)]
struct HeldHalf {
    unit: u16,
    /// Builds a piece of the same kind.
    delta: fn(String) -> Delta,
}

impl Halves {
    /// Marks the lone surrogates of an event.
    pub(super) fn mark<'t>(&mut self, json: &'t str) -> Cow<'t, str> {
        let marked = mark_lone(json);
        self.any |= matches!(marked, Cow::Owned(_));
        marked
    }

    /// Joins or replaces the marks in the events from `known` on.
    pub(super) fn join(&mut self, events: &mut Vec<Event>, known: usize) {
        if !self.any {
            return;
        }
        for event in events.split_off(known) {
            match event {
                Event::Delta(Delta::Arguments(text)) => self.text(&text, Delta::Arguments, events),
                Event::Delta(Delta::Reasoning(text)) => self.text(&text, Delta::Reasoning, events),
                Event::Delta(Delta::Refusal(text)) => self.text(&text, Delta::Refusal, events),
                Event::Delta(Delta::Text(text)) => self.text(&text, Delta::Text, events),
                Event::PartEnd => {
                    self.release(events);
                    events.push(Event::PartEnd);
                }
                other => events.push(other),
            }
        }
    }

    fn text(&mut self, text: &str, delta: fn(String) -> Delta, events: &mut Vec<Event>) {
        let mut joined = String::with_capacity(text.len());
        let mut held = self.held.take().map(|held| held.unit);
        for character in text.chars() {
            let unit = unmark(character);
            if let Some(whole) = held.zip(unit).and_then(|(high, low)| pair(high, low)) {
                joined.push(whole);
                held = None;
                continue;
            }
            if held.take().is_some() {
                joined.push(char::REPLACEMENT_CHARACTER);
            }
            match unit {
                Some(unit) if is_high(unit) => held = Some(unit),
                Some(_) => joined.push(char::REPLACEMENT_CHARACTER),
                None => joined.push(character),
            }
        }
        self.held = held.map(|unit| HeldHalf { unit, delta });
        if !joined.is_empty() {
            events.push(Event::Delta(delta(joined)));
        }
    }

    fn release(&mut self, events: &mut Vec<Event>) {
        if let Some(held) = self.held.take() {
            let text = char::REPLACEMENT_CHARACTER.to_string();
            events.push(Event::Delta((held.delta)(text)));
        }
    }
}
