//! Responses as events of items, which an executor without a dialect of its own returns, checked and put in the
//! order of the common form. `wit/typed-reply.wit` describes the events.

mod item;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;

use self::item::{Item, ItemKind};
use crate::Usage;
use crate::ir::{CallIds, Event, FinishReason};
use crate::limits::{ITEMS_MAX, QUOTED_WORD_BYTES_MAX};
use crate::{Dialect, truncate};

/// One event of an executor. Kinds and reasons are the words of `wit/typed-reply.wit`.
#[derive(Clone, Debug, PartialEq)]
pub enum ItemEvent {
    /// Members of the whole response, by name.
    Response(Vec<(String, String)>),
    /// An item begins.
    Begin(ItemBegin),
    /// A piece of an item.
    Delta {
        /// The index of the item.
        index: u32,
        /// What the piece is.
        kind: String,
        /// The piece.
        data: ItemData,
    },
    /// The item of this index ends.
    End(u32),
    /// A mark on a part of a text.
    Annotation {
        /// The index of the item.
        index: u32,
        /// What it is.
        kind: String,
        /// Where the part begins and ends, in characters; `None` if one of the two is missing.
        span: Option<(u64, u64)>,
        /// Its members, by name.
        options: Vec<(String, String)>,
    },
    /// The tokens so far.
    Usage(Usage),
    /// The end of the answer.
    Finish {
        /// The number of the answer.
        candidate: u32,
        /// Why it ended.
        reason: String,
        /// The stop sequence that the model wrote.
        stop_sequence: Option<String>,
    },
}

/// The beginning of an item.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ItemBegin {
    /// Its index.
    pub index: u32,
    /// The number of the answer to which it belongs.
    pub candidate: u32,
    /// What it is.
    pub kind: String,
    /// The id of a call; empty if there is none.
    pub id: String,
    /// The name of the tool of a call.
    pub name: String,
    /// Further members, by name.
    pub options: Vec<(String, String)>,
}

/// The data of a piece, as the executor gave it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ItemData {
    /// Text.
    Text(String),
    /// Bytes.
    Bytes(Bytes),
}

impl ItemEvent {
    /// The event's name in the contract.
    const fn name(&self) -> &'static str {
        match self {
            Self::Response(_) => "response",
            Self::Begin(_) => "begin",
            Self::Delta { .. } => "delta",
            Self::End(_) => "end",
            Self::Annotation { .. } => "annotation",
            Self::Usage(_) => "usage",
            Self::Finish { .. } => "finish",
        }
    }
}

/// An event that the contract does not allow.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("event {number} of its response, `{event}`: {problem}")]
pub struct ItemError {
    /// The number of the event in the response, from 1.
    pub number: u64,
    /// The event's name in the contract.
    pub event: &'static str,
    /// What is wrong.
    pub problem: ItemProblem,
}

/// What is wrong with an event.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ItemProblem {
    /// Something after the end of the answer.
    #[error("it comes after `finish`")]
    AfterFinish,
    /// Members of the response after the first item, or twice.
    #[error("it must be the first event, and there is one at most")]
    NotFirst,
    /// An index that is in use, or was.
    #[error("the item {0} was begun before")]
    BegunTwice(u32),
    /// An index without an item.
    #[error("the item {0} was not begun")]
    NotBegun(u32),
    /// An index whose item has ended.
    #[error("the item {0} has ended")]
    Ended(u32),
    /// An answer beside the first.
    #[error("the candidate is {0}, but this host knows the candidate 0 only")]
    Candidate(u32),
    /// A kind of items that this host does not have.
    #[error("this host does not know items of the kind {0:?}")]
    ItemKind(String),
    /// A delta that its item cannot have.
    #[error("a delta of the kind {delta:?} for an item of the kind `{item}`")]
    DeltaKind {
        /// The kind of the delta, truncated.
        delta: String,
        /// The kind of the item.
        item: &'static str,
    },
    /// Bytes that are no text.
    #[error("the text is not UTF-8")]
    NotText,
    /// Text that is not base64.
    #[error("the text is not base64")]
    NotBase64,
    /// A call without the name of its tool.
    #[error("the call has no name")]
    UnnamedCall,
    /// Arguments that are cut off, without a reason.
    #[error(
        "the arguments of the call {0} are not complete, and the reason of `finish` does not explain it"
    )]
    CutCall(u32),
    /// More items than the limit.
    #[error("more than {ITEMS_MAX} items")]
    TooManyItems,
    /// The response ended without.
    #[error("it is missing: the response has ended")]
    NoFinish,
}

/// Checks the events of one response, and puts them in order: one part after the other, in the order in which the
/// items begin. Pieces of items that are not yet due are held.
#[derive(Debug)]
pub struct ItemReader {
    origin: Dialect,
    call_ids: CallIds,
    /// The items that have begun, by index. Those that have ended stay, to name a piece that comes later.
    items: BTreeMap<u32, Item>,
    /// The items whose events are not all out yet. The first is the open one.
    order: VecDeque<u32>,
    started: bool,
    finished: bool,
    has_calls: bool,
    /// A call whose arguments were not complete when it ended.
    cut_call: Option<u32>,
    number: u64,
    held_bytes: usize,
}

impl ItemReader {
    /// A reader for a response of the call `id`. Signatures count as those of the dialect `origin`: the client's.
    #[must_use]
    pub fn new(origin: Dialect, id: &str) -> Self {
        Self {
            origin,
            call_ids: CallIds::new(id),
            items: BTreeMap::new(),
            order: VecDeque::new(),
            started: false,
            finished: false,
            has_calls: false,
            cut_call: None,
            number: 0,
            held_bytes: 0,
        }
    }

    /// Reads the next event, and appends what it means to `out`.
    ///
    /// # Errors
    /// If the event is not allowed here. The reader must not be used after that.
    pub fn read(&mut self, event: ItemEvent, out: &mut Vec<Event>) -> Result<(), ItemError> {
        self.number += 1;
        let (number, name) = (self.number, event.name());
        self.apply(event, out).map_err(|problem| ItemError {
            number,
            event: name,
            problem,
        })
    }

    /// Ends the response.
    ///
    /// # Errors
    /// If there was no `finish`.
    pub fn end(&mut self, out: &mut Vec<Event>) -> Result<(), ItemError> {
        if !self.finished {
            return Err(ItemError {
                number: self.number + 1,
                event: "finish",
                problem: ItemProblem::NoFinish,
            });
        }
        out.push(Event::Done);
        Ok(())
    }

    /// Returns how many bytes are held for a later event.
    #[must_use]
    pub const fn held_bytes(&self) -> usize {
        self.held_bytes
    }

    fn apply(&mut self, event: ItemEvent, out: &mut Vec<Event>) -> Result<(), ItemProblem> {
        if self.finished && !matches!(event, ItemEvent::Usage(_)) {
            return Err(ItemProblem::AfterFinish);
        }
        if let ItemEvent::Response(members) = event {
            if self.started {
                return Err(ItemProblem::NotFirst);
            }
            self.start(&members, out);
            return Ok(());
        }
        if !self.started {
            self.start(&[], out);
        }
        match event {
            ItemEvent::Response(_) => {}
            ItemEvent::Begin(begin) => self.begin(begin, out)?,
            ItemEvent::Delta { index, kind, data } => {
                let added = self.open_item(index)?.delta(&kind, data)?;
                self.held_bytes += added;
                self.write_due(out);
            }
            ItemEvent::Annotation {
                index,
                kind,
                span,
                options,
            } => {
                let added = self.open_item(index)?.annotate(&kind, span, &options);
                self.held_bytes += added;
                self.write_due(out);
            }
            ItemEvent::End(index) => {
                self.open_item(index)?;
                self.end_item(index, out);
            }
            ItemEvent::Usage(usage) => out.push(Event::Usage(usage)),
            ItemEvent::Finish {
                candidate,
                reason,
                stop_sequence,
            } => self.finish(candidate, finish_reason(reason, stop_sequence), out)?,
        }
        Ok(())
    }

    fn start(&mut self, members: &[(String, String)], out: &mut Vec<Event>) {
        self.started = true;
        out.push(Event::Start {
            id: member(members, "id").unwrap_or_default(),
            model: member(members, "model").unwrap_or_default(),
        });
    }

    fn begin(&mut self, mut begin: ItemBegin, out: &mut Vec<Event>) -> Result<(), ItemProblem> {
        let index = begin.index;
        if begin.candidate != 0 {
            return Err(ItemProblem::Candidate(begin.candidate));
        }
        if self.items.contains_key(&index) {
            return Err(ItemProblem::BegunTwice(index));
        }
        if self.items.len() == ITEMS_MAX {
            return Err(ItemProblem::TooManyItems);
        }
        let kind = ItemKind::parse(&begin.kind);
        let kind = kind.ok_or_else(|| ItemProblem::ItemKind(quoted(&begin.kind)))?;
        if kind == ItemKind::Call {
            if begin.name.is_empty() {
                return Err(ItemProblem::UnnamedCall);
            }
            begin.id = self.call_ids.unique(&begin.id);
            self.has_calls = true;
        }
        let item = Item::begin(kind, begin, self.origin);
        self.held_bytes += item.held_bytes();
        self.items.insert(index, item);
        self.order.push_back(index);
        self.write_due(out);
        Ok(())
    }

    /// The item of an index, which must be open.
    fn open_item(&mut self, index: u32) -> Result<&mut Item, ItemProblem> {
        let item = self.items.get_mut(&index);
        let item = item.ok_or(ItemProblem::NotBegun(index))?;
        if item.ended {
            return Err(ItemProblem::Ended(index));
        }
        Ok(item)
    }

    fn end_item(&mut self, index: u32, out: &mut Vec<Event>) {
        if let Some(item) = self.items.get_mut(&index) {
            self.held_bytes += item.end();
            if item.is_cut() {
                self.cut_call.get_or_insert(index);
            }
        }
        self.write_due(out);
    }

    /// Writes what is held of the open item, and of those after it if it has ended.
    fn write_due(&mut self, out: &mut Vec<Event>) {
        while let Some(index) = self.order.front() {
            let Some(item) = self.items.get_mut(index) else {
                break;
            };
            self.held_bytes -= item.write(out);
            if !item.ended {
                break;
            }
            self.order.pop_front();
        }
    }

    fn finish(
        &mut self,
        candidate: u32,
        reason: FinishReason,
        out: &mut Vec<Event>,
    ) -> Result<(), ItemProblem> {
        if candidate != 0 {
            return Err(ItemProblem::Candidate(candidate));
        }
        let open: Vec<u32> = self.order.iter().copied().collect();
        for index in open {
            if self.open_item(index).is_ok() {
                self.end_item(index, out);
            }
        }
        let mut reason = reason.reconcile(self.has_calls);
        if let Some(index) = self.cut_call {
            let explained = reason.explain_cut_call();
            reason = explained.ok_or(ItemProblem::CutCall(index))?;
        }
        self.finished = true;
        out.push(Event::Finish(reason));
        Ok(())
    }
}

/// Returns the reason that a word of the contract means.
fn finish_reason(reason: String, stop_sequence: Option<String>) -> FinishReason {
    match reason.as_str() {
        "stop" if stop_sequence.is_some() => FinishReason::StopSequence(stop_sequence),
        "stop" => FinishReason::Stop,
        "length" => FinishReason::Length,
        "tool-calls" => FinishReason::ToolCalls,
        "content-filter" => FinishReason::ContentFilter,
        "refusal" => FinishReason::Refusal,
        _ => FinishReason::Other(reason),
    }
}

/// The value of a member; `None` if it is missing.
fn member(members: &[(String, String)], name: &str) -> Option<String> {
    let mut members = members.iter();
    members.find_map(|(found, value)| (found == name).then(|| value.clone()))
}

/// A word of an executor, as an error quotes it.
fn quoted(word: &str) -> String {
    truncate(word, QUOTED_WORD_BYTES_MAX).to_owned()
}
