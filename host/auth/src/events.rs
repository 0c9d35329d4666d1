//! Hooks and subscriptions: who is notified of events.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use jackfield_credential::{
    CredentialId, Endpoint, HealthChange, ModelKey, Outcome, ProviderName, Timestamp,
};
use parking_lot::RwLock;
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

use crate::limits::EVENTS_BUFFERED_MAX;
use crate::port::RefreshFailure;

/// An event of a credential. It contains no secret.
#[derive(Clone, Debug)]
pub struct Event {
    /// When it happened.
    pub at: Timestamp,
    /// The credential.
    pub credential: CredentialId,
    /// What happened.
    pub kind: EventKind,
}

/// The kinds of event.
#[derive(Clone, Debug)]
pub enum EventKind {
    /// The credential was registered.
    Registered,
    /// Its definition or the operator's override changed.
    Updated,
    /// The credential was removed.
    Removed,
    /// An attempt ended.
    Attempt(AttemptEvent),
    /// A refresh ended.
    Refresh(RefreshEvent),
    /// The health of the account or of a model changed.
    Health(Box<HealthChange>),
}

impl EventKind {
    /// Returns the event's name in the admin API.
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
    /// The model.
    pub model: ModelKey,
    /// What of the model it used.
    pub endpoint: Endpoint,
    /// When the attempt began. A cooldown that began later is not its doing.
    pub began: Timestamp,
    /// The outcome.
    pub outcome: Outcome,
}

/// How a refresh ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RefreshEvent {
    /// There are new tokens, with their expiry if it is known.
    Refreshed(Option<Timestamp>),
    /// It failed, with the reason and the time of the next attempt.
    Failed(RefreshFailure, Timestamp),
    /// The provider rejected the refresh token, with the reason: the operator must log in again.
    Rejected(RefreshFailure),
}

/// Receives every event of credentials, on the task that caused it and outside all locks. It
/// should return quickly. A hook that panics is logged and skipped.
pub trait Hook: Send + Sync {
    /// Receives an event.
    fn on_event(&self, event: &Event);
}

/// The hooks, and the channel of subscribers.
pub(crate) struct Hooks {
    hooks: RwLock<Vec<Arc<dyn Hook>>>,
    /// True once there is a hook. Every attempt asks, and without a lock that costs less.
    hooked: AtomicBool,
    events: broadcast::Sender<Arc<Event>>,
}

impl Hooks {
    pub(crate) fn new(hooks: Vec<Arc<dyn Hook>>) -> Self {
        Self {
            hooked: AtomicBool::new(!hooks.is_empty()),
            hooks: RwLock::new(hooks),
            events: broadcast::Sender::new(EVENTS_BUFFERED_MAX),
        }
    }

    pub(crate) fn add(&self, hook: Arc<dyn Hook>) {
        self.hooks.write().push(hook);
        self.hooked.store(true, Ordering::Release);
    }

    pub(crate) fn subscribe(&self) -> Events {
        Events(self.events.subscribe())
    }

    /// True if there is a hook or a subscriber; otherwise the event need not be built.
    pub(crate) fn has_subscribers(&self) -> bool {
        self.hooked.load(Ordering::Acquire) || self.events.receiver_count() > 0
    }

    pub(crate) fn emit(&self, event: Event) {
        // Cloned, because a hook that adds a hook would deadlock if the lock were held.
        let hooks = self.hooks.read().clone();
        for hook in hooks {
            if catch_unwind(AssertUnwindSafe(|| hook.on_event(&event))).is_err() {
                tracing::error!(event = event.kind.label(), "hook panicked");
            }
        }
        // Sending fails if there is no subscriber, which is fine.
        let _ = self.events.send(Arc::new(event));
    }
}

/// A subscription: the events from now on, in order.
#[derive(Debug)]
pub struct Events(broadcast::Receiver<Arc<Event>>);

impl Events {
    /// Returns the next event. An error is the number of events that this reader was too slow to
    /// receive. `None` when the manager is dropped.
    pub async fn next(&mut self) -> Option<Result<Arc<Event>, u64>> {
        match self.0.recv().await {
            Ok(event) => Some(Ok(event)),
            Err(RecvError::Lagged(lagged)) => Some(Err(lagged)),
            Err(RecvError::Closed) => None,
        }
    }
}
