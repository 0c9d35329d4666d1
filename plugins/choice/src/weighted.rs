//! Smooth weighted round robin without memory.

/// Returns the candidate whose turn it is. Each candidate gets its share of the picks, spread evenly.
///
/// Let `w` be the sum of the weights and `n` the number of candidates. Of any `w` picks in a row each
/// candidate gets exactly its weight. Of the first `t` picks of such a cycle it gets its share of `t`,
/// plus or minus half the height of the tree below: ⌈log₂ n⌉ / 2 picks. With equal weights the deviation
/// is below one pick. A weight of 0 counts as 1.
///
/// The algorithm: the candidates are the leaves of a binary tree that halves their list at each level. At a
/// node of weight `w`, whose left half has the weight `l`, the left half gets `round(t · l / w)` of the
/// first `t` picks, and the right half gets the others. So pick `t` goes left if that number grows with
/// it. The number of picks of a half so far is the `t` of its node. At one node no order is smoother: each
/// half deviates by at most half a pick. These deviations add up over the levels, which is the bound. The
/// cost is O(n) for the sum of the weights, and one step for each level.
///
/// If the candidates change, the cycle goes on at another position. No state compensates for past picks.
pub fn weighted(sequence: u64, weights: &[u32]) -> Option<usize> {
    let sums = sums(weights);
    let total = sums.last().copied().filter(|total| *total > 0)?;
    let mut turn = sequence % total;
    let (mut first, mut end) = (0, weights.len());
    while end - first > 1 {
        let middle = first + (end - first) / 2;
        let whole = sums[end] - sums[first];
        let left = sums[middle] - sums[first];
        let had = share(turn, left, whole);
        if share(turn + 1, left, whole) > had {
            (turn, end) = (had, middle);
        } else {
            (turn, first) = (turn - had, middle);
        }
    }
    Some(first)
}

/// Returns the prefix sums of the weights: at each index the sum before it, and the total at the end. A u64
/// holds the sum of 2³² candidates of the highest weight.
fn sums(weights: &[u32]) -> Vec<u64> {
    let mut sum = 0_u64;
    let mut sums = Vec::with_capacity(weights.len() + 1);
    sums.push(sum);
    for weight in weights {
        sum += u64::from((*weight).max(1));
        sums.push(sum);
    }
    sums
}

/// Returns `turn · part / whole`, rounded.
fn share(turn: u64, part: u64, whole: u64) -> u64 {
    let [turn, part, whole] = [turn, part, whole].map(u128::from);
    // Not above `turn`, since `part` is not above `whole`.
    ((turn * part + whole / 2) / whole) as u64
}

#[cfg(test)]
mod tests;
