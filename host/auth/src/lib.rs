//! The auth manager: the credentials with their secrets, who is fit, and leases that settle exactly
//! once. It is the shell around [`jackfield_credential`], which holds all the rules; the one lock
//! here is short, and never held while anything waits, nor while anybody else's code runs, but for what
//! has to be true at the same moment: a snapshot is published, an executor's refresh lead is read.

mod access;
mod account;
mod background;
mod candidate_set;
mod events;
mod lease;
mod manager;
mod operations;
mod persistence;
mod reconfigure;
mod refresh;
mod refresh_policy;
mod registration;
mod state;
mod store;
mod view;
mod wait_queue;

pub use access::Access;
pub use candidate_set::CandidateSet;
pub use events::{AttemptEvent, Event, EventKind, Events, Hook, RefreshEvent};
pub use lease::Lease;
pub use manager::{AuthManager, AuthParts, Clock, LeaseCounts};
pub use operations::{ChangeError, LoadSummary};
pub use reconfigure::{PersistedState, Reconfiguration, ReconfigureSummary};
pub use refresh::{PolicyQuery, RefreshError, RefreshJob, Refresher, TokenPatch};
pub use registration::{Origin, RefreshTiming, Registration};
pub use state::REFRESHES_PER_PROVIDER_MAX;
pub use store::{BoxFuture, Definition, Store, StoreError, StoredCredential, StoredTokens};
pub use view::{CredentialView, RefreshView};
pub use wait_queue::{QueueError, QueueSlot, WAITERS_MAX};
