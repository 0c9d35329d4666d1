//! The retry budgets of all providers.

use std::collections::HashMap;

use jackfield_credential::{BudgetPolicy, ProviderName, RetryBudget, Timestamp};
use parking_lot::Mutex;

/// A budget for each provider that has served: as many as are configured, and those that were.
#[derive(Default)]
pub(crate) struct Budgets(Mutex<HashMap<ProviderName, RetryBudget>>);

impl Budgets {
    /// A call's first attempt: it always may be.
    pub(crate) fn record_first_attempt(
        &self,
        provider: &ProviderName,
        policy: &BudgetPolicy,
        now: Timestamp,
    ) {
        self.with(provider, policy, now, |budget| budget.deposit(policy, now));
    }

    /// Whether there may be a further attempt.
    pub(crate) fn allow_retry(
        &self,
        provider: &ProviderName,
        policy: &BudgetPolicy,
        now: Timestamp,
    ) -> bool {
        self.with(provider, policy, now, |budget| budget.withdraw(policy, now))
    }

    fn with<T>(
        &self,
        provider: &ProviderName,
        policy: &BudgetPolicy,
        now: Timestamp,
        act: impl FnOnce(&mut RetryBudget) -> T,
    ) -> T {
        let mut budgets = self.0.lock();
        if let Some(budget) = budgets.get_mut(provider) {
            return act(budget);
        }
        let mut budget = RetryBudget::new(policy, now);
        let acted = act(&mut budget);
        budgets.insert(provider.clone(), budget);
        acted
    }
}
