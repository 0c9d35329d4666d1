//! Credentials, their health and the pool they are chosen from, as pure state: no clock, no I/O,
//! no randomness, no locks. Time is an argument, effects are returned as data.
//!
//! The way through: [`Pool::candidates`] says who is fit, a selector chooses one, [`Pool::begin`]
//! makes an [`Attempt`] of it, [`Pool::settle`] takes the attempt's [`Outcome`] and answers with
//! what changed. [`Health`] and [`CooldownPolicy`] hold the rules.

mod budget;
mod credential;
mod health;
pub mod model_names;
mod name;
mod outcome;
mod policy;
mod pool;
mod refresh;
mod stats;
mod timestamp;

pub use budget::{BudgetPolicy, RetryBudget};
pub use credential::{Credential, CredentialKind, Served};
pub use health::{Availability, Cause, Health, Observation, Window};
pub use name::{CredentialId, ModelKey, ProviderName, split_suffix};
pub use outcome::{Failure, Outcome, Scope, kind};
pub use policy::CooldownPolicy;
pub use pool::{
    Aggregate, Attempt, CandidateQuery, Candidates, CredentialStatus, Effects, HealthChange,
    HealthRecord, HealthStatus, LastFailure, LeaseError, Member, Members, ModelStatus, Pool,
    PoolError, PoolOptions, Problem, Quota, QuotaState, Reasons, ServedName, Slot, Status,
    Unavailable,
};
pub use refresh::{DueQueue, RefreshFacts, policy_check_interval, refresh_backoff};
pub use timestamp::Timestamp;
