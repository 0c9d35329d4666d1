//! More rules of the system that we succeed: its loads, its refresh loop, its hooks and its registry of
//! models. The table is in `host/auth/RULES.md`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jackfield_auth::{
    AuthManager, AuthParts, Event, Hook, Origin, RefreshError, Refresher, Registration, Store,
    StoreError,
};
use jackfield_credential::{
    CandidateQuery, CredentialId, Failure, Outcome, Scope, Served, Unavailable, kind,
};
use parking_lot::Mutex;
use tokio::time::timeout;

use crate::support::{MemoryStore, Provider, access_token, at, clock, lease, manager, token};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

fn id(text: &str) -> CredentialId {
    CredentialId::from(text)
}

/// Lets the background work for so long.
async fn run_for(auth: &AuthManager, time: Duration) {
    let _ = timeout(time, auth.run()).await;
}

fn with_refresher(registrations: Vec<Registration>) -> (AuthManager, Arc<Provider>) {
    let auth = manager(registrations, &Arc::default());
    let provider = Provider::new();
    auth.set_refresher(Arc::<Provider>::clone(&provider) as Arc<dyn Refresher>);
    (auth, provider)
}

/// Hears the labels of what happens.
#[derive(Default)]
struct LabelRecorder(Mutex<Vec<(String, &'static str)>>);

impl Hook for LabelRecorder {
    fn on_event(&self, event: &Event) {
        let received = (event.credential.to_string(), event.kind.label());
        self.0.lock().push(received);
    }
}

impl LabelRecorder {
    fn on(auth: &AuthManager) -> Arc<Self> {
        let listener = Arc::new(Self::default());
        auth.add_hook(Arc::<Self>::clone(&listener) as Arc<dyn Hook>);
        listener
    }

    fn labels(&self) -> Vec<&'static str> {
        self.0.lock().iter().map(|(_, label)| *label).collect()
    }
}

fn failure() -> Outcome {
    Outcome::Failed(Failure {
        scope: Scope::Model,
        kind: kind::TRANSIENT.into(),
        status: Some(500),
        message: "out of order".to_owned(),
        retry_after: None,
        refresh_suggested: false,
    })
}

#[tokio::test(start_paused = true)]
async fn cliproxyapi_compat_1_3_configured_lead_overrides_executor_lead() {
    let mut long = token("a", HOUR);
    long.timing.lead = Some(20 * MINUTE);
    let (auth, _) = with_refresher(vec![long, token("b", HOUR)]);
    run_for(&auth, 41 * MINUTE).await;
    assert_eq!(access_token(&auth, "a"), "at-1-a");
    assert_eq!(
        access_token(&auth, "b"),
        "at-0-b",
        "5 minutes, of the executor"
    );
}

#[tokio::test(start_paused = true)]
async fn cliproxyapi_compat_1_4_failed_load_changes_nothing() {
    let store = Arc::new(MemoryStore::default());
    let auth = manager(vec![token("a", HOUR)], &store);
    *store.unreadable.lock() = true;
    let failed = StoreError::Failed("the disk is gone".to_owned());
    assert_eq!(auth.load(|_| None).await, Err(failed));
    assert_eq!(auth.list().len(), 1);
    assert_eq!(access_token(&auth, "a"), "at-0-a");
}

#[tokio::test(start_paused = true)]
async fn cliproxyapi_compat_1_4_load_emits_no_events() {
    let store = Arc::new(MemoryStore::default());
    let before = manager(vec![token("a", HOUR)], &store);
    before.set_refresher(Provider::new() as Arc<dyn Refresher>);
    before.refresh(&id("a"), 1).await.unwrap();
    before.set_enabled(&id("a"), false).await.unwrap();
    drop(before);
    let auth = manager(vec![token("a", HOUR)], &store);
    let listener = LabelRecorder::on(&auth);
    assert_eq!(auth.load(|_| None).await.unwrap().refreshed, 1);
    assert_eq!(listener.labels(), Vec::<&str>::new());
}

#[tokio::test(start_paused = true)]
async fn cliproxyapi_compat_1_4_register_inserts_new_and_updates_known() {
    let auth = manager(vec![token("a", HOUR)], &Arc::default());
    let listener = LabelRecorder::on(&auth);
    auth.register(token("b", HOUR)).await.unwrap();
    auth.register(token("a", HOUR)).await.unwrap();
    assert_eq!(listener.labels(), ["registered", "updated"]);
    let listed: Vec<_> = auth.list().into_iter().map(|view| view.status.id).collect();
    assert_eq!(listed, [id("a"), id("b")], "by id, whoever came first");
}

#[tokio::test(start_paused = true)]
async fn cliproxyapi_compat_1_8_result_for_removed_credential_only_emits_event() {
    let mut created = token("a", HOUR);
    created.origin = Origin::Admin;
    let auth = manager(vec![created.clone()], &Arc::default());
    let open = lease(&auth, "a");
    auth.remove(&id("a")).await.unwrap();
    auth.register(created).await.unwrap();
    let listener = LabelRecorder::on(&auth);
    open.settle(failure(), at(Duration::ZERO), None);
    assert_eq!(listener.labels(), ["result"]);
    let view = auth.get(&id("a")).unwrap();
    assert!(view.status.last_failure.is_none(), "it is another one");
    assert_eq!(auth.leases_open(), 0);
}

#[tokio::test(start_paused = true)]
async fn cliproxyapi_compat_1_14_refreshes_due_tokens_at_start() {
    let (auth, provider) = with_refresher(vec![token("a", MINUTE), token("b", 10 * HOUR)]);
    run_for(&auth, Duration::from_secs(2)).await;
    assert_eq!(provider.calls(), 1);
    assert_eq!(access_token(&auth, "a"), "at-1-a");
}

#[tokio::test(start_paused = true)]
async fn cliproxyapi_compat_1_14_stops_refreshing_when_background_stops() {
    let (auth, provider) = with_refresher(vec![token("a", HOUR)]);
    run_for(&auth, MINUTE).await;
    tokio::time::sleep(2 * HOUR).await;
    assert_eq!(provider.calls(), 0);
    run_for(&auth, 2 * MINUTE).await;
    assert_eq!(provider.calls(), 1, "and again when it is started anew");
}

#[tokio::test(start_paused = true)]
async fn cliproxyapi_compat_1_14_successful_refresh_is_recorded_and_emitted() {
    let (auth, provider) = with_refresher(vec![token("a", HOUR)]);
    let down = RefreshError::Failed("status 503".to_owned());
    provider.failures.lock().push_back(down);
    assert!(auth.refresh(&id("a"), 1).await.is_err());
    assert_eq!(auth.get(&id("a")).unwrap().refresh.failures, 1);
    let listener = LabelRecorder::on(&auth);
    auth.refresh(&id("a"), 1).await.unwrap();
    let renewal = auth.get(&id("a")).unwrap().refresh;
    assert_eq!(renewal.refreshed_at, Some(at(Duration::from_secs(2))));
    // The provider told no end: so it is due its lead after the last refresh, and no pause holds it.
    assert_eq!(renewal.due_at, Some(at(Duration::from_secs(302))));
    assert_eq!((renewal.failures, renewal.running), (0, false));
    assert_eq!(listener.labels(), ["refresh"]);
}

#[tokio::test(start_paused = true)]
async fn cliproxyapi_compat_1_14_does_not_refresh_without_lead_and_interval() {
    struct NoLead(Arc<Provider>);
    impl Refresher for NoLead {
        fn refresh(
            &self,
            job: jackfield_auth::RefreshJob,
        ) -> jackfield_auth::BoxFuture<'_, Result<jackfield_auth::TokenPatch, RefreshError>>
        {
            self.0.refresh(job)
        }

        fn lead(&self, _: &jackfield_credential::ProviderName) -> Option<Duration> {
            None
        }
    }
    let mut often = token("b", HOUR);
    often.timing.interval = Some(30 * MINUTE);
    often.refreshed_at = Some(at(Duration::ZERO));
    let auth = manager(vec![token("a", HOUR), often], &Arc::default());
    let provider = Provider::new();
    auth.set_refresher(Arc::new(NoLead(Arc::clone(&provider))));
    run_for(&auth, 31 * MINUTE).await;
    assert_eq!(access_token(&auth, "a"), "at-0-a");
    assert_eq!(access_token(&auth, "b"), "at-1-b");
    // On demand it is renewed all the same, as the seed's executors do by themselves.
    assert_eq!(auth.refresh(&id("a"), 1).await, Ok(()));
}

#[tokio::test(start_paused = true)]
async fn cliproxyapi_compat_1_16_panicking_hook_is_isolated() {
    struct AlwaysPanics;
    impl Hook for AlwaysPanics {
        fn on_event(&self, _: &Event) {
            panic!("a hook that panics, on purpose");
        }
    }
    let store: Arc<dyn Store> = Arc::new(MemoryStore::default());
    let listener = Arc::new(LabelRecorder::default());
    let auth = AuthManager::new(AuthParts {
        store: Some(store),
        hooks: vec![
            Arc::new(AlwaysPanics),
            Arc::<LabelRecorder>::clone(&listener) as Arc<dyn Hook>,
        ],
        ..AuthParts::new(vec![token("a", HOUR)], clock())
    })
    .unwrap();
    lease(&auth, "a").settle(Outcome::Success, at(Duration::ZERO), None);
    auth.set_enabled(&id("a"), false).await.unwrap();
    assert_eq!(listener.labels(), ["result", "updated"]);
}

#[tokio::test(start_paused = true)]
async fn cliproxyapi_compat_1_17_update_replaces_served_models() {
    let auth = manager(vec![token("a", HOUR)], &Arc::default());
    let mut edited = token("a", HOUR);
    edited.credential.serves = vec![Served::new("other", vec!["other".into()])];
    auth.register(edited).await.unwrap();
    let names: Vec<_> = auth.names().iter().map(|name| name.name.clone()).collect();
    assert_eq!(names, ["other".into()]);
    let now = at(Duration::ZERO);
    let unavailable = auth
        .candidates(&CandidateQuery::first_round("gpt"), now)
        .unwrap_err();
    assert!(
        matches!(unavailable, Unavailable::UnknownModel),
        "{unavailable:?}"
    );
    assert!(
        auth.candidates(&CandidateQuery::first_round("other"), now)
            .is_ok()
    );
    assert!(
        auth.candidates(&CandidateQuery::first_round("other(high)"), now)
            .is_ok()
    );
}

#[tokio::test(start_paused = true)]
async fn cliproxyapi_compat_1_17_model_is_listed_until_last_credential_is_removed() {
    let created = |id: &str| Registration {
        origin: Origin::Admin,
        ..token(id, HOUR)
    };
    let auth = manager(vec![created("a"), created("b")], &Arc::default());
    for (id, left) in [("a", 1), ("b", 0)] {
        auth.remove(&CredentialId::from(id)).await.unwrap();
        assert_eq!(auth.names().len(), left);
    }
}

#[tokio::test(start_paused = true)]
async fn cliproxyapi_compat_1_17_model_recovers_when_cooldown_ends() {
    // In the seed only a success or a new registration resumes it, and some never come back.
    let auth = manager(vec![token("a", HOUR)], &Arc::default());
    lease(&auth, "a").settle(failure(), at(Duration::ZERO), None);
    let query = CandidateQuery::first_round("gpt");
    assert!(auth.candidates(&query, at(59 * MINUTE / 60)).is_err());
    assert!(auth.candidates(&query, at(MINUTE)).is_ok());
}

#[tokio::test(start_paused = true)]
async fn cliproxyapi_compat_1_17_providers_of_a_model_are_sorted_and_unique() {
    // The seed orders them by how many credentials they have; here no provider comes before another,
    // since the pool is all their credentials.
    let of = |id: &str, provider: &str| {
        let mut registration = token(id, HOUR);
        registration.credential.provider = provider.into();
        registration
    };
    let registrations = vec![of("a", "zeta"), of("b", "zeta"), of("c", "acme")];
    let auth = manager(registrations, &Arc::default());
    let named: BTreeMap<_, Vec<String>> = auth
        .names()
        .into_iter()
        .map(|name| {
            let providers = name.providers.iter().map(ToString::to_string);
            (name.name.to_string(), providers.collect())
        })
        .collect();
    assert_eq!(named["gpt"], ["acme", "zeta"]);
    assert_eq!(auth.only_provider("gpt"), None);
}
