//! Weighted round robin that is smooth and needs no memory.

/// The candidate whose turn it is, so that each has its share of the picks, spread evenly.
///
/// Of any `w` picks in a row, `w` being the sum of the weights, each candidate gets exactly as many as
/// its weight says; and of the first `t` picks of such a cycle its share of `t`, give or take half
/// the height of the tree below: ⌈log₂ n⌉ / 2 picks. Equal weights stay within one pick. A weight of 0
/// counts as 1.
///
/// The algorithm. The candidates are the leaves of a binary tree that halves their list again and
/// again. At a node of weight `w`, whose left half weighs `l`, the left half has had
/// `round(t · l / w)` of the first `t` picks, and the right half the others: so pick `t` goes left if
/// that number grows with it. What each half has had so far is its own `t`. Of two halves no order is
/// smoother, since each has had its share to within half a pick; such halves of a pick add up on the
/// way down, which is the bound. The cost is that of summing the weights, O(n), and one step a level.
///
/// When the candidates change the cycle goes on at another place: no pick is owed to anybody.
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

/// What the candidates before each weigh together, and what all do. 2³² candidates of the heaviest
/// weight fit.
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

/// `turn · part / whole`, rounded.
fn share(turn: u64, part: u64, whole: u64) -> u64 {
    let [turn, part, whole] = [turn, part, whole].map(u128::from);
    // Not above `turn`, since `part` is not above `whole`.
    ((turn * part + whole / 2) / whole) as u64
}

#[cfg(test)]
mod tests;
