//! A retry budget: it bounds the load that retries add to a provider's outage.

use crate::Timestamp;

/// How many retries are allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BudgetPolicy {
    /// Retries per thousand first attempts.
    pub ratio_permille: u32,
    /// Retries per second, in addition.
    pub per_second: u32,
    /// The most retries that can be saved up.
    pub burst: u32,
}

/// The documented defaults of Finagle and linkerd: a fifth of the first attempts, ten per second,
/// and ten seconds' worth saved up. The constants say why.
impl Default for BudgetPolicy {
    fn default() -> Self {
        Self {
            ratio_permille: RATIO_PERMILLE,
            per_second: PER_SECOND,
            burst: BURST,
        }
    }
}

/// The balance of a budget: a token bucket, filled by first attempts and by time. It starts full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryBudget {
    /// In thousandths of an attempt.
    balance: u64,
    /// The time up to which it was filled.
    filled: Timestamp,
}

impl RetryBudget {
    /// Creates a full budget.
    pub fn new(policy: &BudgetPolicy, now: Timestamp) -> Self {
        Self {
            balance: policy.most(),
            filled: now,
        }
    }

    /// Records a first attempt.
    pub fn deposit(&mut self, policy: &BudgetPolicy, now: Timestamp) {
        self.fill(policy, now);
        self.balance = (self.balance + u64::from(policy.ratio_permille)).min(policy.most());
    }

    /// Takes one retry from the budget. Returns false if there is none.
    pub fn withdraw(&mut self, policy: &BudgetPolicy, now: Timestamp) -> bool {
        self.fill(policy, now);
        let left = self.balance.checked_sub(ATTEMPT);
        self.balance = left.unwrap_or(self.balance);
        left.is_some()
    }

    /// Gives back the retry of an attempt that the provider served: it added nothing to an outage.
    pub fn refund(&mut self, policy: &BudgetPolicy) {
        self.balance = (self.balance + ATTEMPT).min(policy.most());
    }

    fn fill(&mut self, policy: &BudgetPolicy, now: Timestamp) {
        let passed = now.saturating_since(self.filled).as_millis();
        let millis = u64::try_from(passed).unwrap_or(u64::MAX);
        // One attempt per second is one thousandth per millisecond.
        let filled = millis.saturating_mul(u64::from(policy.per_second));
        self.balance = self.balance.saturating_add(filled).min(policy.most());
        // A `now` that goes back must not credit the same time twice.
        self.filled = self.filled.max(now);
    }
}

impl BudgetPolicy {
    fn most(&self) -> u64 {
        u64::from(self.burst) * ATTEMPT
    }
}

/// One attempt, in thousandths.
const ATTEMPT: u64 = 1000;

/// A fifth: a provider that is down gets 1.2 times the clients' requests, which it can bear once
/// it is up again, and a provider with few failures still gets all of them retried. Finagle's
/// budget ("Retry Budgets", 2016), linkerd's (`retryRatio` of a service profile) and Envoy's
/// (`budget_percent`, of the requests in flight) all default to 20 %. gRPC's throttle (proposal
/// A6) has another form, and is off by default.
const RATIO_PERMILLE: u32 = 200;

/// A site with few calls, where a ratio allows nothing, should not notice the budget; for a
/// provider it is next to nothing. Finagle and linkerd allow 10 per second
/// (`minRetriesPerSecond`); Envoy allows 3 concurrent retries instead.
const PER_SECOND: u32 = 10;

/// Ten seconds of the above: as long as a first attempt counts in Finagle and linkerd (`ttl`).
const BURST: u32 = 10 * PER_SECOND;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// In any order of events: retries never exceed the burst, the ratio of first attempts and
        /// the rate; and after a second one is allowed again.
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
    fn served_retries_are_refunded_up_to_the_burst() {
        let policy = BudgetPolicy {
            burst: 2,
            ..BudgetPolicy::default()
        };
        let now = Timestamp::from_millis(5);
        let mut budget = RetryBudget::new(&policy, now);
        for _ in 0..100 {
            assert!(budget.withdraw(&policy, now));
            budget.refund(&policy);
        }
        budget.refund(&policy);
        let allowed = (0..10).filter(|_| budget.withdraw(&policy, now)).count();
        assert_eq!(allowed, 2);
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
