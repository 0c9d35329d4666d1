//! How often the calls of a plugin may overrun their tick on the threads that serve. Pure, but for the
//! lock: time is an argument.

use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use tokio::time::Instant;

use crate::limits::{OVERRUNS_BURST_MAX, OVERRUNS_PER_SECOND_MAX};

/// The budget of one generation. While it is used up, calls begin on the threads for slow calls.
#[derive(Debug, Default)]
pub(crate) struct Overruns {
    /// Whether `used` was full at the last overrun. The quiet path reads only this.
    exhausted: AtomicBool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Overruns that count, at most [`OVERRUNS_BURST_MAX`]. It falls by [`OVERRUNS_PER_SECOND_MAX`].
    used: f64,
    /// When `used` was right.
    since: Option<Instant>,
}

impl Overruns {
    /// Whether a call may begin on a thread that serves.
    pub(crate) fn allow(&self, now: impl FnOnce() -> Instant) -> bool {
        if !self.exhausted.load(Ordering::Relaxed) {
            return true;
        }
        let mut state = self.state.lock();
        let allowed = state.used_at(now()) + 1.0 <= OVERRUNS_BURST_MAX;
        if allowed {
            self.exhausted.store(false, Ordering::Relaxed);
        }
        allowed
    }

    /// Counts a call that overran its tick on a thread that serves.
    pub(crate) fn count(&self, now: Instant) {
        let mut state = self.state.lock();
        state.used = OVERRUNS_BURST_MAX.min(state.used_at(now) + 1.0);
        let exhausted = state.used + 1.0 > OVERRUNS_BURST_MAX;
        self.exhausted.store(exhausted, Ordering::Relaxed);
    }
}

impl State {
    fn used_at(&mut self, now: Instant) -> f64 {
        let since = *self.since.get_or_insert(now);
        let passed = now.saturating_duration_since(since).as_secs_f64();
        self.used = (self.used - passed * OVERRUNS_PER_SECOND_MAX).max(0.0);
        self.since = Some(now.max(since));
        self.used
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// In any sequence of calls that all overrun, those on the serving threads stay within the burst and
    /// the rate.
    #[test]
    fn overruns_stay_within_burst_and_rate() {
        for step_ms in [0, 1, 7, 50, 99, 100, 101, 1_000] {
            let (overruns, start) = (Overruns::default(), Instant::now());
            let mut in_place = 0.0;
            for call in 0..500_u32 {
                let now = start + Duration::from_millis(step_ms) * call;
                if overruns.allow(|| now) {
                    overruns.count(now);
                    in_place += 1.0;
                }
                let passed = (now - start).as_secs_f64();
                let most = OVERRUNS_BURST_MAX + passed * OVERRUNS_PER_SECOND_MAX;
                assert!(in_place <= most + 1e-6, "{in_place} of {most} at {step_ms}");
            }
        }
    }

    #[test]
    fn quiet_plugin_gets_its_budget_back() {
        let (overruns, start) = (Overruns::default(), Instant::now());
        while overruns.allow(|| start) {
            overruns.count(start);
        }
        let later = start + Duration::from_secs(1);
        assert!(overruns.allow(|| later));
        // A clock that goes back changes nothing.
        overruns.count(start);
        assert!(overruns.allow(|| later));
    }
}
