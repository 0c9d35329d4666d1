//! How selectors choose: pure functions of columns and a number, without memory, so that a selector
//! can be replaced at any moment and runs in as many instances as the host likes. They know nothing
//! of components: a selector reads the columns, calls one of these, and answers.
//!
//! Each answers the index of a candidate, from 0, and none only where there is no candidate.

mod least_busy;
mod sticky;
mod weighted;

pub use least_busy::{PROBE_EVERY, least_busy};
pub use sticky::sticky;
pub use weighted::weighted;

/// The candidates one after the other, whatever they are.
pub fn round_robin(sequence: u64, count: usize) -> Option<usize> {
    let count = u64::try_from(count).ok().filter(|count| *count > 0)?;
    usize::try_from(sequence % count).ok()
}
