//! Every limit of the auth manager, with its unit and its reason.

use std::time::Duration;

/// Policy checks that run at once. Each takes microseconds, so four are enough for thousands a second,
/// and a plugin that hangs cannot occupy more.
pub(crate) const POLICY_CHECKS_MAX: usize = 4;

/// Concurrent refreshes per provider. Token endpoints have lower limits than the API.
pub(crate) const REFRESHES_PER_PROVIDER_MAX: usize = 4;

/// Calls in the queue. Each holds its request body in memory; one more is better rejected at once.
pub const WAITERS_MAX: usize = 1024;

/// How many events a reader may fall behind. A busy host has some thousand events a second, and
/// each takes about 200 bytes.
pub(crate) const EVENTS_BUFFERED_MAX: usize = 1024;

/// Pauses between attempts to save refreshed tokens. A full disk, or a lock held by a backup, may
/// pass; calls wait for these tokens meanwhile.
pub(crate) const STORE_PAUSES: [Duration; 4] = [
    Duration::from_millis(100),
    Duration::from_millis(500),
    Duration::from_secs(2),
    Duration::from_secs(5),
];

/// How long changes are gathered before a flush. A crash loses at most this much of health.
pub(crate) const WRITE_PAUSE: Duration = Duration::from_millis(500);

/// The longest pause while the store fails.
pub(crate) const WRITE_PAUSE_MAX: Duration = Duration::from_secs(30);

/// How long one flush may take.
pub(crate) const WRITE_MAX: Duration = Duration::from_secs(30);

/// Credentials rescheduled under one lock: some hundred microseconds, since calls wait for the
/// lock.
pub(crate) const SCHEDULE_BATCH_MAX: usize = 256;
