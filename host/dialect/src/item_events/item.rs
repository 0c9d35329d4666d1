//! One item of a response: its kind, and the events that it becomes.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::{ItemBegin, ItemData, ItemProblem, member, quoted};
use crate::Dialect;
use crate::ir::{Citation, Delta, Event, Media, MediaSource, Part, PartStart, Signature};
use crate::json::Completeness;

/// An item that has begun.
#[derive(Debug)]
pub(super) struct Item {
    kind: ItemKind,
    origin: Dialect,
    pub(super) ended: bool,
    /// Its events that are not yet written, and their size in bytes.
    held: Vec<Event>,
    held_bytes: usize,
    /// Of a call: how far its arguments are.
    arguments: Completeness,
    has_arguments: bool,
    /// Of an image or a sound: its bytes so far, and their media type.
    data: Vec<u8>,
    media_type: Option<String>,
}

/// What an item is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ItemKind {
    Text,
    Reasoning,
    Refusal,
    Call,
    Image,
    Audio,
}

impl ItemKind {
    const ALL: [Self; 6] = [
        Self::Text,
        Self::Reasoning,
        Self::Refusal,
        Self::Call,
        Self::Image,
        Self::Audio,
    ];

    /// The word of the contract.
    const fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Reasoning => "reasoning",
            Self::Refusal => "refusal",
            Self::Call => "call",
            Self::Image => "image",
            Self::Audio => "audio",
        }
    }

    pub(super) fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == word)
    }
}

impl Item {
    /// The item at its beginning.
    pub(super) fn begin(kind: ItemKind, begin: ItemBegin, origin: Dialect) -> Self {
        let mut item = Self {
            kind,
            origin,
            ended: false,
            held: Vec::new(),
            held_bytes: 0,
            arguments: Completeness::default(),
            has_arguments: false,
            data: Vec::new(),
            media_type: member(&begin.options, "mime-type"),
        };
        let start = match kind {
            ItemKind::Text => PartStart::Text,
            ItemKind::Reasoning => PartStart::Reasoning { redacted: false },
            ItemKind::Refusal => PartStart::Refusal,
            ItemKind::Call => PartStart::ToolCall {
                id: begin.id,
                name: begin.name,
                signature: member(&begin.options, "opaque").map(|data| Signature { origin, data }),
            },
            // A part that is not streamed: it is written when it ends.
            ItemKind::Image | ItemKind::Audio => return item,
        };
        item.hold(Event::PartStart(start));
        item
    }

    /// Adds a piece, and returns how many more bytes are held.
    pub(super) fn delta(&mut self, kind: &str, data: ItemData) -> Result<usize, ItemProblem> {
        let delta = match (self.kind, kind) {
            (ItemKind::Text, "text") => Delta::Text(text(data)?),
            (ItemKind::Refusal, "text") => Delta::Refusal(text(data)?),
            (ItemKind::Reasoning, "text") => Delta::Reasoning(text(data)?),
            (ItemKind::Reasoning, "opaque") => Delta::Signature(Signature {
                origin: self.origin,
                data: opaque(data),
            }),
            (ItemKind::Call, "arguments") => {
                let piece = text(data)?;
                self.arguments.push(&piece);
                self.has_arguments |= !piece.trim_ascii().is_empty();
                Delta::Arguments(piece)
            }
            (ItemKind::Image | ItemKind::Audio, "data") => {
                let piece = bytes(data)?;
                self.data.extend(&piece);
                return Ok(piece.len());
            }
            _ => {
                return Err(ItemProblem::DeltaKind {
                    delta: quoted(kind),
                    item: self.kind.name(),
                });
            }
        };
        if delta.is_empty() {
            return Ok(0);
        }
        Ok(self.hold(Event::Delta(delta)))
    }

    /// Adds a mark, unless the host does not know it, and returns how many more bytes are held.
    pub(super) fn annotate(
        &mut self,
        kind: &str,
        span: Option<(u64, u64)>,
        options: &[(String, String)],
    ) -> usize {
        if (self.kind, kind) != (ItemKind::Text, "citation") {
            return 0;
        }
        self.hold(Event::Delta(Delta::Citation(Citation {
            url: member(options, "url"),
            title: member(options, "title"),
            quoted: member(options, "quoted"),
            span,
            raw: serde_json::Value::Null,
        })))
    }

    /// Ends the item, and returns how many more bytes are held.
    pub(super) fn end(&mut self) -> usize {
        self.ended = true;
        let ended = match self.kind {
            ItemKind::Image | ItemKind::Audio => {
                let media = Media {
                    media_type: self.media_type.take(),
                    source: MediaSource::Base64(STANDARD.encode(&self.data)),
                    detail: None,
                    title: None,
                };
                let part = match self.kind {
                    ItemKind::Audio => Part::Audio(media),
                    _ => Part::Image(media),
                };
                self.hold(Event::PartStart(PartStart::Complete(part)))
            }
            // A tool without arguments: clients parse them as JSON.
            ItemKind::Call if !self.has_arguments => {
                self.hold(Event::Delta(Delta::Arguments("{}".to_owned())))
            }
            _ => 0,
        };
        ended + self.hold(Event::PartEnd)
    }

    /// Appends what is held to `out`, and returns how many bytes are not held any more.
    pub(super) fn write(&mut self, out: &mut Vec<Event>) -> usize {
        out.append(&mut self.held);
        let mut written = std::mem::take(&mut self.held_bytes);
        if self.ended {
            written += std::mem::take(&mut self.data).len();
        }
        written
    }

    fn hold(&mut self, event: Event) -> usize {
        let bytes = event.held_bytes();
        self.held.push(event);
        self.held_bytes += bytes;
        bytes
    }

    /// Whether it is a call whose arguments are not complete.
    pub(super) fn is_cut(&self) -> bool {
        self.kind == ItemKind::Call && self.arguments.is_open()
    }

    /// How many bytes it holds.
    pub(super) const fn held_bytes(&self) -> usize {
        self.held_bytes
    }
}

fn text(data: ItemData) -> Result<String, ItemProblem> {
    match data {
        ItemData::Text(text) => Ok(text),
        ItemData::Bytes(bytes) => String::from_utf8(bytes.into()).map_err(|_| ItemProblem::NotText),
    }
}

/// A signature as text. Clients of some dialects decode it, so bytes become base64.
fn opaque(data: ItemData) -> String {
    match data {
        ItemData::Text(text) => text,
        ItemData::Bytes(bytes) => STANDARD.encode(bytes),
    }
}

fn bytes(data: ItemData) -> Result<Vec<u8>, ItemProblem> {
    match data {
        ItemData::Text(text) => STANDARD.decode(text).map_err(|_| ItemProblem::NotBase64),
        ItemData::Bytes(bytes) => Ok(bytes.into()),
    }
}
