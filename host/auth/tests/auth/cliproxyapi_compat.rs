//! Rules of CLIProxyAPI about loading, the refresh loop, hooks and the registry of models. The table is
//! in `host/docs/compat/rules.md`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jackfield_auth::{
    AuthManager, AuthParts, BoxFuture, Event, Hook, Origin, RefreshError, RefreshJob, Refresher,
    Registration, Store, StoreError, TokenPatch,
};
use jackfield_credential::{
    CandidateQuery, CredentialId, Outcome, ProviderName, Served, Unavailable,
};
use parking_lot::Mutex;

use crate::support::{
    HOUR, MINUTE, MemoryStore, Provider, access_token, at, clock, id, lease, manager, run_for,
    token, transient_failure, with_provider,
};

/// A hook that records the labels of events.
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

#[tokio::test(start_paused = true)]
async fn cliproxyapi_compat_1_3_configured_lead_overrides_executor_lead() {
    let mut long = token("a", HOUR);
    long.timing.lead = Some(20 * MINUTE);
    let (auth, _) = with_provider(vec![long, token("b", HOUR)]);
    run_for(&auth, 41 * MINUTE).await;
    assert_eq!(access_token(&auth, "a"), "at-1-a");
    assert_eq!(
        access_token(&auth, "b"),
        "at-0-b",
        "the executor's lead is 5 minutes"
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
    assert_eq!(listed, [id("a"), id("b")], "sorted by id");
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
    open.settle(transient_failure(), at(Duration::ZERO), None);
    assert_eq!(listener.labels(), ["result"]);
    let view = auth.get(&id("a")).unwrap();
    assert!(
        view.status.last_failure.is_none(),
        "a new credential with the same id has no failure"
    );
    assert_eq!(auth.lease_counts().open, 0);
}

#[tokio::test(start_paused = true)]
async fn cliproxyapi_compat_1_14_refreshes_due_tokens_at_start() {
    let (auth, provider) = with_provider(vec![token("a", MINUTE), token("b", 10 * HOUR)]);
    run_for(&auth, Duration::from_secs(2)).await;
    assert_eq!(provider.calls(), 1);
    assert_eq!(access_token(&auth, "a"), "at-1-a");
}

#[tokio::test(start_paused = true)]
async fn cliproxyapi_compat_1_14_stops_refreshing_when_background_stops() {
    let (auth, provider) = with_provider(vec![token("a", HOUR)]);
    run_for(&auth, MINUTE).await;
    tokio::time::sleep(2 * HOUR).await;
    assert_eq!(provider.calls(), 0);
    run_for(&auth, 2 * MINUTE).await;
    assert_eq!(provider.calls(), 1, "it continues after a restart");
}

#[tokio::test(start_paused = true)]
async fn cliproxyapi_compat_1_14_successful_refresh_is_recorded_and_emitted() {
    let (auth, provider) = with_provider(vec![token("a", HOUR)]);
    let down = RefreshError::Failed("status 503".into());
    provider.failures.lock().push_back(down);
    assert!(auth.refresh(&id("a"), 1).await.is_err());
    assert_eq!(auth.get(&id("a")).unwrap().refresh.failures, 1);
    let listener = LabelRecorder::on(&auth);
    auth.refresh(&id("a"), 1).await.unwrap();
    let refresh = auth.get(&id("a")).unwrap().refresh;
    assert_eq!(refresh.refreshed_at, Some(at(Duration::from_secs(2))));
    // The provider reported no expiry, so the lead counts from the last refresh; the backoff is over.
    assert_eq!(refresh.due_at, Some(at(Duration::from_secs(302))));
    assert_eq!((refresh.failures, refresh.running), (0, false));
    assert_eq!(listener.labels(), ["refresh"]);
}

#[tokio::test(start_paused = true)]
async fn cliproxyapi_compat_1_14_does_not_refresh_without_lead_and_interval() {
    struct NoLead(Arc<Provider>);
    impl Refresher for NoLead {
        fn refresh(&self, job: RefreshJob) -> BoxFuture<'_, Result<TokenPatch, RefreshError>> {
            self.0.refresh(job)
        }

        fn lead(&self, _: &ProviderName) -> Option<Duration> {
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
    // A refresh on demand works all the same.
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
    // In CLIProxyAPI only a success or a new registration ends it, so some models never recover.
    let auth = manager(vec![token("a", HOUR)], &Arc::default());
    lease(&auth, "a").settle(transient_failure(), at(Duration::ZERO), None);
    let query = CandidateQuery::first_round("gpt");
    assert!(
        auth.candidates(&query, at(Duration::from_millis(999)))
            .is_err()
    );
    assert!(auth.candidates(&query, at(Duration::from_secs(1))).is_ok());
}

#[tokio::test(start_paused = true)]
async fn cliproxyapi_compat_1_17_providers_of_a_model_are_sorted_and_unique() {
    // CLIProxyAPI sorts them by their number of credentials. Here providers have no order: the pool
    // selects among the credentials of all of them.
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
