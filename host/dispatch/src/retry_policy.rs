//! When and how often a call is retried, with the default values.

use std::time::Duration;

use jackfield_credential::BudgetPolicy;

/// When and how often a call is retried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Rounds over the pool, at least 1.
    pub rounds: u32,
    /// How long a call may wait for a cooldown to end, before another round.
    pub max_wait: Duration,
    /// Credentials tried in one call; 0 for all.
    pub max_credentials: u32,
    /// Budget of the attempts after failures of the provider or the transport.
    pub budget: BudgetPolicy,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            rounds: 3,
            max_wait: Duration::from_secs(30),
            max_credentials: 0,
            budget: BudgetPolicy::default(),
        }
    }
}
