//! Hooks and events: whoever wants to know what happens to credentials.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use jackfield_credential::{
    CredentialId, HealthChange, ModelKey, Outcome, ProviderName, Timestamp,
};
use parking_lot::RwLock;
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

/// What happened to a credential. Nothing in it is secret.
#[derive(Clone, Debug)]
pub struct Event {
    /// When.
    pub at: Timestamp,
    /// To which.
    pub credential: CredentialId,
    /// What.
    pub kind: EventKind,
}

/// What can happen to a credential.
#[derive(Clone, Debug)]
pub enum EventKind {
    /// It was registered.
    Registered,
    /// What the operator says of it changed.
    Updated,
    /// It was removed.
    Removed,
    /// An attempt ended.
    Attempt(AttemptEvent),
    /// A refresh ended.
    Refresh(RefreshEvent),
    /// Its health changed, of the account or of a model.
    Health(Box<HealthChange>),
}

impl EventKind {
    /// The name of the event in the admin API.
    pub fn label(&self) -> &'static str {
        match self {
            Self::Registered => "registered",
            Self::Updated => "updated",
            Self::Removed => "removed",
            Self::Attempt(_) => "result",
            Self::Refresh(_) => "refresh",
            Self::Health(_) => "health",
        }
    }
}

/// How an attempt ended.
#[derive(Clone, Debug)]
pub struct AttemptEvent {
    /// The credential's provider.
    pub provider: ProviderName,
    /// With which model.
    pub model: ModelKey,
    /// The outcome.
    pub outcome: Outcome,
}

/// How a refresh ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RefreshEvent {
    /// There are new tokens, up to this time where it is known.
    Refreshed(Option<Timestamp>),
    /// It failed and will be tried again at this time.
    Failed(String, Timestamp),
    /// The provider will not renew them: somebody must log in anew.
    Rejected(String),
}

/// Hears of everything that happens to credentials, on the task that made it happen and outside all
/// locks: it should be quick. A hook that panics is logged and passed over.
pub trait Hook: Send + Sync {
    /// Something happened.
    fn on_event(&self, event: &Event);
}

/// The hooks, and the ring of events.
pub(crate) struct Hooks {
    hooks: RwLock<Vec<Arc<dyn Hook>>>,
    events: broadcast::Sender<Arc<Event>>,
}

impl Hooks {
    pub(crate) fn new(hooks: Vec<Arc<dyn Hook>>) -> Self {
        Self {
            hooks: RwLock::new(hooks),
            events: broadcast::Sender::new(EVENTS_BUFFERED_MAX),
        }
    }

    pub(crate) fn add(&self, hook: Arc<dyn Hook>) {
        self.hooks.write().push(hook);
    }

    pub(crate) fn subscribe(&self) -> Events {
        Events(self.events.subscribe())
    }

    /// Whether anybody would hear: where nobody does, an event need not be made.
    pub(crate) fn has_subscribers(&self) -> bool {
        self.events.receiver_count() > 0 || !self.hooks.read().is_empty()
    }

    pub(crate) fn emit(&self, event: Event) {
        let hooks = self.hooks.read().clone();
        for hook in hooks {
            if catch_unwind(AssertUnwindSafe(|| hook.on_event(&event))).is_err() {
                tracing::error!(
                    event = event.kind.label(),
                    "a hook panicked; it is passed over"
                );
            }
        }
        // Fails where nobody listens, which is as well.
        let _ = self.events.send(Arc::new(event));
    }
}

/// The events from now on, in order.
#[derive(Debug)]
pub struct Events(broadcast::Receiver<Arc<Event>>);

impl Events {
    /// The next event; an error says how many a reader has missed that was too slow, and that there
    /// will be no more for it. None when the manager is gone.
    pub async fn next(&mut self) -> Option<Result<Arc<Event>, u64>> {
        match self.0.recv().await {
            Ok(event) => Some(Ok(event)),
            Err(RecvError::Lagged(lagged)) => Some(Err(lagged)),
            Err(RecvError::Closed) => None,
        }
    }
}

/// How many events a reader may be behind. A busy host has some thousand results a second, and each
/// event takes some 200 bytes.
const EVENTS_BUFFERED_MAX: usize = 1024;
