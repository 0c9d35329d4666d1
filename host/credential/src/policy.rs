//! How long a failure cools: the default table, and nothing else.

use std::time::Duration;

use crate::{Failure, Scope, kind};

/// How long a failure keeps a credential, or one of its models, from being chosen.
///
/// The durations are those of CLIProxyAPI v6.7.21, the system this one succeeds. A failure's `kind`
/// decides, since it is the classifier's or the executor's verdict; its status decides where the
/// kind is none that the table knows.
///
/// | kind | status | cools for |
/// |---|---|---|
/// | authentication, billing, permission | 401, 402, 403 | `account` |
/// | not-found, unsupported | 404 | `missing` |
/// | rate-limit, quota | 429 | the provider's hint, otherwise `backoff_first` doubling to `backoff_max` |
/// | overloaded | 503, 529 | the provider's hint, otherwise `outage` |
/// | transient | 408, other 5xx | `outage` |
/// | anything else | anything else | not at all |
///
/// A hint is also taken where the status is 429 or 503, whatever the kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CooldownPolicy {
    /// After a failure that only the operator or a refresh can mend.
    pub account: Duration,
    /// After a model turned out not to be there.
    pub missing: Duration,
    /// After a fault of the provider that should pass.
    pub outage: Duration,
    /// The first wait where a rate limit comes without a hint; doubles with each strike.
    pub backoff_first: Duration,
    /// The longest wait that doubling leads to.
    pub backoff_max: Duration,
    /// The longest that a provider's hint is believed.
    pub hint_max: Duration,
    /// Waives what is only a guess, `outage` and the doubling. Hints and the rest still hold.
    pub disable_cooling: bool,
    /// A window longer than this is probed.
    pub probe_after: Duration,
    /// How long into a window its first probe is due, give or take [`JITTER_PERMILLE`]. Each probe
    /// that fails doubles the pause to the next.
    pub probe_first: Duration,
}

impl CooldownPolicy {
    /// How long `failure` cools what it blames, and whether that is one more strike.
    pub(crate) fn cooldown_for(&self, failure: &Failure, strikes: u32) -> Option<Cooldown> {
        if matches!(failure.scope, Scope::Request | Scope::Transport) {
            return None;
        }
        let class = Class::of(failure);
        if let Some(hint) = hint(failure, class) {
            return Some(Cooldown {
                hint: true,
                ..Cooldown::fixed(hint.min(self.hint_max))
            });
        }
        match class {
            Class::Account => Some(Cooldown::fixed(self.account)),
            Class::Missing => Some(Cooldown::fixed(self.missing)),
            Class::Other => None,
            _ if self.disable_cooling => None,
            Class::Overloaded | Class::Transient => Some(Cooldown::fixed(self.outage)),
            Class::RateLimited => Some(Cooldown {
                length: self.backoff(strikes),
                strike: true,
                hint: false,
            }),
        }
    }

    /// The policy where a credential, or its provider, has a word of its own on cooling.
    #[must_use]
    pub(crate) fn with(self, disable_cooling: Option<bool>) -> Self {
        Self {
            disable_cooling: disable_cooling.unwrap_or(self.disable_cooling),
            ..self
        }
    }

    /// A pause moved by up to [`JITTER_PERMILLE`] either way, so that credentials that failed
    /// together are not probed together. `draw` is any number.
    pub(crate) fn jittered(&self, pause: Duration, jitter: u64) -> Duration {
        let span = 2 * JITTER_PERMILLE + 1;
        let permille =
            1000 - JITTER_PERMILLE + u32::try_from(jitter % u64::from(span)).unwrap_or(0);
        pause.saturating_mul(permille) / 1000
    }

    fn backoff(&self, strikes: u32) -> Duration {
        let factor = 2_u32.saturating_pow(strikes);
        self.backoff_first
            .saturating_mul(factor)
            .min(self.backoff_max)
    }
}

impl Default for CooldownPolicy {
    fn default() -> Self {
        Self {
            account: Duration::from_mins(30),
            missing: Duration::from_hours(12),
            outage: Duration::from_mins(1),
            backoff_first: Duration::from_secs(1),
            backoff_max: Duration::from_mins(30),
            hint_max: HINT_MAX,
            disable_cooling: false,
            probe_after: Duration::from_mins(5),
            probe_first: Duration::from_mins(5),
        }
    }
}

/// What a failure costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cooldown {
    pub(crate) length: Duration,
    /// Only a guessed wait counts as a strike: a hint or a fixed wait says nothing about how long
    /// the next guess should be.
    pub(crate) strike: bool,
    /// The provider said so itself.
    pub(crate) hint: bool,
}

impl Cooldown {
    const fn fixed(length: Duration) -> Self {
        Self {
            length,
            strike: false,
            hint: false,
        }
    }
}

/// The rows of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    Account,
    Missing,
    Overloaded,
    RateLimited,
    Transient,
    Other,
}

impl Class {
    fn of(failure: &Failure) -> Self {
        match &*failure.kind {
            kind::AUTHENTICATION | kind::BILLING | kind::PERMISSION => Self::Account,
            kind::NOT_FOUND | kind::UNSUPPORTED => Self::Missing,
            kind::RATE_LIMIT | kind::QUOTA => Self::RateLimited,
            kind::OVERLOADED => Self::Overloaded,
            kind::TRANSIENT => Self::Transient,
            _ => Self::of_status(failure.status),
        }
    }

    fn of_status(status: Option<u16>) -> Self {
        match status {
            Some(401..=403) => Self::Account,
            Some(404) => Self::Missing,
            Some(429) => Self::RateLimited,
            Some(503 | 529) => Self::Overloaded,
            Some(408 | 500..=599) => Self::Transient,
            _ => Self::Other,
        }
    }
}

/// What the provider asked for, where it may ask. A hint of zero is none: it would let one call
/// after the other run into the same limit.
fn hint(failure: &Failure, class: Class) -> Option<Duration> {
    let hint_allowed = matches!(class, Class::RateLimited | Class::Overloaded)
        || matches!(failure.status, Some(429 | 503));
    failure
        .retry_after
        .filter(|hint| hint_allowed && !hint.is_zero())
}

/// A fifth either way: enough to take a herd apart, little enough that a probe is still about when
/// the operator expects it.
const JITTER_PERMILLE: u32 = 200;

/// A quota that is whole again each day is the longest that providers commonly keep. Hints beyond
/// it proved wrong in the system we succeed (cooldowns of 156 hours and of 18 days, long after the
/// quota was back); to ask again once a day costs one call.
const HINT_MAX: Duration = Duration::from_hours(24);

#[cfg(test)]
mod tests;
