//! The clock of a dispatcher. It is passed in, so that tests control the time.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use jackfield_credential::Timestamp;

/// Returns the time of day. Waits use tokio's clock, which tests pause.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Timestamp + Send + Sync>);

impl Clock {
    /// The system's time of day, read once and then advanced by the monotonic clock: setting the
    /// system's clock back must not extend cooldowns.
    pub fn system() -> Self {
        #[expect(
            clippy::disallowed_methods,
            reason = "the one place that reads the time of day"
        )]
        let (wall, start) = (SystemTime::now(), Instant::now());
        let wall = wall.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        Self::new(move || {
            let now = wall + start.elapsed();
            Timestamp::from_millis(u64::try_from(now.as_millis()).unwrap_or(u64::MAX))
        })
    }

    /// A clock that calls this function.
    pub fn new(now: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    /// The same clock, in the auth manager's type.
    pub fn shared(&self) -> jackfield_auth::Clock {
        Arc::clone(&self.0)
    }

    /// The time of day.
    pub fn now(&self) -> Timestamp {
        (self.0)()
    }
}

/// A point in time as RFC 3339 writes it: `2026-11-30T17:00:00.5+01:00`. `None` for anything else, and for
/// times before 1970.
pub(crate) fn parse_rfc3339(text: &str) -> Option<Timestamp> {
    let time: jiff::Timestamp = text.parse().ok()?;
    let millis = u64::try_from(time.as_millisecond()).ok()?;
    Some(Timestamp::from_millis(millis))
}

impl fmt::Debug for Clock {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Clock")
    }
}
