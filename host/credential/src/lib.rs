//! Credentials, their health and the pool they are chosen from, as pure state: no clock, no I/O,
//! no randomness, no locks. Time is an argument, effects are returned as data.
//!
//! The way through: [`Pool::candidates`] says who is fit, a selector chooses one, [`Pool::begin`]
//! makes an [`Attempt`] of it, [`Pool::settle`] takes the attempt's [`Outcome`] and answers with
//! what changed. [`Health`] and [`CooldownPolicy`] hold the rules.

mod budget;
mod credential;
mod health;
mod name;
pub mod naming;
mod outcome;
mod policy;
mod pool;
mod refresh;
mod timestamp;
mod traffic;

pub use budget::{BudgetPolicy, RetryBudget};
pub use credential::{Credential, CredentialKind, Served};
pub use health::{Availability, Cause, Health, Told, Window};
pub use name::{CredentialId, ModelKey, ProviderName, split_suffix};
pub use outcome::{Failure, Outcome, Scope, kind};
pub use policy::CooldownPolicy;
pub use pool::{
    Aggregate, Ask, Attempt, Candidates, CredentialStatus, Effects, HealthChange, HealthRecord,
    LastFailure, Member, Members, ModelStatus, NotFit, Pool, PoolError, PoolOptions, Problem,
    Quota, QuotaState, Reasons, ServedName, Slot, Standing, Status, Unfit,
};
pub use refresh::{DueQueue, RefreshFacts, evaluation_pause, refresh_pause};
pub use timestamp::Timestamp;
