//! The least busy candidate, relative to its weight.

use std::cmp::Ordering;

use crate::round_robin;

/// One of this many picks ignores the error rates, if they would decide it.
///
/// An error rate covers the last attempts of a candidate, so only new attempts can improve it. Without these
/// picks a candidate with one failure would never be chosen again. One in 16 costs little if the candidate
/// still fails.
pub const PROBE_EVERY: u64 = 16;

/// Returns the candidate with the fewest attempts in progress relative to its weight; among equals the one
/// with the lowest error rate, and among those each in turn.
///
/// It compares all candidates, O(n). The power of two random choices is for pools whose loads are expensive
/// to read; here they are one column. `error_permille` is called only if several candidates are equally
/// busy, and every [`PROBE_EVERY`]th such pick ignores it. A missing weight or 0 counts as 1.
pub fn least_busy(
    sequence: u64,
    in_flight: &[u32],
    weights: &[u32],
    error_permille: impl FnOnce() -> Vec<u16>,
) -> Option<usize> {
    let weight = |index: usize| u64::from(weights.get(index).copied().unwrap_or(1).max(1));
    // Compares in_flight[a] / weight(a) with in_flight[b] / weight(b) without division.
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
        // Counts only the picks that are no probes: otherwise the same candidates would be skipped in
        // each round if `PROBE_EVERY` and their number have a common factor.
        (sequence - 1 - sequence / PROBE_EVERY, steadiest)
    };
    equals.get(round_robin(turn, equals.len())?).copied()
}

/// Keeps the indexes that are least by this order.
fn least(mut indexes: Vec<usize>, order: impl Fn(usize, usize) -> Ordering) -> Vec<usize> {
    let least = indexes.iter().copied().min_by(|a, b| order(*a, *b));
    if let Some(least) = least {
        indexes.retain(|index| order(*index, least).is_eq());
    }
    indexes
}

#[cfg(test)]
mod tests;
