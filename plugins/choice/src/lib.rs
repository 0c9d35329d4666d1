//! The algorithms of the selectors: pure functions of columns and a number, without memory. So a selector
//! can be replaced at any moment, and can run in any number of instances. They do not depend on the SDK:
//! a selector reads the columns and calls one of them.
//!
//! Each returns the index of a candidate, or `None` if there is no candidate.

mod least_busy;
mod sticky;
mod weighted;

pub use least_busy::{PROBE_EVERY, least_busy};
pub use sticky::sticky;
pub use weighted::weighted;

/// Returns the candidates in turn.
pub fn round_robin(sequence: u64, count: usize) -> Option<usize> {
    let count = u64::try_from(count).ok().filter(|count| *count > 0)?;
    usize::try_from(sequence % count).ok()
}
