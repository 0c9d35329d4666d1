//! What operators see of a credential: its definition, source and times, and why it failed.

use std::sync::Arc;
use std::time::Duration;

use jackfield_auth::{Definition, Origin, Registration};
use jackfield_credential::CredentialKind;
use serde_json::json;

use crate::support::{HOUR, MINUTE, MemoryStore, at, id, lease, manager, token, transient_failure};

/// Returns a credential that an operator created, with everything that is not secret.
fn described() -> Registration {
    let mut registration = token("a", HOUR);
    registration.origin = Origin::Admin;
    registration.credential.label = Some("Of Ada".into());
    registration.credential.prefix = Some("team".into());
    registration
        .credential
        .attributes
        .insert("region".to_owned(), "north".to_owned());
    registration.metadata = [("project_id".to_owned(), json!("p-1"))].into();
    registration.definition = Some(Definition {
        body: json!({}),
        secrets: registration.secrets.clone(),
    });
    registration
}

#[tokio::test(start_paused = true)]
async fn view_has_definition_and_metadata_but_no_secret() {
    let auth = manager(vec![described()], &Arc::default());
    let view = auth.get(&id("a")).unwrap();
    let status = &view.status;
    assert_eq!(status.provider.as_str(), "acme");
    assert_eq!(status.kind, CredentialKind::Oauth);
    assert_eq!(status.label.as_deref(), Some("Of Ada"));
    assert_eq!(status.prefix.as_deref(), Some("team"));
    assert_eq!(view.origin, Origin::Admin);
    assert_eq!(
        view.metadata,
        [("project_id".to_owned(), json!("p-1"))].into()
    );
    assert_eq!(view.expires_at, Some(at(HOUR)));
    let shown = format!("{view:?}");
    assert!(
        !shown.contains("at-0-a") && !shown.contains("rt-0-a"),
        "{shown}"
    );
    // Executors see the attributes, and the names of the secrets.
    let lease = lease(&auth, "a");
    assert_eq!(lease.credential().attributes["region"], "north");
    assert_eq!(
        lease.credential().secret_fields,
        ["access-token", "refresh-token"]
    );
}

#[tokio::test(start_paused = true)]
async fn creation_time_survives_changes_and_restarts() {
    let store = Arc::new(MemoryStore::default());
    let auth = manager(vec![], &store);
    auth.register(described()).await.unwrap();
    tokio::time::sleep(MINUTE).await;
    auth.set_enabled(&id("a"), false).await.unwrap();
    {
        let records = store.records.lock();
        let record = &records[&id("a")];
        assert_eq!(record.created_at, at(Duration::ZERO));
        assert_eq!(record.updated_at, at(MINUTE));
    }
    tokio::time::sleep(MINUTE).await;
    let restarted = manager(vec![], &store);
    restarted.load(|_| Some(described())).await.unwrap();
    let view = restarted.get(&id("a")).unwrap();
    assert_eq!(view.created_at, at(Duration::ZERO));
}

#[tokio::test(start_paused = true)]
async fn view_has_the_last_failure() {
    let auth = manager(vec![token("a", HOUR)], &Arc::default());
    lease(&auth, "a").settle(transient_failure(), at(Duration::ZERO), None);
    let view = auth.get(&id("a")).unwrap();
    let last = view.status.last_failure.unwrap();
    assert_eq!(last.at, at(Duration::ZERO));
    assert_eq!(last.cause.status, Some(500));
    assert_eq!(&*last.cause.message, "out of order");
}
