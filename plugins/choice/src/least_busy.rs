//! The least busy candidate, for its weight.

use std::cmp::Ordering;

use crate::round_robin;

/// Of this many picks that a record of errors decides, one ignores it.
///
/// A record covers a candidate's last attempts and only mends by new ones: who is passed over for one
/// failure would never come back. One in 16 costs little where a candidate does fail.
pub const PROBE_EVERY: u64 = 16;

/// The candidate with the fewest attempts under way for its weight; among equals the one that fails
/// least, and among those each in turn.
///
/// All are looked at, O(n): two at random, of which the less busy is taken, is for pools whose loads
/// are costly to know, and here they are a column. What fails least is asked only among several that
/// are equally busy, and each [`PROBE_EVERY`]th such pick goes without. Weights that are missing
/// or 0 count as 1.
pub fn least_busy(
    sequence: u64,
    in_flight: &[u32],
    weights: &[u32],
    error_permille: impl FnOnce() -> Vec<u16>,
) -> Option<usize> {
    let weight = |index: usize| u64::from(weights.get(index).copied().unwrap_or(1).max(1));
    // in_flight[a] / weight(a) against in_flight[b] / weight(b), without dividing.
    let load = |a: usize, b: usize| {
        let (of_a, of_b) = (u64::from(in_flight[a]), u64::from(in_flight[b]));
        (of_a * weight(b)).cmp(&(of_b * weight(a)))
    };
    let idlest = least((0..in_flight.len()).collect(), load);
    if let [] | [_] = idlest[..] {
        return idlest.first().copied();
    }
    let errors = error_permille();
    let of = |index: usize| errors.get(index).copied().unwrap_or(0);
    let steadiest = least(idlest.clone(), |a, b| of(a).cmp(&of(b)));
    let (turn, equals) = if steadiest.len() == idlest.len() {
        (sequence, idlest)
    } else if sequence.is_multiple_of(PROBE_EVERY) {
        (sequence / PROBE_EVERY, idlest)
    } else {
        // Counts the picks that are no retrials, so that none of the equals is skipped over.
        (sequence - 1 - sequence / PROBE_EVERY, steadiest)
    };
    equals.get(round_robin(turn, equals.len())?).copied()
}

/// Those that none is less than.
fn least(mut indexes: Vec<usize>, order: impl Fn(usize, usize) -> Ordering) -> Vec<usize> {
    let least = indexes.iter().copied().min_by(|a, b| order(*a, *b));
    if let Some(least) = least {
        indexes.retain(|index| order(*index, least).is_eq());
    }
    indexes
}

#[cfg(test)]
mod tests;
