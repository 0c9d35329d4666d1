//! The tool calls of a streamed response. Their pieces name the call by its index, and may be interleaved; its id,
//! name and arguments come in any order.

use std::borrow::Cow;
use std::collections::{BTreeMap, VecDeque};

use serde_json::{Map, Value};

use crate::ir::tool_text::{INPUT_PREFIX, INPUT_SUFFIX, escape_json};
use crate::ir::{Delta, Event, Malformed, PartStart, Signature};
use crate::json::Completeness;
use crate::limits::{HELD_CALLS_BYTES_MAX, WAITING_PARTS_MAX};
use crate::openai_chat::response::message;
use crate::openai_chat::tools;

/// The calls that have not ended, in the order of their first pieces. The first is passed on as its pieces come, the
/// others wait: only one part may be open at a time. A call ends when its arguments are complete and another call
/// waits, or with [`Self::close`].
#[derive(Debug, Default)]
pub(super) struct Calls {
    open: VecDeque<OpenCall>,
    /// The ids of the calls that have ended, by their index.
    ended: BTreeMap<u64, String>,
    /// The number of calls that were passed on.
    started: usize,
    /// The length of the names and ids so far, and of the arguments that wait.
    held_bytes: usize,
}

#[derive(Debug, Default)]
struct OpenCall {
    index: u64,
    id: String,
    name: String,
    /// Whether it calls a custom tool, whose input becomes a string inside of an object.
    custom: bool,
    signature: Option<Signature>,
    /// Whether its beginning was passed on.
    started: bool,
    /// The arguments that wait.
    held: String,
    completeness: Completeness,
}

/// A piece of a call.
struct CallPiece<'a> {
    index: u64,
    id: &'a str,
    name: &'a str,
    custom: bool,
    arguments: Cow<'a, str>,
    signature: Option<Signature>,
}

impl<'a> CallPiece<'a> {
    fn read(members: &'a Map<String, Value>) -> Self {
        let object = |name: &str| members.get(name).and_then(Value::as_object);
        let (inner, custom) = match (object("function"), object("custom")) {
            (None, Some(inner)) => (Some(inner), true),
            (inner, _) => (inner, false),
        };
        let more = inner.and_then(|inner| inner.get(if custom { "input" } else { "arguments" }));
        Self {
            index: members.get("index").and_then(Value::as_u64).unwrap_or(0),
            id: message::text(members, "id"),
            name: inner.map_or("", |inner| message::text(inner, "name")),
            custom,
            arguments: match more {
                Some(Value::String(text)) if custom => escape_json(text).into(),
                Some(Value::String(text)) => text.into(),
                // Ollama's own API has an object here, and so have some providers that imitate it.
                Some(object @ Value::Object(_)) if !custom => object.to_string().into(),
                _ => Cow::Borrowed(""),
            },
            signature: members.get("extra_content").and_then(tools::signature),
        }
    }

    fn is_blank(&self) -> bool {
        self.arguments.trim_ascii().is_empty()
    }
}

impl Calls {
    /// Whether no call is open.
    pub(super) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// Whether any call was passed on.
    pub(super) const fn has_started(&self) -> bool {
        self.started > 0
    }

    /// Takes a piece of a call. Nothing is passed on before [`Self::advance`].
    ///
    /// # Errors
    /// If the call has ended, or too many wait.
    pub(super) fn push(&mut self, members: &Map<String, Value>) -> Result<(), Malformed> {
        let piece = CallPiece::read(members);
        if piece.id.is_empty() && piece.name.is_empty() && piece.arguments.is_empty() {
            return Ok(());
        }
        let position = match self.find(&piece) {
            Some(position) => position,
            None if self.has_ended(&piece)? => return Ok(()),
            None if self.open.len() >= WAITING_PARTS_MAX => {
                return Err(Malformed("too many tool calls wait"));
            }
            None => {
                self.open.push_back(OpenCall {
                    index: piece.index,
                    ..OpenCall::default()
                });
                self.open.len() - 1
            }
        };
        if let Some(call) = self.open.get_mut(position) {
            self.held_bytes += call.add(piece);
        }
        Ok(())
    }

    /// Returns the position of the open call that a piece belongs to.
    fn find(&self, piece: &CallPiece<'_>) -> Option<usize> {
        let mut calls = self.open.iter();
        // Some providers give the same index to all calls, and tell them apart by their ids.
        let same = |call: &OpenCall| {
            call.index == piece.index && !piece.id.is_empty() && call.id == piece.id
        };
        if let Some(position) = calls.position(same) {
            return Some(position);
        }
        let same_index = |call: &OpenCall| call.index == piece.index;
        let Some(position) = self.open.iter().rposition(same_index) else {
            return self.find_by_order(piece);
        };
        let call = self.open.get(position)?;
        let begins_another = !piece.name.is_empty()
            && match (piece.id, call.id.as_str()) {
                // Providers without ids and indexes send each call whole.
                ("", "") => call.completeness.is_complete() && !piece.is_blank(),
                ("", _) | (_, "") => false,
                (id, known) => id != known,
            };
        (!begins_another).then_some(position)
    }

    /// Returns the position of the last call, if it lacks arguments and a piece of an unknown index has nothing else:
    /// some providers count the pieces instead of the calls.
    fn find_by_order(&self, piece: &CallPiece<'_>) -> Option<usize> {
        let is_bare = piece.id.is_empty() && piece.name.is_empty();
        let last = self.open.len().checked_sub(1)?;
        let lacks = !self.open.get(last)?.completeness.is_complete();
        (is_bare && lacks && !self.ended.contains_key(&piece.index)).then_some(last)
    }

    /// Whether a piece adds nothing to a call that has ended.
    ///
    /// # Errors
    /// If it adds something.
    fn has_ended(&self, piece: &CallPiece<'_>) -> Result<bool, Malformed> {
        let Some(id) = self.ended.get(&piece.index) else {
            return Ok(false);
        };
        if !piece.name.is_empty() {
            // Some providers repeat the whole call at the end.
            return Ok(!piece.id.is_empty() && piece.id == id);
        }
        if piece.is_blank() {
            return Ok(true);
        }
        Err(Malformed("a piece belongs to a tool call that is not open"))
    }

    /// Passes on what can be passed on. A call begins when its id, its name and a piece of its arguments are known.
    ///
    /// # Errors
    /// If too much waits.
    pub(super) fn advance(&mut self, out: &mut Vec<Event>) -> Result<(), Malformed> {
        while let Some(call) = self.open.front_mut() {
            let is_known = !call.id.is_empty() && !call.name.is_empty() && !call.held.is_empty();
            if !call.started && !is_known {
                break;
            }
            self.held_bytes -= call.pass_on(&mut self.started, out);
            let is_complete = call.completeness.is_complete() && !call.custom;
            if !is_complete || self.open.len() == 1 {
                break;
            }
            self.end_first(out);
        }
        if self.held_bytes > HELD_CALLS_BYTES_MAX {
            return Err(Malformed("too many bytes of tool calls wait"));
        }
        Ok(())
    }

    /// Ends all calls.
    ///
    /// # Errors
    /// If one of them has no name.
    pub(super) fn close(&mut self, out: &mut Vec<Event>) -> Result<(), Malformed> {
        let mut result = Ok(());
        while let Some(call) = self.open.front_mut() {
            if call.name.is_empty() {
                // An id alone is no call.
                if !call.held.is_empty() {
                    result = Err(Malformed::UNNAMED_CALL);
                }
                self.open.pop_front();
                continue;
            }
            self.held_bytes -= call.pass_on(&mut self.started, out);
            self.end_first(out);
        }
        result
    }

    fn end_first(&mut self, out: &mut Vec<Event>) {
        if let Some(call) = self.open.pop_front() {
            if call.custom {
                out.push(arguments(INPUT_SUFFIX.to_owned()));
            }
            out.push(Event::PartEnd);
            self.ended.insert(call.index, call.id);
        }
    }
}

impl OpenCall {
    /// Adds a piece. Returns how many bytes more are held.
    fn add(&mut self, piece: CallPiece<'_>) -> usize {
        let mut added = piece.arguments.len();
        if self.id.is_empty() {
            piece.id.clone_into(&mut self.id);
            added += piece.id.len();
        }
        // A name may come in pieces, and some providers repeat it in each piece.
        let has_begun = self.started || !self.held.is_empty();
        if self.name.is_empty() || (!has_begun && self.name != piece.name) {
            self.name.push_str(piece.name);
            added += piece.name.len();
        }
        self.custom |= piece.custom;
        self.signature = self.signature.take().or(piece.signature);
        self.completeness.push(&piece.arguments);
        self.held.push_str(&piece.arguments);
        added
    }

    /// Passes on the beginning and the arguments that wait. Returns how many bytes these have.
    fn pass_on(&mut self, started: &mut usize, out: &mut Vec<Event>) -> usize {
        if !self.started {
            self.started = true;
            if self.id.is_empty() {
                self.id = tools::generated_id(*started);
            }
            *started += 1;
            out.push(Event::PartStart(PartStart::ToolCall {
                id: self.id.clone(),
                name: self.name.clone(),
                signature: self.signature.take(),
            }));
            if self.custom {
                out.push(arguments(INPUT_PREFIX.to_owned()));
            }
        }
        let held = std::mem::take(&mut self.held);
        let bytes = held.len();
        if !held.is_empty() {
            out.push(arguments(held));
        }
        bytes
    }
}

fn arguments(text: String) -> Event {
    Event::Delta(Delta::Arguments(text))
}
