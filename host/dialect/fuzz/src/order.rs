//! Asserts that a decoder keeps the order of events that `ir::Event` documents.

use jackfield_dialect::ir::{PartStart, Delta, Event};

/// The state of a stream after the events so far.
#[derive(Debug, Default)]
pub(crate) struct Order {
    stage: Stage,
    open: Option<Kind>,
}

/// The progress of a stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    #[default]
    Before,
    Started,
    Finished,
    Done,
    Failed,
}

/// The kind of the open part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Reasoning,
    Refusal,
    Text,
    ToolCall,
    Complete,
}

impl Order {
    /// Checks the next event. Panics if it may not come here.
    pub(crate) fn take(&mut self, event: &Event) {
        assert!(self.stage < Stage::Done, "{event:?} after the end");
        let started = matches!(event, Event::Start { .. } | Event::Error(_));
        assert!(
            started || self.stage > Stage::Before,
            "{event:?} before the start"
        );
        match event {
            Event::Start { .. } => {
                assert_eq!(self.stage, Stage::Before, "a second start");
                self.stage = Stage::Started;
            }
            Event::PartStart(part_start) => {
                assert_eq!(self.stage, Stage::Started, "a part before the start or after the finish reason");
                assert_eq!(self.open, None, "a part inside a part");
                self.open = Some(kind(part_start));
            }
            Event::Delta(delta) => {
                assert!(!delta.is_empty(), "an empty delta");
                let open = self.open;
                assert!(belongs(delta, open), "{delta:?} inside {open:?}");
            }
            Event::PartEnd => assert!(self.open.take().is_some(), "a part end without an open part"),
            Event::Finish(_) => {
                assert_eq!(self.stage, Stage::Started, "a second finish reason, or one before the start");
                assert_eq!(self.open, None, "a finish reason inside a part");
                self.stage = Stage::Finished;
            }
            Event::Done => {
                assert_eq!(self.stage, Stage::Finished, "done without a finish reason");
                self.stage = Stage::Done;
            }
            Event::Error(_) => self.stage = Stage::Failed,
            Event::Usage(_) => {}
        }
    }

    /// Returns whether the stream has a finish reason or has failed.
    pub(crate) fn has_finish(&self) -> bool {
        self.stage >= Stage::Finished
    }

    /// Returns whether the stream is over: no event may follow.
    pub(crate) fn is_over(&self) -> bool {
        self.stage >= Stage::Done
    }

    /// Returns whether the stream ended without an error.
    pub(crate) fn done(&self) -> bool {
        self.stage == Stage::Done
    }
}

fn kind(part_start: &PartStart) -> Kind {
    match part_start {
        PartStart::Reasoning { .. } => Kind::Reasoning,
        PartStart::Refusal => Kind::Refusal,
        PartStart::Text => Kind::Text,
        PartStart::ToolCall { id, name, .. } => {
            assert!(!id.is_empty() && !name.is_empty(), "a tool call without an id or a name");
            Kind::ToolCall
        }
        PartStart::Complete(_) => Kind::Complete,
    }
}

fn belongs(delta: &Delta, open: Option<Kind>) -> bool {
    let kind = match delta {
        Delta::Arguments(_) => Kind::ToolCall,
        Delta::Citation(_) | Delta::Text(_) => Kind::Text,
        Delta::Reasoning(_) | Delta::Signature(_) => Kind::Reasoning,
        Delta::Refusal(_) => Kind::Refusal,
    };
    open == Some(kind)
}
