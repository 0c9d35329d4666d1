//! Statistics of past attempts with one model of one credential, for selectors: integers of fixed
//! size, deterministic.

use std::time::Duration;

/// The last outcomes and the latency.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ModelStats {
    /// The last [`OUTCOMES_MAX`] outcomes, one bit each, the newest in the lowest bit; 1 is a
    /// failure.
    outcomes: u32,
    /// How many of those bits are in use.
    outcomes_seen: u8,
    /// The moving average of the time to the first byte, in 1/[`LATENCY_PARTS`] ms; 0 is unknown.
    latency_parts: u32,
}

impl ModelStats {
    pub(crate) fn record_outcome(&mut self, failed: bool) {
        self.outcomes = (self.outcomes << 1) | u32::from(failed);
        self.outcomes_seen = (self.outcomes_seen + 1).min(OUTCOMES_MAX);
    }

    /// A sample moves the average by an eighth of the difference, as TCP's round-trip estimate
    /// does. So one slow response does not push a credential aside; eight do.
    pub(crate) fn record_first_byte(&mut self, took: Duration) {
        let sample = u32::try_from(took.as_millis())
            .unwrap_or(LATENCY_MS_MAX)
            .clamp(LATENCY_MS_MIN, LATENCY_MS_MAX);
        self.latency_parts = match self.latency_parts {
            0 => sample * LATENCY_PARTS,
            parts => parts - parts / LATENCY_PARTS + sample,
        };
    }

    /// Returns the failed share of the last 32 attempts, in thousandths; 0 without any.
    pub(crate) fn error_permille(self) -> u16 {
        let failed = self.outcomes.count_ones() * 1000;
        let permille = failed
            .checked_div(u32::from(self.outcomes_seen))
            .unwrap_or(0);
        u16::try_from(permille).unwrap_or(u16::MAX)
    }

    /// Returns the moving average of the time to the first byte, in milliseconds; 0 if unknown.
    pub(crate) fn latency_ms(self) -> u32 {
        self.latency_parts / LATENCY_PARTS
    }
}

/// One per bit of `ModelStats::outcomes`.
const OUTCOMES_MAX: u8 = 32;

/// The average keeps three binary places, so that rounding does not lose small changes.
const LATENCY_PARTS: u32 = 8;

/// Zero means unknown, so a response faster than a millisecond counts as one.
const LATENCY_MS_MIN: u32 = 1;

/// An hour: beyond any timeout, and its eight parts fit in 32 bits.
const LATENCY_MS_MAX: u32 = 3_600_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn error_rate_is_over_the_attempts_seen() {
        let mut stats = ModelStats::default();
        assert_eq!(stats.error_permille(), 0);
        stats.record_outcome(true);
        assert_eq!(stats.error_permille(), 1000);
        stats.record_outcome(false);
        stats.record_outcome(false);
        assert_eq!(stats.error_permille(), 333);
        for _ in 0..32 {
            stats.record_outcome(false);
        }
        assert_eq!(stats.error_permille(), 0, "only the last 32 attempts count");
        for _ in 0..300 {
            stats.record_outcome(true);
        }
        assert_eq!(stats.error_permille(), 1000);
    }

    #[test]
    fn latency_follows_what_is_measured() {
        let mut stats = ModelStats::default();
        assert_eq!(stats.latency_ms(), 0);
        stats.record_first_byte(Duration::ZERO);
        assert_eq!(stats.latency_ms(), 1, "zero would mean unknown");
        let mut stats = ModelStats::default();
        stats.record_first_byte(Duration::from_millis(100));
        assert_eq!(stats.latency_ms(), 100);
        stats.record_first_byte(Duration::from_millis(900));
        assert_eq!(stats.latency_ms(), 200, "an eighth of the way");
        for _ in 0..100 {
            stats.record_first_byte(Duration::from_millis(900));
        }
        assert!(
            (890..=900).contains(&stats.latency_ms()),
            "{}",
            stats.latency_ms()
        );
        for _ in 0..1000 {
            stats.record_first_byte(Duration::MAX);
        }
        assert!(stats.latency_ms() <= LATENCY_MS_MAX);
    }
}
