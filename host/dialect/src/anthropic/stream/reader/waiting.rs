//! The events of blocks that began before an earlier block ended. Only one part may be open at a time.

use std::collections::VecDeque;

use crate::ir::Malformed;
use crate::limits::{WAITING_BLOCKS_BYTES_MAX, WAITING_PARTS_MAX};

/// The events that wait, by block, in the order in which the blocks began.
#[derive(Debug, Default)]
pub(super) struct WaitingBlocks {
    blocks: VecDeque<WaitingBlock>,
    bytes: usize,
}

#[derive(Debug)]
struct WaitingBlock {
    index: u64,
    events: Vec<String>,
}

impl WaitingBlocks {
    /// Adds an event of a block.
    ///
    /// # Errors
    /// If too much waits.
    pub(super) fn push(&mut self, index: u64, event: String) -> Result<(), Malformed> {
        self.bytes += event.len();
        let known = self.blocks.iter_mut().rfind(|block| block.index == index);
        match known {
            Some(block) => block.events.push(event),
            None => self.blocks.push_back(WaitingBlock {
                index,
                events: vec![event],
            }),
        }
        if self.bytes > WAITING_BLOCKS_BYTES_MAX || self.blocks.len() > WAITING_PARTS_MAX {
            return Err(Malformed(
                "too many events wait for an earlier block to end",
            ));
        }
        Ok(())
    }

    /// Whether events of a block wait.
    pub(super) fn contains(&self, index: u64) -> bool {
        self.blocks.iter().any(|block| block.index == index)
    }

    /// Returns the events of the block that waits longest.
    pub(super) fn pop(&mut self) -> Option<Vec<String>> {
        let block = self.blocks.pop_front()?;
        self.bytes -= block.events.iter().map(String::len).sum::<usize>();
        Some(block.events)
    }
}
