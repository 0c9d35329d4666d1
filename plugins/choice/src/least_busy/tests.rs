//! Load decides first, then the error rate, then the turn.

use proptest::collection::vec;
use proptest::prelude::*;

use super::{PROBE_EVERY, least_busy};

fn picks(
    sequences: std::ops::Range<u64>,
    busy: &[u32],
    weights: &[u32],
    errors: &[u16],
) -> Vec<usize> {
    sequences
        .map(|sequence| least_busy(sequence, busy, weights, || errors.to_vec()).unwrap())
        .collect()
}

#[test]
fn returns_none_without_candidates() {
    assert_eq!(least_busy(7, &[], &[], Vec::new), None);
}

#[test]
fn load_is_relative_to_weight() {
    // 3 of 4, 2 of 2, 1 of 1: the first one has the lowest load.
    assert_eq!(picks(0..3, &[3, 2, 1], &[4, 2, 1], &[0; 3]), [0, 0, 0]);
    assert_eq!(
        picks(0..3, &[1_000_000, 1], &[1_000_000, 2], &[0; 2]),
        [1, 1, 1]
    );
}

#[test]
fn error_rates_are_read_only_on_ties() {
    let error_permille = || -> Vec<u16> { panic!("the error rates were read") };
    assert_eq!(least_busy(7, &[1, 0, 1], &[], error_permille), Some(1));
}

#[test]
fn ties_go_to_the_lowest_error_rate() {
    let chosen = picks(1..PROBE_EVERY, &[1, 0, 0, 0], &[1; 4], &[0, 30, 0, 0]);
    assert!(
        chosen.iter().all(|index| [2, 3].contains(index)),
        "{chosen:?}"
    );
}

#[test]
fn failing_candidates_are_probed() {
    let rounds = 8;
    let chosen = picks(0..rounds * PROBE_EVERY, &[0; 2], &[1; 2], &[0, 1_000]);
    let probed = chosen.iter().filter(|index| **index == 1).count();
    assert_eq!(probed as u64, rounds / 2);
}

proptest! {
    #[test]
    fn never_skips_a_less_busy_candidate(
        candidates in vec((0_u32..9, 1_u32..9, 0_u16..4), 1..30),
        sequence in any::<u64>(),
    ) {
        let busy: Vec<u32> = candidates.iter().map(|(busy, ..)| *busy).collect();
        let weights: Vec<u32> = candidates.iter().map(|(_, weight, _)| *weight).collect();
        let errors: Vec<u16> = candidates.iter().map(|(.., errors)| *errors).collect();
        let chosen = picks(sequence..sequence.saturating_add(1), &busy, &weights, &errors);
        for index in chosen {
            let load = |index: usize| f64::from(busy[index]) / f64::from(weights[index]);
            prop_assert!((0..busy.len()).all(|other| load(other) >= load(index)));
        }
    }

    #[test]
    fn ties_are_round_robin(count in 1_usize..40, from in 0..1_000_000_u64) {
        let from = from * count as u64;
        let mut round = picks(from..from + count as u64, &vec![2; count], &vec![3; count], &vec![5; count]);
        round.sort_unstable();
        prop_assert_eq!(round, (0..count).collect::<Vec<_>>());
    }

    /// Also if their number and `PROBE_EVERY` have a common factor.
    #[test]
    fn lowest_error_rate_ties_are_round_robin(count in 1_usize..40) {
        let mut errors = vec![0; count];
        errors.push(500);
        let rounds = 10 * count as u64 * PROBE_EVERY;
        let chosen = picks(0..rounds, &vec![0; count + 1], &[], &errors);
        let ordinary = chosen.iter().enumerate().filter(|(at, _)| !(*at as u64).is_multiple_of(PROBE_EVERY));
        let mut counts = vec![0; count + 1];
        ordinary.for_each(|(_, index)| counts[*index] += 1);
        prop_assert_eq!(counts[count], 0);
        let (least, most) = (counts[..count].iter().min(), counts[..count].iter().max());
        prop_assert_eq!(least, most, "{:?}", counts);
    }
}
