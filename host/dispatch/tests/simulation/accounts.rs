//! The token endpoint, which accepts each refresh token once, and a store that fails at times.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jackfield_auth::{
    BoxFuture, PolicyQuery, RefreshError, RefreshJob, Refresher, Store, StoreError,
    StoredCredential, TokenPatch,
};
use jackfield_credential::{CredentialId, CredentialKind, HealthRecord, ModelKey, ProviderName};
use parking_lot::Mutex;
use secrecy::{ExposeSecret, SecretString};
use tokio::time::sleep;

use super::world::{Account, State, World};

/// The number of the first secret of the first account with a name; the next account's is twice
/// that, and so on.
pub(super) const SECRETS_PER_LOGIN: u64 = 1000;

/// The shortest life of an access token, in milliseconds. A refresh takes up to 3 s, so calls wait for some.
pub(super) const TOKEN_MS_MIN: u64 = 5 * 1000;

/// The longest life of an access token, in milliseconds: 10 minutes.
pub(super) const TOKEN_MS_MAX: u64 = 10 * 60 * 1000;

/// How long before expiry a token is refreshed: some tokens live longer, and some less.
const LEAD: Duration = Duration::from_mins(2);

/// Percentage of refreshes that fail without an effect.
const REFRESH_FAILURES: u32 = 15;

/// The world as a token endpoint: each refresh token is valid once.
pub(super) struct TokenEndpoint(pub(super) Arc<World>);

impl Refresher for TokenEndpoint {
    fn refresh(&self, job: RefreshJob) -> BoxFuture<'_, Result<TokenPatch, RefreshError>> {
        Box::pin(async move {
            let world = &self.0;
            let id = job.credential.id.to_string();
            let number = |name: &str| -> u64 {
                let secret = job.secrets.get(name).unwrap().expose_secret();
                secret.rsplit('-').next().unwrap().parse().unwrap()
            };
            let (token, login) = (
                number("refresh-token"),
                number("api-key") / SECRETS_PER_LOGIN,
            );
            if !world.lock().refreshing.insert((id.clone(), login)) {
                world.report_violation(format!("{id} is refreshed twice at once"));
            }
            sleep(Duration::from_millis(world.random(50..3000))).await;
            let result = world.issue_tokens(&id, token, login);
            sleep(Duration::from_millis(world.random(0..200))).await;
            world.lock().refreshing.remove(&(id, login));
            result
        })
    }

    fn lead(&self, _: &ProviderName) -> Option<Duration> {
        Some(LEAD)
    }

    fn has_refresh_policy(&self, provider: &ProviderName) -> bool {
        provider.as_str() != "p0"
    }

    fn should_refresh(&self, question: PolicyQuery) -> BoxFuture<'_, Option<bool>> {
        Box::pin(async move {
            let world = &self.0;
            let about = &question.credential;
            if about.kind != CredentialKind::Oauth {
                world.report_violation(format!("a policy check of {}, a key", about.id));
            }
            sleep(Duration::from_millis(world.random(0..50))).await;
            let opinions = [None, None, Some(false), Some(true)];
            let drawn = world.random(0..opinions.len() as u64);
            opinions[usize::try_from(drawn).unwrap()]
        })
    }
}

impl World {
    fn issue_tokens(&self, id: &str, token: u64, login: u64) -> Result<TokenPatch, RefreshError> {
        if self.chance(REFRESH_FAILURES) {
            return Err(RefreshError::Failed("down".into()));
        }
        let now = self.now();
        let known = {
            let mut state = self.lock();
            let account = state.account_of_login(id, login);
            account.map(|account| account.refresh_token)
        };
        let Some(known) = known else {
            // The account was removed meanwhile: its new tokens belong to no account.
            return Ok(TokenPatch {
                secrets: secrets(id, login * SECRETS_PER_LOGIN + SECRETS_PER_LOGIN - 1, 0),
                expires_at: None,
            });
        };
        if known != token {
            self.report_violation(format!(
                "{id} is refreshed with the token {token}, which was used before"
            ));
        }
        let life = self.random(TOKEN_MS_MIN..TOKEN_MS_MAX);
        let mut state = self.lock();
        let account = state
            .account_of_login(id, login)
            .ok_or(RefreshError::NotFound)?;
        account.refresh_token += 1;
        account.secret += 1;
        account.expires_at = now + life;
        Ok(TokenPatch {
            secrets: secrets(id, account.secret, account.refresh_token),
            expires_at: Some(World::timestamp(account.expires_at)),
        })
    }
}

impl State {
    /// Returns the account with tokens of this source, even if no configuration has it now: the
    /// tokens are still valid.
    fn account_of_login(&mut self, id: &str, login: u64) -> Option<&mut Account> {
        let known = self.accounts.get_mut(id).into_iter();
        let known = known.chain(self.retired.get_mut(id));
        let mut known = known.filter(|account| account.source.secret / SECRETS_PER_LOGIN == login);
        known.next()
    }
}

impl Account {
    /// True if the stored tokens would not work after a restart.
    pub(super) fn has_lost_tokens(&self, stored: Option<(u64, u64)>) -> bool {
        let ours = stored.filter(|(secret, _)| {
            secret / SECRETS_PER_LOGIN == self.source.secret / SECRETS_PER_LOGIN
        });
        let token = ours.map_or(self.source.refresh_token, |(_, token)| token);
        token != self.refresh_token
    }
}

/// Returns the secrets of an account by the executor's names for them.
pub(super) fn secrets(id: &str, secret: u64, refresh: u64) -> BTreeMap<String, SecretString> {
    BTreeMap::from([
        ("api-key".to_owned(), format!("sk-of-{id}-{secret}").into()),
        ("refresh-token".to_owned(), refresh.to_string().into()),
    ])
}

/// Percentage of writes that fail while the disk is bad.
const WRITE_FAILURES: u32 = 40;

/// A store in memory whose disk is bad half of the time.
pub(super) struct UnreliableStore {
    world: Arc<World>,
    records: Mutex<BTreeMap<CredentialId, StoredCredential>>,
    health: Mutex<BTreeMap<(CredentialId, Option<ModelKey>), HealthRecord>>,
}

impl UnreliableStore {
    pub(super) fn new(world: &Arc<World>) -> Self {
        Self {
            world: Arc::clone(world),
            records: Mutex::default(),
            health: Mutex::default(),
        }
    }

    /// Returns the numbers of the stored secret and refresh token.
    pub(super) fn tokens(&self, id: &str) -> Option<(u64, u64)> {
        let records = self.records.lock();
        let secrets = &records
            .get(&CredentialId::new(id))?
            .tokens
            .as_ref()?
            .secrets;
        let number = |name: &str| {
            let secret = secrets.get(name)?.expose_secret();
            secret.rsplit('-').next()?.parse().ok()
        };
        Some((number("api-key")?, number("refresh-token")?))
    }

    async fn simulate_write(&self) -> Result<(), StoreError> {
        sleep(Duration::from_millis(self.world.random(1..40))).await;
        // Bad in every other quarter of an hour, but not at the end.
        let bad = self.world.now() / (15 * 60 * 1000) % 2 == 1;
        if bad && self.world.chance(WRITE_FAILURES) {
            return Err(StoreError::Failed("a bad disk".to_owned()));
        }
        Ok(())
    }
}

impl std::fmt::Debug for UnreliableStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Disk")
    }
}

impl Store for UnreliableStore {
    fn list(&self) -> BoxFuture<'_, Result<Vec<StoredCredential>, StoreError>> {
        Box::pin(async { Ok(self.records.lock().values().cloned().collect()) })
    }

    fn save(
        &self,
        record: StoredCredential,
        expected: Option<u64>,
    ) -> BoxFuture<'_, Result<u64, StoreError>> {
        Box::pin(async move {
            self.simulate_write().await?;
            let mut records = self.records.lock();
            let known = records.get(&record.id).map(|known| known.version);
            if known != expected {
                return Err(StoreError::Conflict);
            }
            let version = known.unwrap_or(0) + 1;
            records.insert(record.id.clone(), StoredCredential { version, ..record });
            Ok(version)
        })
    }

    fn delete(&self, id: CredentialId) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            self.simulate_write().await?;
            self.records.lock().remove(&id);
            self.health.lock().retain(|(of, _), _| *of != id);
            Ok(())
        })
    }

    fn list_health(&self) -> BoxFuture<'_, Result<Vec<HealthRecord>, StoreError>> {
        Box::pin(async { Ok(self.health.lock().values().cloned().collect()) })
    }

    fn save_health(&self, changed: Vec<HealthRecord>) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            self.simulate_write().await?;
            let mut health = self.health.lock();
            for record in changed {
                let key = (record.credential.clone(), record.model.clone());
                health.insert(key, record);
            }
            Ok(())
        })
    }
}
