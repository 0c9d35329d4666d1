//! A point in time, passed in by the caller.

use std::fmt;
use std::ops::Add;
use std::time::Duration;

/// Milliseconds since the Unix epoch.
///
/// This crate reads no clock: every `now` is an argument. It must not jump. Use the wall-clock
/// time at the start plus a monotonic clock's time since then; see [`Pool`](crate::Pool).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(u64);

impl Timestamp {
    /// Creates a timestamp from milliseconds since the Unix epoch.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the Unix epoch.
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// Returns the time `duration` earlier, but not earlier than the epoch.
    #[must_use]
    pub fn before(self, duration: Duration) -> Self {
        let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        Self(self.0.saturating_sub(millis))
    }

    /// Returns the time since `earlier`; zero if `earlier` is later.
    pub const fn saturating_since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

/// Rounds up to the next millisecond, so that a wait is never too short.
impl Add<Duration> for Timestamp {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        let millis = duration.as_nanos().div_ceil(NANOS_PER_MILLI);
        Self(
            self.0
                .saturating_add(u64::try_from(millis).unwrap_or(u64::MAX)),
        )
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

const NANOS_PER_MILLI: u128 = 1_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_rounded_up_and_never_wraps() {
        let start = Timestamp::from_millis(10);
        assert_eq!(start + Duration::from_nanos(1), Timestamp::from_millis(11));
        assert_eq!(start + Duration::from_millis(5), Timestamp::from_millis(15));
        assert_eq!(start + Duration::MAX, Timestamp::from_millis(u64::MAX));
        assert_eq!(
            start.saturating_since(Timestamp::from_millis(11)),
            Duration::ZERO
        );
    }
}
