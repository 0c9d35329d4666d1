//! What the owner of a generation, the log and subscribers learn of its breaker.

use jackfield_credential::Timestamp;
use jackfield_dispatch::ClientDigest;
use jackfield_dispatch::port::PluginId;

use super::circuit::Open;
use super::{Suspended, seconds};
use crate::limits::CLIENT_WASTE_MAX;

/// Called at each notice, while no lock of the breaker is held.
pub(crate) type BreakerCallback = Box<dyn Fn(BreakerNotice) + Send + Sync>;

/// What the owner of a generation learns of its breaker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum BreakerNotice {
    Event(BreakerEvent),
    /// The version before may take over.
    TakeBackDue(TakeBackDue),
}

/// For whom a suspended generation failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TakeBackDue {
    /// Why it is suspended, in words.
    pub(crate) why: String,
    /// Set if no other client has used it: then it must be the only client of the version before, too.
    pub(crate) only_client: Option<ClientDigest>,
}

/// What happened to a generation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BreakerEvent {
    /// It is not called for any client.
    Suspended(Suspended),
    /// It is called again: a trial succeeded.
    Resumed,
    /// It is not called for one client.
    ClientSuspended(ClientDigest, Suspended),
    /// It is called for the client again.
    ClientResumed(ClientDigest),
}

impl BreakerEvent {
    pub(super) fn log(&self, plugin: &PluginId, now: Timestamp) {
        let wait = |suspended: &Suspended| seconds(suspended.next_trial.saturating_since(now));
        match self {
            Self::Suspended(suspended) => tracing::error!(
                %plugin,
                why = suspended.why,
                next_trial_s = wait(suspended),
                "plugin suspended for all clients"
            ),
            Self::Resumed => tracing::info!(%plugin, "plugin called again: a trial succeeded"),
            Self::ClientSuspended(client, suspended) => tracing::warn!(
                %plugin,
                %client,
                why = suspended.why,
                next_trial_s = wait(suspended),
                "plugin suspended for one client"
            ),
            Self::ClientResumed(client) => {
                tracing::info!(%plugin, %client, "plugin called for the client again: its trial succeeded");
            }
        }
    }
}

pub(super) fn client_suspended(client: ClientDigest, open: Open) -> BreakerEvent {
    BreakerEvent::ClientSuspended(client, open.status(client_why()))
}

pub(super) fn client_why() -> String {
    let wasted = CLIENT_WASTE_MAX.as_millis();
    format!("its requests wasted {wasted} ms of the plugin's time")
}
