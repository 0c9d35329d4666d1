//! The retry budgets of all providers: they bound the load that further attempts of calls add to a
//! provider that fails.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jackfield_credential::{BudgetPolicy, ProviderName, RetryBudget, Timestamp};
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::clock::Clock;

/// One budget for each provider that has received an attempt since the start. Budgets of removed
/// providers stay; their number is bounded by what operators configure.
pub(crate) struct Budgets {
    providers: Mutex<HashMap<ProviderName, ProviderBudget>>,
    clock: Clock,
}

struct ProviderBudget {
    budget: RetryBudget,
    /// Further attempts without a result.
    undecided: u32,
    /// When the provider last served an attempt.
    served_at: Option<Timestamp>,
    /// Further attempts that have failed since.
    failed_since: u32,
    /// Notified of each result, for the calls that wait for one.
    decided: Arc<Notify>,
}

/// What an attempt after a failure of its provider tries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Retried {
    /// A credential that this call has tried already.
    SameCredential,
    /// Another credential of the provider.
    OtherCredential,
}

/// The decision on a further attempt.
enum Decision {
    Allowed { paid: bool },
    Refused,
    Wait(Arc<Notify>),
}

impl Budgets {
    pub(crate) fn new(clock: Clock) -> Self {
        Self {
            providers: Mutex::default(),
            clock,
        }
    }

    /// Begins a call's first attempt at a provider, or one that adds no load to an outage: it is always
    /// allowed. A first attempt adds to the budget.
    pub(crate) fn begin_free(
        &self,
        provider: &ProviderName,
        policy: &BudgetPolicy,
        first: bool,
    ) -> BudgetedAttempt<'_> {
        if first {
            self.with(provider, policy, |own, now| own.budget.deposit(policy, now));
        }
        BudgetedAttempt::new(self, provider, policy, Charge::Free)
    }

    /// Begins a further attempt at a provider that has failed in this call. `None` if the budget refuses
    /// it.
    ///
    /// Another credential of a provider that has served attempts just now costs nothing. If it is unknown
    /// whether the provider serves any, the call waits for the results of the further attempts in flight.
    /// So the failovers of hundreds of calls at once need no larger budget: the first ones find out for
    /// the others.
    pub(crate) async fn begin_further(
        &self,
        provider: &ProviderName,
        policy: &BudgetPolicy,
        retried: Retried,
    ) -> Option<BudgetedAttempt<'_>> {
        let mut decision = self.decide(provider, policy, retried);
        loop {
            let decided = match decision {
                Decision::Allowed { paid } => {
                    let charge = Charge::Further { paid };
                    return Some(BudgetedAttempt::new(self, provider, policy, charge));
                }
                Decision::Refused => return None,
                Decision::Wait(decided) => decided,
            };
            let mut result = std::pin::pin!(decided.notified());
            // Registered before the second look, or a result between the two would be missed.
            result.as_mut().enable();
            decision = self.decide(provider, policy, retried);
            if let Decision::Wait(_) = decision {
                result.await;
                decision = self.decide(provider, policy, retried);
            }
        }
    }

    fn decide(&self, provider: &ProviderName, policy: &BudgetPolicy, retried: Retried) -> Decision {
        self.with(provider, policy, |own, now| {
            own.decide(policy, retried, now)
        })
    }

    fn with<T>(
        &self,
        provider: &ProviderName,
        policy: &BudgetPolicy,
        act: impl FnOnce(&mut ProviderBudget, Timestamp) -> T,
    ) -> T {
        let now = self.clock.now();
        let mut providers = self.providers.lock();
        if let Some(own) = providers.get_mut(provider) {
            return act(own, now);
        }
        let mut own = ProviderBudget::new(policy, now);
        let acted = act(&mut own, now);
        providers.insert(provider.clone(), own);
        acted
    }
}

impl ProviderBudget {
    fn new(policy: &BudgetPolicy, now: Timestamp) -> Self {
        Self {
            budget: RetryBudget::new(policy, now),
            undecided: 0,
            served_at: None,
            failed_since: 0,
            decided: Arc::default(),
        }
    }

    fn decide(&mut self, policy: &BudgetPolicy, retried: Retried, now: Timestamp) -> Decision {
        let other = retried == Retried::OtherCredential;
        let free = other && self.serves_others(policy, now);
        if !free && !self.budget.withdraw(policy, now) {
            return match other && self.undecided > 0 {
                true => Decision::Wait(Arc::clone(&self.decided)),
                false => Decision::Refused,
            };
        }
        self.undecided = self.undecided.saturating_add(1);
        Decision::Allowed { paid: !free }
    }

    /// Whether the provider has just served an attempt, and not failed as often since as the budget
    /// saves up: while an outage begins, it served others a moment ago.
    fn serves_others(&self, policy: &BudgetPolicy, now: Timestamp) -> bool {
        let served = |at| now.saturating_since(at) <= SERVED_FOR;
        self.failed_since < policy.burst && self.served_at.is_some_and(served)
    }
}

/// An attempt that is accounted for. Dropped without a result, it counts as cancelled.
pub(crate) struct BudgetedAttempt<'a> {
    budgets: &'a Budgets,
    provider: ProviderName,
    policy: BudgetPolicy,
    charge: Charge,
}

/// What an attempt costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Charge {
    Free,
    Further { paid: bool },
}

impl<'a> BudgetedAttempt<'a> {
    fn new(
        budgets: &'a Budgets,
        provider: &ProviderName,
        policy: &BudgetPolicy,
        charge: Charge,
    ) -> Self {
        Self {
            budgets,
            provider: provider.clone(),
            policy: *policy,
            charge,
        }
    }

    /// Ends the attempt: the provider has served it.
    pub(crate) fn served(self) {
        self.update(|own, policy, charge, now| {
            own.served_at = Some(now);
            own.failed_since = 0;
            if charge == (Charge::Further { paid: true }) {
                own.budget.refund(policy);
            }
        });
    }

    /// Ends the attempt: it failed, and the provider or the way to it may be down.
    pub(crate) fn failed(self) {
        if self.charge != Charge::Free {
            self.update(|own, _, _, _| own.failed_since = own.failed_since.saturating_add(1));
        }
    }

    fn update(&self, act: impl FnOnce(&mut ProviderBudget, &BudgetPolicy, Charge, Timestamp)) {
        let (policy, charge) = (&self.policy, self.charge);
        let update = |own: &mut ProviderBudget, now| act(own, policy, charge, now);
        self.budgets.with(&self.provider, policy, update);
    }
}

impl Drop for BudgetedAttempt<'_> {
    fn drop(&mut self) {
        if self.charge == Charge::Free {
            return;
        }
        self.update(|own, _, _, _| {
            own.undecided = own.undecided.saturating_sub(1);
            own.decided.notify_waiters();
        });
    }
}

/// How long a served attempt shows that the provider serves others: as long as the budget saves up its
/// share of time, see [`BudgetPolicy`].
const SERVED_FOR: Duration = Duration::from_secs(10);
