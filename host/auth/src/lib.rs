//! The auth manager: the credentials with their secrets, who is fit, and leases that settle exactly
//! once. It is the shell around [`jackfield_credential`], which holds all the rules; the one lock
//! here is short, and never held while anything waits, nor while anybody else's code runs, but for what
//! has to be true at the same moment: a snapshot is published, an executor's refresh lead is read.

mod access;
mod account;
mod background;
mod candidate_set;
mod operations;
mod refresh_policy;
mod events;
mod persistence;
mod lease;
mod manager;
mod reconfigure;
mod refresh;
mod registration;
mod wait_queue;
mod state;
mod store;
mod view;

pub use access::Access;
pub use candidate_set::CandidateSet;
pub use operations::{ChangeError, LoadSummary};
pub use events::{Event, Events, Hook, RefreshEvent, AttemptEvent, EventKind};
pub use lease::Lease;
pub use manager::{AuthManager, AuthParts, Clock, LeaseCounts};
pub use reconfigure::{ReconfigureSummary, PersistedState, Reconfiguration};
pub use refresh::{RefreshError, RefreshJob, PolicyQuery, Refresher, TokenPatch};
pub use registration::{Origin, RefreshTiming, Registration};
pub use wait_queue::{QueueError, QueueSlot, WAITERS_MAX};
pub use state::REFRESHES_PER_PROVIDER_MAX;
pub use store::{BoxFuture, Definition, Store, StoreError, StoredCredential, StoredTokens};
pub use view::{CredentialView, RefreshView};
