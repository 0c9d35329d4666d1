//! The events of a client's stream, with their members in the API's order.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::Value;

use crate::anthropic::usage::MessageUsage;
use crate::ir::Frame;
use crate::json::to_vec;

/// An event. Each is written directly, without a tree: most are only a few characters long.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum MessageEvent<'a> {
    BlockDelta {
        index: usize,
        delta: BlockDelta<'a>,
    },
    BlockStart {
        index: usize,
        content_block: BlockStart<'a>,
    },
    BlockStop {
        index: usize,
    },
    MessageDelta {
        delta: StopReason,
        usage: MessageUsage,
    },
    MessageStart {
        message: MessageStart<'a>,
    },
    MessageStop {},
    Ping {},
}

impl MessageEvent<'_> {
    /// Returns the event as a frame.
    pub(super) fn frame(&self) -> Frame {
        let kind = match self {
            Self::BlockDelta { .. } => "content_block_delta",
            Self::BlockStart { .. } => "content_block_start",
            Self::BlockStop { .. } => "content_block_stop",
            Self::MessageDelta { .. } => "message_delta",
            Self::MessageStart { .. } => "message_start",
            Self::MessageStop {} => "message_stop",
            Self::Ping {} => "ping",
        };
        let members = self;
        Frame {
            name: Cow::Borrowed(kind),
            data: to_vec(&NamedEvent { kind, members }),
        }
    }
}

#[derive(Serialize)]
struct NamedEvent<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(flatten)]
    members: &'a MessageEvent<'a>,
}

/// A block at its beginning. The SDKs expect its members, though they are still empty.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum BlockStart<'a> {
    RedactedThinking {
        data: String,
    },
    Text {
        text: &'static str,
    },
    Thinking {
        thinking: &'static str,
        signature: &'static str,
    },
    ToolUse {
        id: Cow<'a, str>,
        name: &'a str,
        input: EmptyObject,
    },
}

impl BlockStart<'_> {
    /// A text.
    pub(super) const TEXT: Self = Self::Text { text: "" };

    /// Reasoning whose text is shown.
    pub(super) const THINKING: Self = Self::Thinking {
        thinking: "",
        signature: "",
    };
}

/// The arguments of a tool call, which follow as text.
#[derive(Serialize)]
pub(super) struct EmptyObject {}

/// A piece of a block.
#[derive(Serialize)]
#[serde(tag = "type")]
pub(super) enum BlockDelta<'a> {
    #[serde(rename = "citations_delta")]
    Citation { citation: Value },
    #[serde(rename = "input_json_delta")]
    InputJson { partial_json: &'a str },
    #[serde(rename = "signature_delta")]
    Signature { signature: String },
    #[serde(rename = "text_delta")]
    Text { text: &'a str },
    #[serde(rename = "thinking_delta")]
    Thinking { thinking: &'a str },
}

/// A message that has begun. Its usage is not known yet; the counts at the end replace these.
#[derive(Serialize)]
pub(super) struct MessageStart<'a> {
    id: String,
    #[serde(rename = "type")]
    kind: &'static str,
    role: &'static str,
    model: &'a str,
    content: [(); 0],
    stop_reason: Option<&'static str>,
    stop_sequence: Option<&'static str>,
    usage: MessageUsage,
}

impl<'a> MessageStart<'a> {
    /// Returns an empty message.
    pub(super) const fn new(id: String, model: &'a str, usage: MessageUsage) -> Self {
        Self {
            id,
            kind: "message",
            role: "assistant",
            model,
            content: [],
            stop_reason: None,
            stop_sequence: None,
            usage,
        }
    }
}

/// Why the message ended.
#[derive(Serialize)]
pub(super) struct StopReason {
    pub(super) stop_reason: &'static str,
    pub(super) stop_sequence: Value,
}
