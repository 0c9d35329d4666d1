//! A store in memory, a provider that hands out tokens, and a clock that follows tokio's.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use jackfield_auth::{
    AuthManager, AuthParts, BoxFuture, Clock, RefreshError, RefreshJob, Refresher, Registration,
    Store, StoreError, StoredCredential, TokenPatch,
};
use jackfield_credential::{
    Credential, CredentialId, CredentialKind, Health, HealthRecord, ModelKey, ProviderName, Served,
    Timestamp,
};
use parking_lot::Mutex;
use secrecy::{ExposeSecret, SecretString};
use tokio::time::{Instant, sleep};

/// When the tests begin, in milliseconds since the Unix epoch.
pub(crate) const BEGIN: u64 = 1_780_000_000_000;

/// A clock that moves with tokio's.
pub(crate) fn clock() -> Clock {
    let begin = Instant::now();
    Arc::new(move || at(begin.elapsed()))
}

/// So long after the beginning.
pub(crate) fn at(after: Duration) -> Timestamp {
    Timestamp::from_millis(BEGIN) + after
}

/// A manager of these, with this store.
pub(crate) fn manager(registrations: Vec<Registration>, store: &Arc<MemoryStore>) -> AuthManager {
    let store: Arc<dyn Store> = Arc::<MemoryStore>::clone(store);
    AuthManager::new(AuthParts {
        store: Some(store),
        ..AuthParts::new(registrations, clock())
    })
    .unwrap()
}

/// A credential with a token that ends after so long, and is renewed five minutes before.
pub(crate) fn token(id: &str, ends: Duration) -> Registration {
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
        expires_at: Some(at(ends)),
        ..Registration::new(credential, secrets)
    }
}

/// What a lease taken now would send.
pub(crate) fn access_token(manager: &AuthManager, id: &str) -> String {
    secret(manager, id, "access-token")
}

/// A secret of the one credential that is fit and has this id.
pub(crate) fn secret(manager: &AuthManager, id: &str, name: &str) -> String {
    let lease = lease(manager, id);
    lease.secret(name).unwrap().expose_secret().to_owned()
}

/// A lease on this credential, which must be fit.
pub(crate) fn lease(manager: &AuthManager, id: &str) -> jackfield_auth::Lease {
    let now = at(Duration::ZERO);
    let query = jackfield_credential::CandidateQuery::first_round("gpt");
    let set = manager.candidates(&query, now).unwrap();
    let index = (0..set.len()).find(|&index| {
        set.credential(index)
            .is_some_and(|found| found.id.as_str() == id)
    });
    manager.lease(&set, index.unwrap(), now).unwrap()
}

/// Keeps everything in memory, and does as it is told.
#[derive(Debug, Default)]
pub(crate) struct MemoryStore {
    pub(crate) records: Mutex<BTreeMap<CredentialId, StoredCredential>>,
    pub(crate) health: Mutex<BTreeMap<(CredentialId, Option<ModelKey>), Health>>,
    /// So many writes fail, from now on.
    pub(crate) failures: Mutex<u32>,
    /// How long each write takes.
    pub(crate) takes: Mutex<Duration>,
    /// How often health was written.
    pub(crate) health_writes: Mutex<u32>,
    /// Whether reading fails.
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
            let record =
                |((credential, model), health): (&(CredentialId, _), &Health)| HealthRecord {
                    credential: credential.clone(),
                    model: Option::clone(model),
                    health: health.clone(),
                };
            Ok(health.iter().map(record).collect())
        })
    }

    fn save_health(&self, records: Vec<HealthRecord>) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            self.write().await?;
            *self.health_writes.lock() += 1;
            let mut health = self.health.lock();
            for record in records {
                let key = (record.credential, record.model);
                if record.health == Health::Ready {
                    health.remove(&key);
                } else {
                    health.insert(key, record.health);
                }
            }
            Ok(())
        })
    }
}

/// Hands out tokens: the refresh token is good once, as with a provider that rotates them.
pub(crate) struct Provider {
    /// How long a refresh takes.
    pub(crate) takes: Duration,
    /// What it says instead, first to last.
    pub(crate) failures: Mutex<VecDeque<RefreshError>>,
    /// The refresh tokens that it saw, in order.
    pub(crate) seen: Mutex<Vec<String>>,
    /// The most refreshes that were under way at once.
    pub(crate) busiest: Mutex<(usize, usize)>,
}

impl Provider {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            takes: Duration::from_secs(1),
            failures: Mutex::default(),
            seen: Mutex::default(),
            busiest: Mutex::default(),
        })
    }

    pub(crate) fn calls(&self) -> usize {
        self.seen.lock().len()
    }
}

impl Refresher for Provider {
    fn refresh(&self, job: RefreshJob) -> BoxFuture<'_, Result<TokenPatch, RefreshError>> {
        Box::pin(async move {
            let presented = job.secrets["refresh-token"].expose_secret().to_owned();
            let number = {
                let mut seen = self.seen.lock();
                if seen.contains(&presented) {
                    return Err(RefreshError::Rejected("a token was used twice".to_owned()));
                }
                seen.push(presented);
                seen.len()
            };
            {
                let mut busiest = self.busiest.lock();
                busiest.0 += 1;
                busiest.1 = busiest.1.max(busiest.0);
            }
            sleep(self.takes).await;
            self.busiest.lock().0 -= 1;
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
            Ok(TokenPatch {
                secrets,
                expires_at: None,
            })
        })
    }

    fn lead(&self, _: &ProviderName) -> Option<Duration> {
        Some(Duration::from_secs(300))
    }
}
