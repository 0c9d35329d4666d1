//! The auth manager: the credentials with their secrets and health, and leases that are settled exactly
//! once. It is the stateful shell around [`jackfield_credential`], which has all the rules.
//!
//! There is one lock over the state. It is held for microseconds: never across an `await`, and never
//! while code of other crates runs, except where two things have to be true at the same moment (a
//! snapshot is published, an executor's refresh lead is read).
//!
//! Begin with [`AuthManager`]. The modules, from the bottom up: `port` (traits that others implement),
//! `account` and `state` (the data), `inner` (the lock), `persistence` and `refresh` (what takes time),
//! `manager`, `operations` and `reconfigure` (what callers use).

mod account;
mod candidate_set;
mod events;
mod id_map;
mod inner;
mod lease;
mod lease_counts;
mod limits;
mod manager;
mod operations;
mod persistence;
mod port;
mod queue_slot;
mod reconfigure;
mod refresh;
mod registration;
mod state;
mod view;
mod wait_queue;

pub use candidate_set::CandidateSet;
pub use events::{AttemptEvent, Event, EventKind, Events, Hook, RefreshEvent};
pub use lease::{Access, Lease};
pub use lease_counts::LeaseCounts;
pub use limits::WAITERS_MAX;
pub use manager::{AuthManager, AuthParts};
pub use operations::{ChangeError, LoadSummary};
pub use port::{
    BoxFuture, Clock, Definition, PolicyQuery, RefreshError, RefreshFailure, RefreshJob, Refresher,
    Store, StoreError, StoredCredential, StoredTokens, TokenPatch,
};
pub use queue_slot::QueueSlot;
pub use reconfigure::{PersistedState, Reconfiguration, ReconfigureSummary};
pub use registration::{Origin, RefreshTiming, Registration};
pub use view::{CredentialView, LastRefreshFailure, RefreshView};
pub use wait_queue::QueueError;
