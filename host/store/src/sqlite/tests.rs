//! Tests of the contract of a store, with a real file.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::time::Duration;

use jackfield_auth::{Definition, StoredTokens};
use jackfield_credential::{Cause, CoolingClass, Health, ModelKey, Scope, Timestamp, Window};
use proptest::prelude::*;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use super::*;

const SECRET: &str = "sk-never-in-plain-text";

#[tokio::test]
async fn cliproxyapi_compat_1_18_saved_credential_is_listed_until_deleted() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let record = credential("a");
    assert_eq!(store.save(record.clone(), None).await, Ok(1));
    assert_eq!(store.save(credential("b"), None).await, Ok(1));
    assert_eq!(store.save(record.clone(), Some(1)).await, Ok(2));
    store.close().await;

    let store = open(folder.path());
    let mut listed = store.list().await.unwrap();
    listed.sort_by(|one, other| one.id.cmp(&other.id));
    assert_eq!(listed.len(), 2);
    assert_eq!(
        reveal(&listed[0]),
        reveal(&StoredCredential {
            version: 2,
            ..record
        })
    );
    store.save_health(vec![cooling("a", None)]).await.unwrap();
    store.delete("a".into()).await.unwrap();
    store.delete("unknown".into()).await.unwrap();
    assert_eq!(store.list().await.unwrap().len(), 1);
    assert_eq!(
        store.list_health().await,
        Ok(vec![]),
        "its health is deleted, too"
    );
}

#[tokio::test]
async fn folder_is_locked_until_the_store_is_closed() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let refused = SqliteStore::open(folder.path(), &key()).unwrap_err();
    assert!(
        matches!(refused, OpenError::Lock(LockError::InUse { .. })),
        "{refused}"
    );
    store.save(credential("a"), None).await.unwrap();
    let beside = SqliteStore::open_beside_other(folder.path(), &key()).unwrap();
    assert_eq!(beside.list().await.unwrap().len(), 1);
    let saved = beside.save(credential("b"), None).await;
    assert!(matches!(saved, Err(StoreError::Failed(_))), "{saved:?}");
    store.close().await;
    store.close().await;

    let next = open(folder.path());
    assert_eq!(next.list().await.unwrap().len(), 1);
    assert_eq!(
        store.save(credential("a"), Some(1)).await,
        Err(StoreError::Closed)
    );
    assert_eq!(next.list().await.unwrap()[0].version, 1);
}

#[tokio::test]
async fn save_into_a_removed_or_replaced_folder_fails() {
    let folder = tempfile::tempdir().unwrap();
    let (data, old) = (folder.path().join("data"), folder.path().join("old"));
    let store = open(&data);
    store.save(credential("a"), None).await.unwrap();
    fs::rename(&data, &old).unwrap();
    let refused = store.save(credential("a"), Some(1)).await.unwrap_err();
    assert!(
        refused.to_string().contains("was removed or replaced"),
        "{refused}"
    );
    fs::create_dir(&data).unwrap();
    fs::write(data.join(DATABASE), "").unwrap();
    assert!(store.save(credential("a"), Some(1)).await.is_err());
    // Back in its place, it is the same file.
    fs::remove_dir_all(&data).unwrap();
    fs::rename(&old, &data).unwrap();
    assert_eq!(store.save(credential("a"), Some(1)).await, Ok(2));
}

#[test]
fn folder_that_others_can_change_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    fs::create_dir(&data).unwrap();
    fs::set_permissions(&data, fs::Permissions::from_mode(0o777)).unwrap();
    let refused = SqliteStore::open(&data, &key()).unwrap_err();
    assert!(matches!(refused, OpenError::Folder(_)), "{refused}");
    assert!(refused.to_string().contains("chmod go-w"), "{refused}");
    assert!(!data.join(DATABASE).exists());
}

#[tokio::test]
async fn version_mismatch_is_a_conflict_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    assert_eq!(
        store.save(credential("a"), Some(1)).await,
        Err(StoreError::Conflict)
    );
    store.save(credential("a"), None).await.unwrap();
    let mut other = credential("a");
    other.enabled = Some(false);
    for expected in [None, Some(0), Some(2)] {
        let saved = store.save(other.clone(), expected).await;
        assert_eq!(saved, Err(StoreError::Conflict), "{expected:?}");
    }
    assert_eq!(store.list().await.unwrap()[0].enabled, None);
}

#[tokio::test]
async fn one_of_two_concurrent_saves_wins() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    for round in 0..20 {
        let expected = (round > 0).then_some(round);
        let saves = tokio::join!(
            store.save(credential("a"), expected),
            store.save(credential("a"), expected),
        );
        let wins = [&saves.0, &saves.1]
            .into_iter()
            .filter(|saved| **saved == Ok(round + 1));
        assert_eq!(wins.count(), 1, "{saves:?}");
    }
}

#[tokio::test]
async fn files_hold_no_plaintext_secret() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    for number in 0..50 {
        store
            .save(credential(&format!("c{number}")), None)
            .await
            .unwrap();
    }
    let mut bytes = 0;
    for file in fs::read_dir(folder.path()).unwrap() {
        let path = file.unwrap().path();
        let content = fs::read(&path).unwrap();
        bytes += content.len();
        let found = content
            .windows(SECRET.len())
            .any(|window| window == SECRET.as_bytes());
        assert!(!found, "{}", path.display());
    }
    assert!(bytes > 10_000, "the files were read");
    let mode = fs::metadata(folder.path().join(DATABASE))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[tokio::test]
async fn rejects_other_key_and_names_expected_one() {
    let folder = tempfile::tempdir().unwrap();
    open(folder.path()).close().await;
    let other = Key::from_secret(&"another".to_owned().into());
    let error = SqliteStore::open(folder.path(), &other).unwrap_err();
    assert!(matches!(error, OpenError::KeyMismatch { .. }), "{error}");
    assert!(
        error.to_string().contains("the configured encryption key"),
        "{error}"
    );
    open(folder.path()).close().await;
}

#[tokio::test]
async fn rejects_secrets_moved_to_another_credential() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    store.save(credential("a"), None).await.unwrap();
    store.save(credential("b"), None).await.unwrap();
    let swap = "UPDATE credentials SET tokens = (SELECT tokens FROM credentials WHERE id = 'b') WHERE id = 'a'";
    raw(folder.path()).execute(swap, []).unwrap();
    let error = store.list().await.unwrap_err();
    assert!(error.to_string().contains("`a`"), "{error}");
}

#[tokio::test]
async fn rejects_newer_or_damaged_database_untouched() {
    let folder = tempfile::tempdir().unwrap();
    open(folder.path()).close().await;
    raw(folder.path())
        .pragma_update(None, "user_version", 99)
        .unwrap();
    let error = SqliteStore::open(folder.path(), &key()).unwrap_err();
    assert!(
        matches!(error, OpenError::Newer { version: 99, .. }),
        "{error}"
    );
    let damaged = tempfile::tempdir().unwrap();
    let path = damaged.path().join(DATABASE);
    fs::write(&path, vec![7; 8192]).unwrap();
    let error = SqliteStore::open(damaged.path(), &key()).unwrap_err();
    assert!(matches!(error, OpenError::Database { .. }), "{error}");
    assert_eq!(fs::read(&path).unwrap(), vec![7; 8192]);
}

#[tokio::test]
async fn deletes_health_once_ready() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let model = Some(ModelKey::from("m"));
    let both = vec![cooling("a", None), cooling("a", model.clone())];
    store.save_health(both).await.unwrap();
    let ready = HealthRecord {
        health: Health::Ready,
        ..cooling("a", model)
    };
    store.save_health(vec![ready]).await.unwrap();
    assert_eq!(store.list_health().await, Ok(vec![cooling("a", None)]));
}

#[tokio::test]
async fn stores_ten_thousand_records() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let records: Vec<_> = (0..10_000)
        .map(|number| cooling(&format!("c{number:05}"), None))
        .collect();
    store.save_health(records.clone()).await.unwrap();
    assert_eq!(store.list_health().await, Ok(records));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Every health is restored unchanged.
    #[test]
    fn health_round_trips(health in health()) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let store = open(folder.path());
        let record = HealthRecord { health, ..cooling("a", None) };
        runtime.block_on(store.save_health(vec![record.clone()])).unwrap();
        let expected = if record.health == Health::Ready { vec![] } else { vec![record] };
        prop_assert_eq!(runtime.block_on(store.list_health()), Ok(expected));
    }
}

/// Rows of versions before 0.2 have neither class nor hint.
#[tokio::test]
async fn windows_of_earlier_versions_are_classified_by_their_cause() {
    let folder = tempfile::tempdir().unwrap();
    open(folder.path()).close().await;
    let rows = [
        ("rate-limit", 429, 0, CoolingClass::Limit, true),
        ("rate-limit", 429, 3, CoolingClass::Limit, false),
        ("overloaded", 503, 0, CoolingClass::Overload, true),
        ("authentication", 401, 0, CoolingClass::Refused, false),
        ("billing", 402, 0, CoolingClass::Billing, false),
        ("not-found", 404, 0, CoolingClass::Missing, false),
        ("transient", 500, 0, CoolingClass::Outage, false),
    ];
    for (number, (kind, status, strikes, ..)) in rows.iter().enumerate() {
        let cause = json!({ "scope": "model", "kind": kind, "status": status, "message": "no" });
        let window = json!({ "since": 1, "until": 9, "strikes": strikes, "cause": cause });
        let state = json!({ "state": "cooling", "window": window, "probe_at": null });
        raw(folder.path())
            .execute(
                "INSERT INTO health VALUES (?1, 'm', ?2)",
                (number.to_string(), state.to_string()),
            )
            .unwrap();
    }
    let mut listed = open(folder.path()).list_health().await.unwrap();
    listed.sort_by(|one, other| one.credential.cmp(&other.credential));
    let listed = listed.iter().filter_map(|record| record.health.window());
    let classes: Vec<_> = listed.map(|window| (window.class, window.hint)).collect();
    let expected = rows.map(|(.., class, hint)| (class, hint));
    assert_eq!(classes, expected);
}

fn health() -> impl Strategy<Value = Health> {
    let scope = prop::sample::select(vec![
        Scope::Request,
        Scope::Model,
        Scope::Credential,
        Scope::Provider,
        Scope::Transport,
    ]);
    let cause = (scope, ".{0,20}", prop::option::of(any::<u16>()), ".{0,40}");
    let cause = cause.prop_map(|(scope, kind, status, message)| {
        Arc::new(Cause {
            scope,
            kind: kind.into(),
            status,
            message: message.into(),
        })
    });
    let time = (0..=u64::MAX).prop_map(Timestamp::from_millis);
    let class = prop::sample::select(vec![
        CoolingClass::Limit,
        CoolingClass::Overload,
        CoolingClass::Outage,
        CoolingClass::Refused,
        CoolingClass::Billing,
        CoolingClass::Missing,
    ]);
    let kind = (class, any::<bool>());
    let window = (
        time.clone(),
        time.clone(),
        any::<u32>(),
        kind,
        cause.clone(),
    );
    let window = window.prop_map(|(since, until, strikes, (class, hint), cause)| Window {
        since,
        until,
        strikes,
        class,
        hint,
        cause,
    });
    let pause = (0_u64..=u64::MAX).prop_map(Duration::from_millis);
    prop_oneof![
        Just(Health::Ready),
        (window.clone(), prop::option::of(time.clone()))
            .prop_map(|(window, probe_at)| Health::Cooling { window, probe_at }),
        (window, pause).prop_map(|(window, pause)| Health::Probing {
            window,
            pause,
            probe: 0
        }),
        (time, cause).prop_map(|(since, cause)| Health::Barred { since, cause }),
    ]
}

fn open(folder: &Path) -> SqliteStore {
    SqliteStore::open(folder, &key()).unwrap()
}

fn key() -> Key {
    Key::from_secret(&"the key of the tests".to_owned().into())
}

fn raw(folder: &Path) -> rusqlite::Connection {
    rusqlite::Connection::open(folder.join(DATABASE)).unwrap()
}

fn credential(id: &str) -> StoredCredential {
    let secrets = BTreeMap::from([("api-key".to_owned(), SecretString::from(SECRET.to_owned()))]);
    StoredCredential {
        id: id.into(),
        enabled: None,
        tokens: Some(StoredTokens {
            secrets: secrets.clone(),
            expires_at: Some(Timestamp::from_millis(1_780_000_000_000)),
            refreshed_at: None,
            source_digest: [3; 32],
        }),
        definition: Some(Definition {
            body: json!({ "provider": "acme", "id": id }),
            secrets,
        }),
        created_at: Timestamp::from_millis(1),
        updated_at: Timestamp::from_millis(2),
        version: 0,
    }
}

/// Returns all of a record with its secrets.
fn reveal(record: &StoredCredential) -> String {
    let tokens = record.tokens.as_ref().unwrap();
    let definition = record.definition.as_ref().unwrap();
    let plain = |secrets: &BTreeMap<String, SecretString>| {
        let one =
            |(name, secret): (&String, &SecretString)| format!("{name}={}", secret.expose_secret());
        secrets.iter().map(one).collect::<Vec<_>>()
    };
    let secrets = (plain(&tokens.secrets), plain(&definition.secrets));
    format!("{record:?} {secrets:?}")
}

fn cooling(id: &str, model: Option<ModelKey>) -> HealthRecord {
    let cause = Arc::new(Cause {
        scope: Scope::Credential,
        kind: "authentication".into(),
        status: Some(401),
        message: "no".into(),
    });
    HealthRecord {
        credential: id.into(),
        model,
        health: Health::Cooling {
            window: Window {
                since: Timestamp::from_millis(5),
                until: Timestamp::from_millis(50),
                strikes: 2,
                class: CoolingClass::Refused,
                hint: false,
                cause,
            },
            probe_at: Some(Timestamp::from_millis(20)),
        },
        secrets_digest: Some(u64::MAX),
    }
}
