//! Hooks receive all events, outside the lock, and a panicking hook is isolated.

use std::sync::Arc;
use std::time::Duration;

use jackfield_auth::{Event, Hook, Refresher};
use jackfield_credential::Outcome;
use parking_lot::Mutex;

use crate::support::{
    HOUR, MemoryStore, Provider, at, id, lease, manager, token, transient_failure,
};

/// A hook that records events, and calls the manager.
#[derive(Default)]
struct ReentrantHook {
    received: Mutex<Vec<(String, &'static str)>>,
    manager: Mutex<Option<jackfield_auth::AuthManager>>,
}

impl Hook for ReentrantHook {
    fn on_event(&self, event: &Event) {
        if let Some(manager) = &*self.manager.lock() {
            // This would deadlock if the manager's lock were held.
            let _ = manager.list();
        }
        let received = (event.credential.to_string(), event.kind.label());
        self.received.lock().push(received);
    }
}

struct PanickingHook;

impl Hook for PanickingHook {
    fn on_event(&self, _: &Event) {
        panic!("a hook that panics, on purpose");
    }
}

#[tokio::test(start_paused = true)]
async fn cliproxyapi_compat_1_16_hooks_receive_all_events_in_order() {
    let store = Arc::new(MemoryStore::default());
    let auth = manager(vec![token("a", HOUR)], &store);
    let listener = Arc::new(ReentrantHook::default());
    *listener.manager.lock() = Some(auth.clone());
    auth.add_hook(Arc::new(PanickingHook));
    auth.add_hook(Arc::<ReentrantHook>::clone(&listener) as Arc<dyn Hook>);
    auth.set_refresher(Provider::new() as Arc<dyn Refresher>);
    let mut created = token("b", HOUR);
    created.origin = jackfield_auth::Origin::Admin;
    auth.register(created).await.unwrap();
    let a = id("a");
    auth.refresh(&a, 1).await.unwrap();
    lease(&auth, "a").settle(transient_failure(), at(Duration::ZERO), None);
    auth.set_enabled(&a, false).await.unwrap();
    auth.remove(&id("b")).await.unwrap();
    let received = listener.received.lock().clone();
    let labels: Vec<_> = received.iter().map(|(id, label)| (&**id, *label)).collect();
    let expected = [
        ("b", "registered"),
        ("a", "refresh"),
        ("a", "health"),
        ("a", "result"),
        ("a", "updated"),
        ("b", "removed"),
    ];
    assert_eq!(labels, expected);
    listener.manager.lock().take();
}

#[tokio::test(start_paused = true)]
async fn slow_subscriber_gets_lag_count() {
    let store = Arc::new(MemoryStore::default());
    let auth = manager(vec![token("a", HOUR)], &store);
    let mut events = auth.subscribe();
    for _ in 0..1_500 {
        lease(&auth, "a").settle(Outcome::Success, at(Duration::ZERO), None);
    }
    assert_eq!(events.next().await.unwrap().unwrap_err(), 476);
    assert!(events.next().await.unwrap().is_ok());
}
