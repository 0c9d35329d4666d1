//! The state of a credential's token refresh: what is running, what failed, and when the next may begin.

use jackfield_credential::{OnDemandLimit, REFRESH_INTERVAL_MIN, Timestamp};

use super::Running;
use crate::port::{RefreshError, RefreshFailure};

/// The state of the token refresh.
#[derive(Default)]
pub(crate) struct RefreshState {
    /// The running refresh. Callers share it.
    pub(crate) running: Option<Running>,
    /// When the last refresh began.
    pub(crate) began_at: Option<Timestamp>,
    /// Consecutive failures.
    pub(crate) failures: u32,
    pub(crate) not_before: Option<Timestamp>,
    /// The last failure since the last success.
    pub(crate) last_failure: Option<(Timestamp, RefreshFailure)>,
    /// Why the provider rejected the refresh token.
    pub(crate) rejected: Option<RefreshFailure>,
    /// True if the credential is barred because of that.
    pub(crate) barred: bool,
    /// The version of the last tokens that the provider rejected in a call.
    pub(crate) rejected_tokens: Option<u64>,
    /// The version of the last tokens that a call found expired.
    pub(crate) expired_tokens: Option<u64>,
    /// Limits the refreshes of rejected tokens.
    pub(crate) on_demand: OnDemandLimit,
    /// The executor's last decision, until the next check.
    pub(crate) policy_decision: Option<bool>,
    /// When the next check is due, if the executor has a policy.
    pub(crate) check_at: Timestamp,
    /// True while a check is running.
    pub(crate) checking: bool,
}

/// Why a refresh begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trigger {
    /// It is due, or an operator requests it.
    Due,
    /// The provider rejected the access token in a call.
    TokenRejected,
    /// A call found that the access token has expired, or that there is none yet.
    TokenExpired,
}

impl RefreshState {
    /// Returns the state after a reset, or after the operator replaced the secrets: failures no longer
    /// apply.
    pub(crate) fn with_new_secrets(&mut self) -> Self {
        Self {
            // Without these two, a second refresh or check could start beside the running one.
            running: self.running.take(),
            checking: self.checking,
            ..Self::default()
        }
    }

    /// Checks that a refresh may begin now.
    ///
    /// # Errors
    /// When the next one may begin.
    pub(crate) fn check_allowed(
        &self,
        trigger: Trigger,
        now: Timestamp,
    ) -> Result<(), RefreshError> {
        let limited = match trigger {
            Trigger::Due => return Ok(()),
            Trigger::TokenExpired => None,
            Trigger::TokenRejected => Some(self.on_demand.next_at()),
        };
        let spaced = self.began_at.map(|at| at + REFRESH_INTERVAL_MIN);
        match limited.max(spaced).max(self.not_before) {
            Some(until) if now < until => Err(RefreshError::Postponed {
                until,
                last: self.last_failure.as_ref().map(|(_, last)| last.clone()),
            }),
            _ => Ok(()),
        }
    }
}
