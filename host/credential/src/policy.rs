//! The cooldown table: how long a failure keeps a credential or model unused.

use std::time::Duration;

use crate::{Failure, Scope, kind};

/// How long a failure keeps a credential, or one of its models, from being chosen.
///
/// The default durations are those of CLIProxyAPI v6.7.21. The failure's `kind` decides, since it
/// is the judgement of the classifier or the executor. If the table does not know the kind, the
/// status decides.
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
/// A hint also applies if the status is 429 or 503, whatever the kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CooldownPolicy {
    /// After a failure that only the operator or a refresh can fix.
    pub account: Duration,
    /// After the provider reported that a model does not exist.
    pub missing: Duration,
    /// After a temporary failure of the provider.
    pub outage: Duration,
    /// The first wait after a rate limit without a hint. It doubles with each strike.
    pub backoff_first: Duration,
    /// The longest wait after doubling.
    pub backoff_max: Duration,
    /// The longest hint that is accepted; longer ones are shortened to it.
    pub hint_max: Duration,
    /// Disables cooldowns that are guesses: `outage` and the doubling. The rest still applies,
    /// including hints.
    pub disable_cooling: bool,
    /// Windows longer than this are probed.
    pub probe_after: Duration,
    /// The pause before the first probe of a window, give or take a fifth. Each failed
    /// probe doubles the next pause.
    pub probe_first: Duration,
}

impl CooldownPolicy {
    /// Returns the cooldown for `failure`, if any.
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

    /// Returns the policy with the credential's or provider's own setting of `disable_cooling`.
    #[must_use]
    pub(crate) fn with(self, disable_cooling: Option<bool>) -> Self {
        Self {
            disable_cooling: disable_cooling.unwrap_or(self.disable_cooling),
            ..self
        }
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

/// The effect of a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cooldown {
    pub(crate) length: Duration,
    /// True if the length is a guess. A hint or a fixed length says nothing about the next guess.
    pub(crate) strike: bool,
    /// True if the length is the provider's hint.
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

/// Returns the provider's hint, if the failure may have one. A hint of zero is ignored: calls
/// would run into the same limit one after the other.
fn hint(failure: &Failure, class: Class) -> Option<Duration> {
    let hint_allowed = matches!(class, Class::RateLimited | Class::Overloaded)
        || matches!(failure.status, Some(429 | 503));
    failure
        .retry_after
        .filter(|hint| hint_allowed && !hint.is_zero())
}

/// Providers commonly reset quotas at least once a day. Longer hints were wrong in CLIProxyAPI
/// (cooldowns of 156 hours and of 18 days, long after the quota was back), and one attempt per day
/// costs little.
const HINT_MAX: Duration = Duration::from_hours(24);

#[cfg(test)]
mod tests;
