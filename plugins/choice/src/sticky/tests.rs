//! Sessions stay on a candidate, move only if they must, and are shared by weight.

use proptest::collection::{btree_set, vec};
use proptest::prelude::*;

use super::{sticky, unit};

#[test]
fn returns_none_without_candidates() {
    assert_eq!(sticky(7, &[], &[]), None);
}

#[test]
fn unit_is_between_zero_and_one() {
    for hash in [0, u64::MAX, 1 << 63] {
        assert!(unit(hash) > 0.0 && unit(hash) < 1.0, "{hash}");
    }
}

/// Consecutive numbers as identities and sessions, so that only the hash spreads them.
#[test]
fn sessions_are_shared_by_weight() {
    let identities: Vec<u64> = (0..5).collect();
    let weights = [1, 2, 3, 4, 10];
    let sessions = 100_000;
    let mut counts = [0_u32; 5];
    for session in 0..sessions {
        counts[sticky(session, &identities, &weights).unwrap()] += 1;
    }
    for (count, weight) in counts.iter().zip(weights) {
        let due = f64::from(weight) / 20.0 * sessions as f64;
        // Six standard deviations of a fair draw: at most 6 · √(sessions / 4).
        assert!((f64::from(*count) - due).abs() < 950.0, "{counts:?}");
    }
}

#[test]
fn orphaned_sessions_spread_over_the_others() {
    let identities: Vec<u64> = (0..5).collect();
    let mut counts = [0_u32; 4];
    for session in 0..50_000 {
        if sticky(session, &identities, &[]) == Some(4) {
            counts[sticky(session, &identities[..4], &[]).unwrap()] += 1;
        }
    }
    let (least, most) = (counts.iter().min(), counts.iter().max());
    assert!(least > Some(&2_200) && most < Some(&2_800), "{counts:?}");
}

proptest! {
    #[test]
    fn removal_moves_only_its_own_sessions(
        identities in btree_set(any::<u64>(), 2..40),
        weights in vec(1_u32..=1_000_000, 40),
        sessions in vec(any::<u64>(), 20),
        leaving in any::<prop::sample::Index>(),
    ) {
        let identities: Vec<u64> = identities.into_iter().collect();
        let leaving = leaving.index(identities.len());
        let (mut others, mut of_others) = (identities.clone(), weights[..identities.len()].to_vec());
        others.remove(leaving);
        of_others.remove(leaving);
        for session in sessions {
            let before = sticky(session, &identities, &weights).unwrap();
            let after = sticky(session, &others, &of_others).unwrap();
            if before != leaving {
                prop_assert_eq!(others[after], identities[before]);
            }
        }
    }

    #[test]
    fn candidate_order_does_not_matter(
        identities in btree_set(any::<u64>(), 1..40),
        session in any::<u64>(),
    ) {
        let identities: Vec<u64> = identities.into_iter().collect();
        let mut reversed = identities.clone();
        reversed.reverse();
        prop_assert_eq!(
            sticky(session, &identities, &[]).map(|index| identities[index]),
            sticky(session, &reversed, &[]).map(|index| reversed[index])
        );
    }
}
