//! The retry budgets of all providers.

use std::collections::HashMap;

use jackfield_credential::{BudgetPolicy, ProviderName, RetryBudget, Timestamp};
use parking_lot::Mutex;

/// One budget for each provider that has received an attempt since the start. Budgets of removed
/// providers stay; their number is bounded by what operators configure.
#[derive(Default)]
pub(crate) struct Budgets(Mutex<HashMap<ProviderName, RetryBudget>>);

impl Budgets {
    /// Records a call's first attempt, which is always allowed and adds to the budget.
    pub(crate) fn record_first_attempt(
        &self,
        provider: &ProviderName,
        policy: &BudgetPolicy,
        now: Timestamp,
    ) {
        self.with(provider, policy, now, |budget| budget.deposit(policy, now));
    }

    /// Takes a further attempt from the budget; false if the budget is used up.
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
