//! The chunks that the bytes of a response may arrive in.

/// Ways to split `length` bytes into chunks, each as the ends of its chunks, the last one being `length`.
/// All ways with two chunks if there are few bytes; chunks of one size from 1 up; and random ones, which
/// are the same in each run.
#[must_use]
pub fn splits(length: usize) -> Vec<Vec<usize>> {
    let mut all = vec![vec![length]];
    if length <= ALL_PLACES_BYTES_MAX {
        all.extend((1..length).map(|end| vec![end, length]));
    }
    for size in 1..EQUAL_SIZES_END.min(length) {
        let ends = (size..length).step_by(size);
        all.push(ends.chain([length]).collect());
    }
    let mut random = SEED ^ length as u64;
    for _ in 0..RANDOM_SPLITS {
        let mut ends = Vec::new();
        let mut end = 0;
        loop {
            random = random.wrapping_mul(MULTIPLIER).wrapping_add(1);
            end += 1 + usize::try_from((random >> 33) % RANDOM_CHUNK_BYTES_MAX).unwrap_or_default();
            if end >= length {
                break;
            }
            ends.push(end);
        }
        ends.push(length);
        all.push(ends);
    }
    all
}

/// Up to this length, in bytes, each place is the end of a chunk once. Most streams of the cases are shorter.
const ALL_PLACES_BYTES_MAX: usize = 4_096;
/// The end of the sizes of equal chunks, in bytes: longer than a line end, a field name, a character.
const EQUAL_SIZES_END: usize = 24;
/// How many random splits there are.
const RANDOM_SPLITS: usize = 16;
/// The most bytes of a random chunk: about an event.
const RANDOM_CHUNK_BYTES_MAX: u64 = 300;
/// The beginning of the random numbers.
const SEED: u64 = 0x6a61_636b;
/// The multiplier of the linear congruential generator of MMIX (Knuth).
const MULTIPLIER: u64 = 6_364_136_223_846_793_005;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_splits_are_ordered_and_complete() {
        for length in [0, 1, 2, 100, 10_000] {
            for ends in splits(length) {
                assert!(ends.is_sorted());
                assert_eq!(ends.last(), Some(&length));
            }
        }
        assert!(splits(100).contains(&vec![57, 100]));
    }
}
