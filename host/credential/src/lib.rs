//! Credentials, their health, and the pool that calls select from, as pure state: no clock, no
//! I/O, no source of randomness, no locks. Time and seeds are arguments; effects are returned as
//! data.
//!
//! Start with [`Pool`]. [`Pool::candidates`] returns the credentials that are available for a
//! model, and a selector chooses one. [`Pool::begin`] starts an [`Attempt`] with it, and
//! [`Pool::settle`] takes the attempt's [`Outcome`] and returns what changed. The rules are in
//! [`Health`] and [`CooldownPolicy`].

mod credential;
mod endpoint;
mod evidence;
mod health;
mod jitter;
pub mod model_names;
mod name;
mod outcome;
mod policy;
mod pool;
mod refresh;
mod retry_budget;
mod stats;
mod timestamp;

pub use credential::{Credential, CredentialKind, Served};
pub use endpoint::Endpoint;
pub use health::{Availability, Cause, Health, Observation, Window};
pub use name::{CredentialId, ModelKey, ProviderName, split_suffix};
pub use outcome::{Failure, Outcome, Scope, kind};
pub use policy::{Backoff, CooldownPolicy};
pub use pool::{
    Aggregate, Attempt, CandidateQuery, Candidates, CoolingCause, CoolingClass, CoolingCounts,
    CoolingTimes, CredentialStatus, Effects, HealthChange, HealthPlace, HealthRecord, HealthStatus,
    LaneStatus, LastFailure, LeaseError, Member, Members, ModelStatus, NameMatch, Pool, PoolError,
    PoolOptions, PriorFailure, Problem, Quota, QuotaState, Reasons, Renewal, Requester, ServedName,
    Slot, Status, Unavailable,
};
pub use refresh::{
    DueQueue, OnDemandLimit, REFRESH_INTERVAL_MIN, RefreshFacts, policy_check_interval,
    refresh_backoff,
};
pub use retry_budget::{BudgetPolicy, RetryBudget};
pub use timestamp::Timestamp;
