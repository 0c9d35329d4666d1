//! The auth manager: the credentials with their secrets, who is fit, and leases that settle exactly
//! once. It is the shell around [`jackfield_credential`], which holds all the rules; the one lock
//! here is short, and never held while anybody else's code runs or anything waits.

mod candidate_set;
mod hook;
mod lease;
mod manager;
mod registration;
mod store;

pub use candidate_set::CandidateSet;
pub use hook::{Event, Events, Hook, RefreshNote, ResultNote, What};
pub use lease::Lease;
pub use manager::{AuthManager, Clock, LeaseCounts};
pub use registration::Registration;
pub use store::{BoxFuture, Definition, Store, StoreError, StoredCredential, StoredTokens};
