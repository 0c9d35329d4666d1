//! A store in memory, a provider that issues tokens, a clock that follows tokio's, and shorthands.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use jackfield_auth::{
    AuthManager, AuthParts, BoxFuture, Clock, Lease, RefreshError, RefreshJob, Refresher,
    Registration, Store, StoreError, StoredCredential, TokenPatch,
};
use jackfield_credential::{
    CandidateQuery, Credential, CredentialId, CredentialKind, Failure, Health, HealthRecord,
    ModelKey, Outcome, ProviderName, Scope, Served, Timestamp, kind,
};
use parking_lot::Mutex;
use secrecy::{ExposeSecret, SecretString};
use tokio::time::{Instant, sleep, timeout};

pub(crate) const MINUTE: Duration = Duration::from_secs(60);

pub(crate) const HOUR: Duration = Duration::from_secs(3600);

/// When the tests begin, in milliseconds since the Unix epoch.
pub(crate) const BEGIN: u64 = 1_780_000_000_000;

/// Returns a clock that follows tokio's.
pub(crate) fn clock() -> Clock {
    let begin = Instant::now();
    Arc::new(move || at(begin.elapsed()))
}

/// Returns the time `after` the beginning.
pub(crate) fn at(after: Duration) -> Timestamp {
    Timestamp::from_millis(BEGIN) + after
}

pub(crate) fn id(text: &str) -> CredentialId {
    CredentialId::from(text)
}

/// Returns a manager with these credentials and this store.
pub(crate) fn manager(registrations: Vec<Registration>, store: &Arc<MemoryStore>) -> AuthManager {
    let store: Arc<dyn Store> = Arc::<MemoryStore>::clone(store);
    AuthManager::new(AuthParts {
        store: Some(store),
        ..AuthParts::new(registrations, clock())
    })
    .unwrap()
}

/// Returns a manager with these credentials and a provider that refreshes them.
pub(crate) fn with_provider(registrations: Vec<Registration>) -> (AuthManager, Arc<Provider>) {
    let auth = manager(registrations, &Arc::default());
    let provider = Provider::new();
    auth.set_refresher(Arc::<Provider>::clone(&provider) as Arc<dyn Refresher>);
    (auth, provider)
}

/// Runs the background tasks for this time.
pub(crate) async fn run_for(auth: &AuthManager, time: Duration) {
    let _ = timeout(time, auth.run()).await;
}

/// Returns a credential whose token expires after this time, and is refreshed five minutes before.
pub(crate) fn token(id: &str, expires_after: Duration) -> Registration {
    let credential = Credential {
        kind: CredentialKind::Oauth,
        serves: vec![Served::new("upstream", vec!["gpt".into()])],
        ..Credential::new(id, "acme", "http://127.0.0.1:1")
    };
    let secret = |text: String| SecretString::from(text);
    let secrets = BTreeMap::from([
        ("access-token".to_owned(), secret(format!("at-0-{id}"))),
        ("refresh-token".to_owned(), secret(format!("rt-0-{id}"))),
    ]);
    Registration {
        expires_at: Some(at(expires_after)),
        ..Registration::new(credential, secrets)
    }
}

/// Returns the access token that a lease taken now would send.
pub(crate) fn access_token(manager: &AuthManager, id: &str) -> String {
    secret(manager, id, "access-token")
}

/// Returns a secret of this credential, which must be available.
pub(crate) fn secret(manager: &AuthManager, id: &str, name: &str) -> String {
    let lease = lease(manager, id);
    lease.secret(name).unwrap().expose_secret().to_owned()
}

/// Takes a lease on this credential, which must be available.
pub(crate) fn lease(manager: &AuthManager, id: &str) -> Lease {
    lease_at(manager, id, at(Duration::ZERO))
}

/// The same at this time.
pub(crate) fn lease_at(manager: &AuthManager, id: &str, now: Timestamp) -> Lease {
    let query = CandidateQuery::first_round("gpt");
    let set = manager.candidates(&query, now).unwrap();
    let index = (0..set.len()).find(|&index| {
        set.credential(index)
            .is_some_and(|found| found.id.as_str() == id)
    });
    manager.lease(&set, index.unwrap(), now).unwrap()
}

/// Returns a failure with the provider's status 500.
pub(crate) fn transient_failure() -> Outcome {
    failure(Scope::Model, kind::TRANSIENT, 500)
}

/// Returns a failure of this scope and kind, with the provider's status.
pub(crate) fn failure(scope: Scope, kind: &'static str, status: u16) -> Outcome {
    Outcome::Failed(Failure {
        scope,
        kind: kind.into(),
        status: Some(status),
        message: "out of order".to_owned(),
        retry_after: None,
        refresh_suggested: false,
        sent: true,
    })
}

/// Stores everything in memory. The fields make it slow, or make it fail.
#[derive(Debug, Default)]
pub(crate) struct MemoryStore {
    pub(crate) records: Mutex<BTreeMap<CredentialId, StoredCredential>>,
    pub(crate) health: Mutex<BTreeMap<(CredentialId, Option<ModelKey>), HealthRecord>>,
    /// How many writes fail from now on.
    pub(crate) failures: Mutex<u32>,
    /// How long each write takes.
    pub(crate) takes: Mutex<Duration>,
    /// How many times health was written.
    pub(crate) health_writes: Mutex<u32>,
    /// True if reads fail.
    pub(crate) unreadable: Mutex<bool>,
}

impl MemoryStore {
    async fn write(&self) -> Result<(), StoreError> {
        let takes = *self.takes.lock();
        sleep(takes).await;
        let mut failures = self.failures.lock();
        if *failures > 0 {
            *failures -= 1;
            return Err(StoreError::Failed("the disk is full".to_owned()));
        }
        Ok(())
    }
}

impl Store for MemoryStore {
    fn list(&self) -> BoxFuture<'_, Result<Vec<StoredCredential>, StoreError>> {
        Box::pin(async {
            if *self.unreadable.lock() {
                return Err(StoreError::Failed("the disk is gone".to_owned()));
            }
            Ok(self.records.lock().values().cloned().collect())
        })
    }

    fn save(
        &self,
        mut record: StoredCredential,
        expected: Option<u64>,
    ) -> BoxFuture<'_, Result<u64, StoreError>> {
        Box::pin(async move {
            self.write().await?;
            let mut records = self.records.lock();
            if records.get(&record.id).map(|known| known.version) != expected {
                return Err(StoreError::Conflict);
            }
            record.version = expected.unwrap_or(0) + 1;
            let version = record.version;
            records.insert(record.id.clone(), record);
            Ok(version)
        })
    }

    fn delete(&self, id: CredentialId) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            self.write().await?;
            self.records.lock().remove(&id);
            self.health.lock().retain(|(known, _), _| *known != id);
            Ok(())
        })
    }

    fn list_health(&self) -> BoxFuture<'_, Result<Vec<HealthRecord>, StoreError>> {
        Box::pin(async {
            let health = self.health.lock();
            Ok(health.values().cloned().collect())
        })
    }

    fn save_health(&self, records: Vec<HealthRecord>) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            self.write().await?;
            *self.health_writes.lock() += 1;
            let mut health = self.health.lock();
            for record in records {
                let key = (record.credential.clone(), record.model.clone());
                if record.health == Health::Ready {
                    health.remove(&key);
                } else {
                    health.insert(key, record);
                }
            }
            Ok(())
        })
    }
}

/// Issues tokens. A refresh token is valid once, as with a provider that rotates them.
pub(crate) struct Provider {
    /// How long a refresh takes.
    pub(crate) takes: Duration,
    /// The life of the tokens that it reports.
    pub(crate) life: Mutex<Option<Duration>>,
    /// When refreshes began, in order.
    pub(crate) began: Mutex<Vec<Timestamp>>,
    clock: Clock,
    /// Errors for the next refreshes, first to last.
    pub(crate) failures: Mutex<VecDeque<RefreshError>>,
    /// The refresh tokens that it received, in order.
    pub(crate) seen: Mutex<Vec<String>>,
    /// Refreshes in progress, now and at most.
    pub(crate) concurrency: Mutex<Concurrency>,
}

/// How many operations are in progress, and the most that ever were.
#[derive(Debug, Default)]
pub(crate) struct Concurrency {
    pub(crate) now: usize,
    pub(crate) most: usize,
}

impl Concurrency {
    pub(crate) fn enter(&mut self) {
        self.now += 1;
        self.most = self.most.max(self.now);
    }
}

impl Provider {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            takes: Duration::from_secs(1),
            life: Mutex::default(),
            began: Mutex::default(),
            clock: clock(),
            failures: Mutex::default(),
            seen: Mutex::default(),
            concurrency: Mutex::default(),
        })
    }

    pub(crate) fn calls(&self) -> usize {
        self.seen.lock().len()
    }
}

impl Refresher for Provider {
    fn refresh(&self, job: RefreshJob) -> BoxFuture<'_, Result<TokenPatch, RefreshError>> {
        Box::pin(async move {
            self.began.lock().push((self.clock)());
            let presented = job.secrets["refresh-token"].expose_secret().to_owned();
            let number = {
                let mut seen = self.seen.lock();
                if seen.contains(&presented) {
                    return Err(RefreshError::Rejected("a token was used twice".into()));
                }
                seen.push(presented);
                seen.len()
            };
            self.concurrency.lock().enter();
            sleep(self.takes).await;
            self.concurrency.lock().now -= 1;
            if let Some(failure) = self.failures.lock().pop_front() {
                self.seen.lock().pop();
                return Err(failure);
            }
            let id = &job.credential.id;
            let secrets = BTreeMap::from([
                (
                    "access-token".to_owned(),
                    format!("at-{number}-{id}").into(),
                ),
                (
                    "refresh-token".to_owned(),
                    format!("rt-{number}-{id}").into(),
                ),
            ]);
            let life = *self.life.lock();
            Ok(TokenPatch {
                secrets,
                expires_at: life.map(|life| (self.clock)() + life),
            })
        })
    }

    fn lead(&self, _: &ProviderName) -> Option<Duration> {
        Some(Duration::from_secs(300))
    }
}
