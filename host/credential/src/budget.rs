//! A retry budget: how much a provider's outage may be amplified by trying again.

use crate::Timestamp;

/// How many further attempts there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BudgetPolicy {
    /// Further attempts for each thousand first ones.
    pub ratio_permille: u32,
    /// Further attempts a second, however few first ones there are.
    pub per_second: u32,
    /// The most that is saved up.
    pub burst: u32,
}

/// A provider that fails gets half as many attempts again, and at least ten a second: small sites
/// should not notice that there is a budget.
impl Default for BudgetPolicy {
    fn default() -> Self {
        Self {
            ratio_permille: 500,
            per_second: 10,
            burst: 100,
        }
    }
}

/// What is left of a budget: a bucket that first attempts and time fill. It begins full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryBudget {
    /// In thousandths of an attempt.
    balance: u64,
    /// Up to when time has filled it.
    filled: Timestamp,
}

impl RetryBudget {
    /// A full one.
    pub fn new(policy: &BudgetPolicy, now: Timestamp) -> Self {
        Self {
            balance: policy.most(),
            filled: now,
        }
    }

    /// A first attempt.
    pub fn deposit(&mut self, policy: &BudgetPolicy, now: Timestamp) {
        self.fill(policy, now);
        self.balance = (self.balance + u64::from(policy.ratio_permille)).min(policy.most());
    }

    /// A further attempt, if there may be one.
    pub fn withdraw(&mut self, policy: &BudgetPolicy, now: Timestamp) -> bool {
        self.fill(policy, now);
        let left = self.balance.checked_sub(ATTEMPT);
        self.balance = left.unwrap_or(self.balance);
        left.is_some()
    }

    fn fill(&mut self, policy: &BudgetPolicy, now: Timestamp) {
        let passed = now.saturating_since(self.filled).as_millis();
        let passed = u64::try_from(passed).unwrap_or(u64::MAX);
        // A thousandth of an attempt a millisecond for each attempt a second.
        let filled = passed.saturating_mul(u64::from(policy.per_second));
        self.balance = self.balance.saturating_add(filled).min(policy.most());
        self.filled = self.filled.max(now);
    }
}

impl BudgetPolicy {
    fn most(&self) -> u64 {
        u64::from(self.burst) * ATTEMPT
    }
}

/// One attempt in thousandths.
const ATTEMPT: u64 = 1000;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Whatever the order: never more than the burst, the share of the first ones, and what time
        /// gives; and whoever waits for long enough gets one.
        #[test]
        fn further_attempts_are_bounded_by_first_ones_and_time(
            ratio_permille in 0_u32..2000,
            per_second in 1_u32..20,
            burst in 1_u32..50,
            events in prop::collection::vec((any::<bool>(), 0_u64..300), 1..300),
        ) {
            let policy = BudgetPolicy { ratio_permille, per_second, burst };
            let begin = Timestamp::from_millis(1_000_000);
            let mut budget = RetryBudget::new(&policy, begin);
            let (mut now, mut firsts, mut further) = (begin, 0, 0);
            for (first, pause) in events {
                now = now + Duration::from_millis(pause);
                if first {
                    firsts += 1;
                    budget.deposit(&policy, now);
                } else {
                    further += u64::from(budget.withdraw(&policy, now));
                }
                let millis = now.as_millis() - begin.as_millis();
                let earned = firsts * u64::from(ratio_permille) + millis * u64::from(per_second);
                prop_assert!(further * 1000 <= u64::from(burst) * 1000 + earned);
            }
            let rested = now + Duration::from_secs(1);
            prop_assert!(budget.withdraw(&policy, rested));
        }
    }

    #[test]
    fn a_full_budget_allows_its_burst_and_then_its_rate() {
        let policy = BudgetPolicy::default();
        let now = Timestamp::from_millis(5);
        let mut budget = RetryBudget::new(&policy, now);
        let allowed = (0..1000).filter(|_| budget.withdraw(&policy, now)).count();
        assert_eq!(allowed, 100);
        let later = now + Duration::from_secs(1);
        let allowed = (0..1000)
            .filter(|_| budget.withdraw(&policy, later))
            .count();
        assert_eq!(allowed, 10);
        (0..10).for_each(|_| budget.deposit(&policy, later));
        let allowed = (0..1000)
            .filter(|_| budget.withdraw(&policy, later))
            .count();
        assert_eq!(allowed, 5);
    }
}
