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

/// What Finagle and linkerd document as their defaults: a fifth of the first attempts, ten a second,
/// and what ten seconds give may be saved up. See the constants for why.
impl Default for BudgetPolicy {
    fn default() -> Self {
        Self {
            ratio_permille: RATIO_PERMILLE,
            per_second: PER_SECOND,
            burst: BURST,
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

/// A fifth: a provider that is down is then sent 1.2 times what clients send, which one that is up
/// can bear, and a provider with a few faults still has all of them tried again. Finagle's budget
/// ("Retry Budgets", 2016), linkerd's (`retryRatio` of a service profile) and Envoy's
/// (`budget_percent`, of the requests under way) all begin with 20 %. gRPC (proposal A6) has a
/// throttle of another form, which is off unless a service turns it on.
const RATIO_PERMILLE: u32 = 200;

/// So that a site with few calls, to which a share gives nothing, does not notice that there is a
/// budget, while it is next to nothing to a provider. Finagle and linkerd have 10 a second
/// (`minRetriesPerSecond`); Envoy counts 3 at once instead.
const PER_SECOND: u32 = 10;

/// Ten seconds of the above: as long as Finagle and linkerd (`ttl`) let a first attempt count.
const BURST: u32 = 10 * PER_SECOND;

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
        assert_eq!(allowed, 2);
    }
}
