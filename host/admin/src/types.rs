//! Every request and response of the admin API. The server writes these types and the client reads
//! them. `host/docs/admin-api.md` describes them for users.
//!
//! Members of responses that a server of another version does not send get their default value.
//! No type here holds a secret, except [`NewCredential`] and [`LoginCallback`].

mod credential;
mod event;
mod http_request;
mod login;
mod plugin;

use std::borrow::Cow;

use jackfield_dispatch::call_log::RequestRecord;
use serde::{Deserialize, Serialize};

pub use self::credential::{
    Cause, Credential, CredentialList, CredentialResponse, EndpointHealth, Health, HealthDetails,
    HealthState, LastFailure, LeaseCounts, Model, NewCredential, Origin, Quota, Refresh,
    RefreshFailure, Removed,
};
pub use self::event::{
    AttemptFailure, AttemptOutcome, AttemptResult, Event, HealthChange, Lagged, RefreshResult,
};
pub use self::http_request::{HttpRequest, HttpResponse};
pub use self::login::{Login, LoginCallback, LoginMethod, LoginResponse, LoginState, NewLogin};
pub use self::plugin::{
    Generation, Instances, Plugin, PluginEvent, PluginList, Rollback, RolledBack, Suspended,
    SuspendedClient, TakenBack, Unloaded,
};

/// The body of every error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorResponse {
    /// The error.
    pub error: ErrorDetails,
}

/// What went wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorDetails {
    /// A code for programs. `host/docs/errors.md` lists the codes.
    #[serde(default)]
    pub code: Cow<'static, str>,
    /// A text for people: what is wrong, and what to change.
    pub message: String,
    /// Only of `invalid_config`: one line for each error in the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub errors: Option<Vec<String>>,
}

/// The response of `POST /reload`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Reloaded {
    /// Number of the configuration, from 1 after the first reload.
    pub configuration: u64,
    /// What happened to the credentials.
    pub credentials: ReloadCounts,
    /// Parts of the file that probably contain an error, one line each.
    pub warnings: Vec<String>,
}

/// Credentials after a reload.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ReloadCounts {
    /// All credentials.
    pub all: usize,
    /// Credentials that the old configuration did not have.
    pub added: usize,
    /// Credentials whose settings changed.
    pub changed: usize,
    /// Credentials that the new configuration does not have.
    pub removed: usize,
}

/// The response of `GET /requests`. The records are written as the call log has them.
#[derive(Debug, Clone, Serialize)]
pub struct RequestList {
    /// The last calls, the newest first.
    pub requests: Vec<RequestRecord>,
}
