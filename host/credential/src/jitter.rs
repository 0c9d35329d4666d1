//! Jitter: pauses that differ a little, so that credentials that failed together do not act together.

use std::time::Duration;

/// Returns the pause changed by up to [`JITTER_PERMILLE`] either way. `random` is a random number.
pub(crate) fn jittered(pause: Duration, random: u64) -> Duration {
    let span = 2 * JITTER_PERMILLE + 1;
    let permille = 1000 - JITTER_PERMILLE + u32::try_from(random % u64::from(span)).unwrap_or(0);
    pause.saturating_mul(permille) / 1000
}

/// A fifth either way: enough to spread a herd, and little enough that a probe comes when the
/// operator expects it.
const JITTER_PERMILLE: u32 = 200;
