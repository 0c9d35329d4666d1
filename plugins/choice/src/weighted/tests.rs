//! The shares, and how evenly the picks are spread.

use proptest::collection::vec;
use proptest::prelude::*;

use super::weighted;

/// Returns the indexes of consecutive picks.
fn picks(weights: &[u32], from: u64, count: u64) -> Vec<usize> {
    let pick = |sequence| weighted(sequence, weights).unwrap();
    (from..from + count).map(pick).collect()
}

fn counts(picks: &[usize], candidates: usize) -> Vec<u64> {
    let mut counts = vec![0; candidates];
    picks.iter().for_each(|index| counts[*index] += 1);
    counts
}

/// Returns the number of levels of the tree: the least `h` with 2^h leaves or more.
fn height(candidates: usize) -> u64 {
    u64::from(candidates.next_power_of_two().trailing_zeros())
}

#[test]
fn returns_none_without_candidates() {
    assert_eq!(weighted(7, &[]), None);
}

#[test]
fn spreads_picks_of_a_heavy_candidate() {
    let letters: String = picks(&[5, 1, 1], 0, 14)
        .iter()
        .map(|index| ["a", "b", "c"][*index])
        .collect();
    assert_eq!(letters, "abaaacaabaaaca");
}

#[test]
fn light_candidates_do_not_burst() {
    let mut weights = vec![1; 10];
    weights.push(100);
    let picks = picks(&weights, 0, 220);
    let light = |window: &[usize]| window.iter().filter(|index| **index < 10).count();
    // A tenth of the picks is light: in 30 there are 3, and each half of the tree may add one.
    let most = picks.windows(30).map(light).max();
    assert!(most <= Some(5), "{most:?}");
}

#[test]
fn large_pools_stay_exact_and_even() {
    let weights: Vec<u32> = (0..10_000)
        .map(|index| if index % 2 == 0 { 1_000_000 } else { 500_000 })
        .collect();
    // 15,000 picks are two for each heavy one and one for each light one.
    let counts = counts(&picks(&weights, 7_500_000_000 - 7_500, 15_000), 10_000);
    let most = |parity: usize| counts.iter().skip(parity).step_by(2).max().copied();
    let least = |parity: usize| counts.iter().skip(parity).step_by(2).min().copied();
    assert!(
        least(0) >= Some(1) && most(0) <= Some(3),
        "{:?} {:?}",
        least(0),
        most(0)
    );
    assert!(most(1) <= Some(2), "{:?}", most(1));
    assert_eq!(counts.iter().sum::<u64>(), 15_000);
}

#[test]
fn handles_the_largest_sequence_number() {
    assert!(weighted(u64::MAX, &[u32::MAX; 9]).is_some());
}

#[test]
fn zero_weight_counts_as_one() {
    assert_eq!(counts(&picks(&[0, 2], 0, 30), 2), [10, 20]);
}

proptest! {
    #[test]
    fn each_candidate_gets_its_weight_per_cycle(
        weights in vec(1_u32..40, 1..24),
        from in 0..1_000_000_u64,
    ) {
        let total = weights.iter().copied().map(u64::from).sum();
        let expected: Vec<u64> = weights.iter().copied().map(u64::from).collect();
        let all = picks(&weights, from, total);
        prop_assert_eq!(counts(&all, weights.len()), expected);
    }

    #[test]
    fn deviation_stays_within_the_bound(
        weights in vec(1_u32..40, 1..24),
    ) {
        let total: u64 = weights.iter().copied().map(u64::from).sum();
        let bound = height(weights.len()) * total;
        let mut counts = vec![0_u64; weights.len()];
        for turn in 0..total {
            counts[weighted(turn, &weights).unwrap()] += 1;
            for (count, weight) in counts.iter().zip(&weights) {
                let off = (count * total).abs_diff((turn + 1) * u64::from(*weight));
                prop_assert!(2 * off <= bound, "{counts:?} after {turn}: {weights:?}");
            }
        }
    }

    #[test]
    fn equal_weights_are_round_robin(
        count in 1_usize..200,
        weight in 1_u32..=1_000_000,
        from in 0..u64::MAX / 2,
    ) {
        let weights = vec![weight; count];
        let round = picks(&weights, from - from % (count as u64 * u64::from(weight)), count as u64);
        prop_assert_eq!(counts(&round, count), vec![1; count]);
    }

    /// A cycle of such weights is too long to walk: a stretch of it keeps the bound.
    #[test]
    fn heavy_weights_get_their_shares(
        weights in vec(1_u32..=1_000_000, 2..12),
        from in 0..1_000_000_u64,
    ) {
        let total: u128 = weights.iter().copied().map(u128::from).sum();
        let stretch = 2_000;
        let counts = counts(&picks(&weights, from, stretch), weights.len());
        for (count, weight) in counts.iter().zip(&weights) {
            let off = (u128::from(*count) * total)
                .abs_diff(u128::from(stretch) * u128::from(*weight));
            // Off at its beginning and at its end.
            prop_assert!(off <= u128::from(height(weights.len())) * total);
        }
    }
}
