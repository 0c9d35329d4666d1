//! The cooldown table: how long a failure keeps an account, a model or a lane unused.

use std::borrow::Cow;
use std::time::Duration;

use crate::{Cause, CoolingClass, Failure, Scope, kind};

/// How long a failure keeps a credential, or a part of it, from being chosen.
///
/// A window is a *hint* of the provider, which is obeyed, or a *guess*. Guesses are short first and
/// double while the same class of failure goes on. The failure's `kind` decides, since it is the
/// judgement of the classifier or the executor. If the table does not know the kind, the status
/// decides.
///
/// | kind | status | class | cools for |
/// |---|---|---|---|
/// | authentication, permission | 401, 403 | `Refused` | `refused` |
/// | billing | 402 | `Billing` | `billing` |
/// | not-found, unsupported | 404 to 407, 501 | `Missing` | `missing`; `unserved` if the provider's words say so |
/// | rate-limit, quota | 429 | `Limit` | the provider's hint, otherwise `limit` |
/// | overloaded | 503, 529 | `Overload` | the provider's hint, otherwise `outage` |
/// | transient | 408, other 5xx | `Outage` | `outage` |
/// | anything else | anything else | | not at all |
///
/// A hint also applies if the status is 429 or 503, whatever the kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CooldownPolicy {
    /// After a temporary failure of the provider.
    pub outage: Backoff,
    /// After the provider refused the credential.
    pub refused: Backoff,
    /// After a response that says, without words, that a model or a path does not exist.
    pub missing: Backoff,
    /// After a rate limit without a hint.
    pub limit: Backoff,
    /// After the provider reported that the account has no credit.
    pub billing: Duration,
    /// After the provider reported in words that it does not serve a model.
    pub unserved: Duration,
    /// The longest hint that is accepted; longer ones are shortened to it.
    pub hint_max: Duration,
    /// The longest hint for an account's quota.
    pub account_window_max: Duration,
    /// Disables cooldowns that are guesses about the provider: `outage` and `limit`. The rest still
    /// applies, including hints.
    pub disable_cooling: bool,
    /// Guessed windows longer than this are probed.
    pub probe_after: Duration,
    /// The pause before the first probe of a guessed window, give or take a fifth. Each failed
    /// probe doubles the next pause.
    pub probe_first: Duration,
    /// The pause before each probe of a hint, give or take a fifth.
    pub hint_probe: Duration,
}

/// A wait that doubles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// The first wait.
    pub first: Duration,
    /// The longest wait.
    pub max: Duration,
}

impl Backoff {
    /// Returns the wait after this number of earlier ones.
    fn after(self, strikes: u32) -> Duration {
        let factor = 2_u32.saturating_pow(strikes);
        self.first.saturating_mul(factor).min(self.max)
    }
}

impl CooldownPolicy {
    /// Returns the cooldown for `failure`, if any. `strikes` is the number of guesses of this class
    /// before it.
    pub(crate) fn cooldown_for(&self, failure: &Failure, strikes: u32) -> Option<Cooldown> {
        if failure.scope == Scope::Request {
            return None;
        }
        let class = class_of(&failure.kind, failure.status);
        let hint = self.hint(failure, class);
        let class = match (class, hint) {
            (Some(class), _) => class,
            // A kind that the table does not know, with a status that may have a hint.
            (None, Some(_)) => CoolingClass::Limit,
            (None, None) => return None,
        };
        if let Some(length) = hint {
            return Some(Cooldown {
                length,
                class,
                hint: true,
            });
        }
        let length = match class {
            CoolingClass::Refused => self.refused.after(strikes),
            CoolingClass::Billing => self.billing,
            CoolingClass::Missing
                if matches!(failure.scope, Scope::Provider | Scope::Transport) =>
            {
                self.missing.after(strikes)
            }
            CoolingClass::Missing => self.unserved,
            _ if self.disable_cooling => return None,
            CoolingClass::Outage | CoolingClass::Overload => self.outage.after(strikes),
            CoolingClass::Limit => self.limit.after(strikes),
        };
        Some(Cooldown {
            length,
            class,
            hint: false,
        })
    }

    /// Returns the pause before the first probe of a window, if one of this length is probed.
    pub(crate) fn first_probe(&self, hint: bool, length: Duration) -> Option<Duration> {
        if hint {
            return (length > self.hint_probe).then_some(self.hint_probe);
        }
        (length > self.probe_after).then_some(self.probe_first)
    }

    /// Returns the policy with the credential's or provider's own setting of `disable_cooling`.
    pub(crate) fn of(&self, disable_cooling: Option<bool>) -> Cow<'_, Self> {
        match disable_cooling {
            Some(disable_cooling) if disable_cooling != self.disable_cooling => Cow::Owned(Self {
                disable_cooling,
                ..*self
            }),
            _ => Cow::Borrowed(self),
        }
    }

    /// Returns the provider's hint, if the failure may have one. A hint of zero is ignored: calls
    /// would run into the same limit one after the other.
    fn hint(&self, failure: &Failure, class: Option<CoolingClass>) -> Option<Duration> {
        let hint_allowed = matches!(class, Some(CoolingClass::Limit | CoolingClass::Overload))
            || matches!(failure.status, Some(429 | 503));
        let hint = failure
            .retry_after
            .filter(|hint| hint_allowed && !hint.is_zero())?;
        let of_account = failure.scope == Scope::Credential && failure.kind == kind::QUOTA;
        Some(hint.min(match of_account {
            true => self.account_window_max,
            false => self.hint_max,
        }))
    }
}

impl Default for CooldownPolicy {
    fn default() -> Self {
        Self {
            outage: Backoff {
                first: Duration::from_secs(1),
                max: Duration::from_mins(1),
            },
            refused: Backoff {
                first: Duration::from_secs(5),
                max: Duration::from_mins(30),
            },
            missing: Backoff {
                first: Duration::from_secs(5),
                max: Duration::from_mins(10),
            },
            limit: Backoff {
                first: Duration::from_secs(1),
                max: Duration::from_mins(30),
            },
            billing: Duration::from_mins(30),
            unserved: Duration::from_hours(12),
            hint_max: HINT_MAX,
            account_window_max: ACCOUNT_WINDOW_MAX,
            disable_cooling: false,
            probe_after: Duration::from_mins(5),
            probe_first: Duration::from_mins(5),
            hint_probe: Duration::from_hours(1),
        }
    }
}

/// The effect of a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cooldown {
    pub(crate) length: Duration,
    /// The row of the table.
    pub(crate) class: CoolingClass,
    /// True if the length is the provider's hint.
    pub(crate) hint: bool,
}

impl CoolingClass {
    /// Returns the class of a failure that opened a window.
    pub fn of(cause: &Cause) -> Self {
        class_of(&cause.kind, cause.status).unwrap_or(Self::Outage)
    }

    /// Returns the word used in the admin API.
    pub fn label(self) -> &'static str {
        match self {
            Self::Limit => "limit",
            Self::Overload => "overload",
            Self::Outage => "outage",
            Self::Refused => "refused",
            Self::Billing => "billing",
            Self::Missing => "missing",
        }
    }

    /// True if guesses of the two classes double each other's length: an overload is an outage.
    pub(crate) fn doubles(self, other: Self) -> bool {
        let family = |class| match class {
            Self::Overload => Self::Outage,
            class => class,
        };
        family(self) == family(other)
    }
}

/// Returns the row of the table for a kind and a status; `None` if there is none.
pub(crate) fn class_of(kind: &str, status: Option<u16>) -> Option<CoolingClass> {
    Some(match (kind, status) {
        (kind::AUTHENTICATION | kind::PERMISSION, _) => CoolingClass::Refused,
        (kind::BILLING, _) => CoolingClass::Billing,
        (kind::NOT_FOUND | kind::UNSUPPORTED, _) => CoolingClass::Missing,
        (kind::RATE_LIMIT | kind::QUOTA, _) => CoolingClass::Limit,
        (kind::OVERLOADED, _) => CoolingClass::Overload,
        (kind::TRANSIENT, _) => CoolingClass::Outage,
        (_, Some(401 | 403)) => CoolingClass::Refused,
        (_, Some(402)) => CoolingClass::Billing,
        (_, Some(404..=407 | 501)) => CoolingClass::Missing,
        (_, Some(429)) => CoolingClass::Limit,
        (_, Some(503 | 529)) => CoolingClass::Overload,
        (_, Some(408 | 500..=599)) => CoolingClass::Outage,
        _ => return None,
    })
}

/// Providers commonly reset quotas at least once a day. Longer hints were wrong in CLIProxyAPI
/// (cooldowns of 156 hours and of 18 days, long after the quota was back), and one attempt per day
/// costs little.
const HINT_MAX: Duration = Duration::from_hours(24);

/// Quotas of accounts are reset after 5 hours and 7 days (Anthropic, Codex) or a month. A wrong
/// hint costs an hour: then a probe finds out.
const ACCOUNT_WINDOW_MAX: Duration = Duration::from_hours(31 * 24);

#[cfg(test)]
mod tests;
