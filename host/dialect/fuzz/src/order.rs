//! Holds a decoder to the order of events that `ir::SseEvent` promises.

use jackfield_dialect::ir::{PartStart, Delta, Event};

/// What came of a stream so far.
#[derive(Debug, Default)]
pub(crate) struct Order {
    stage: Stage,
    open: Option<Kind>,
}

/// How far a stream is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    #[default]
    Before,
    Started,
    Finished,
    Done,
    Failed,
}

/// What kind of part is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Reasoning,
    Refusal,
    Text,
    ToolCall,
    Complete,
}

impl Order {
    /// Takes the next event.
    pub(crate) fn take(&mut self, event: &Event) {
        assert!(self.stage < Stage::Done, "{event:?} after the end");
        let started = matches!(event, Event::Start { .. } | Event::Error(_));
        assert!(
            started || self.stage > Stage::Before,
            "{event:?} before the start"
        );
        match event {
            Event::Start { .. } => {
                assert_eq!(self.stage, Stage::Before, "it starts again");
                self.stage = Stage::Started;
            }
            Event::PartStart(part_start) => {
                assert_eq!(self.stage, Stage::Started, "a part after the finish");
                assert_eq!(self.open, None, "a part inside a part");
                self.open = Some(kind(part_start));
            }
            Event::Delta(delta) => {
                assert!(!delta.is_empty(), "an empty piece");
                let open = self.open;
                assert!(belongs(delta, open), "{delta:?} inside {open:?}");
            }
            Event::PartEnd => assert!(self.open.take().is_some(), "the end of no part"),
            Event::Finish(_) => {
                assert_eq!(self.stage, Stage::Started, "it finishes again");
                assert_eq!(self.open, None, "it finishes inside a part");
                self.stage = Stage::Finished;
            }
            Event::Done => {
                assert_eq!(self.stage, Stage::Finished, "done without a finish");
                self.stage = Stage::Done;
            }
            Event::Error(_) => self.stage = Stage::Failed,
            Event::Usage(_) => {}
        }
    }

    /// Whether it told why the answer ended, or that it failed.
    pub(crate) fn has_finish(&self) -> bool {
        self.stage >= Stage::Finished
    }

    /// Whether nothing may follow.
    pub(crate) fn is_over(&self) -> bool {
        self.stage >= Stage::Done
    }

    /// Whether it came to its end, and well.
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
            assert!(!id.is_empty() && !name.is_empty(), "a call of nothing");
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
