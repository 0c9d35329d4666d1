//! Everything that happens is told, outside the lock, and a bad listener harms nobody.

use std::sync::Arc;
use std::time::Duration;

use jackfield_auth::{Event, Hook, Refresher};
use jackfield_credential::{CredentialId, Failure, Outcome, Scope, kind};
use parking_lot::Mutex;

use crate::stage::{MemoryStore, Provider, at, lease, manager, token};

const HOUR: Duration = Duration::from_secs(3600);

#[derive(Default)]
struct Listener {
    heard: Mutex<Vec<(String, &'static str)>>,
    manager: Mutex<Option<jackfield_auth::AuthManager>>,
}

impl Hook for Listener {
    fn heard(&self, event: &Event) {
        if let Some(manager) = &*self.manager.lock() {
            // It would hang here if the manager's lock were held.
            let _ = manager.list();
        }
        let heard = (event.credential.to_string(), event.what.label());
        self.heard.lock().push(heard);
    }
}

struct Panics;

impl Hook for Panics {
    fn heard(&self, _: &Event) {
        panic!("a hook that panics, on purpose");
    }
}

#[tokio::test(start_paused = true)]
async fn seed_1_16_hooks_hear_of_everything_in_order() {
    let store = Arc::new(MemoryStore::default());
    let auth = manager(vec![token("a", HOUR)], &store);
    let listener = Arc::new(Listener::default());
    *listener.manager.lock() = Some(auth.clone());
    auth.add_hook(Arc::new(Panics));
    auth.add_hook(Arc::<Listener>::clone(&listener) as Arc<dyn Hook>);
    auth.set_refresher(Provider::new() as Arc<dyn Refresher>);
    let mut made = token("b", HOUR);
    made.origin = jackfield_auth::Origin::Admin;
    auth.register(made).await.unwrap();
    let a = CredentialId::from("a");
    auth.refresh(&a, 1).await.unwrap();
    let failure = Failure {
        scope: Scope::Model,
        kind: kind::TRANSIENT.into(),
        status: Some(500),
        message: String::new(),
        retry_after: None,
        refresh_suggested: false,
    };
    lease(&auth, "a").settle(Outcome::Failed(failure), at(Duration::ZERO), None);
    auth.set_enabled(&a, false).await.unwrap();
    auth.remove(&CredentialId::from("b")).await.unwrap();
    let heard = listener.heard.lock().clone();
    let heard: Vec<_> = heard.iter().map(|(id, what)| (&**id, *what)).collect();
    let expected = [
        ("b", "registered"),
        ("a", "refresh"),
        ("a", "health"),
        ("a", "result"),
        ("a", "updated"),
        ("b", "removed"),
    ];
    assert_eq!(heard, expected);
    listener.manager.lock().take();
}

#[tokio::test(start_paused = true)]
async fn a_slow_reader_is_told_how_much_it_missed() {
    let store = Arc::new(MemoryStore::default());
    let auth = manager(vec![token("a", HOUR)], &store);
    let mut events = auth.subscribe();
    for _ in 0..1_500 {
        lease(&auth, "a").settle(Outcome::Success, at(Duration::ZERO), None);
    }
    assert_eq!(events.next().await.unwrap().unwrap_err(), 476);
    assert!(events.next().await.unwrap().is_ok());
}
