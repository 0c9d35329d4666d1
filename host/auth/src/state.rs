//! The state under the manager's lock: the pool, the accounts, and what is to be done about them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use jackfield_credential::{
    Credential, CredentialId, DueQueue, Health, HealthChange, ModelKey, Pool, ProviderName,
    Timestamp,
};
use tokio::sync::Semaphore;

use crate::account::Account;
use crate::id_map::IdMap;
use crate::lease_counts::LeaseCounts;
use crate::limits::REFRESHES_PER_PROVIDER_MAX;
use crate::port::Refresher;
use crate::registration::Registration;

pub(crate) struct State {
    pub(crate) pool: Pool,
    pub(crate) accounts: IdMap<Account>,
    /// Accounts removed by a reload whose refresh or save is still pending. Disjoint from
    /// `accounts`. They are kept because the provider may have revoked the old tokens, and because
    /// the operator's setting is not saved yet.
    retiring: IdMap<Account>,
    pub(crate) leases: LeaseCounts,
    pub(crate) refresher: Option<Arc<dyn Refresher>>,
    /// When each credential's next refresh is due.
    pub(crate) queue: DueQueue,
    /// When each credential's next policy check is due.
    pub(crate) policy_checks: DueQueue,
    /// Limits concurrent refreshes per provider.
    refresh_permits: HashMap<ProviderName, Arc<Semaphore>>,
    /// Changed health that is not saved yet: at most one entry per account and model.
    pub(crate) dirty: BTreeMap<(CredentialId, Option<ModelKey>), Health>,
    /// Credentials whose last save failed. The next flush repeats it.
    pub(crate) unsaved: BTreeSet<CredentialId>,
    /// Health changes to emit when the lock is released.
    pub(crate) pending_events: Vec<HealthChange>,
    /// True if capacity became free, so that a waiting call may be woken.
    pub(crate) capacity_freed: bool,
    /// True if calls that wait for a cooldown may be able to go on.
    pub(crate) cooldown_changed: bool,
    /// Jitter for refreshes. Seeded, so that a simulation can be repeated.
    jitter: fastrand::Rng,
    /// The last incarnation number given to an account.
    last_incarnation: u64,
    /// The number of the present configuration; 0 is the first.
    pub(crate) configuration: u64,
}

impl State {
    pub(crate) fn new(pool: Pool, seed: u64) -> Self {
        Self {
            pool,
            accounts: IdMap::default(),
            retiring: IdMap::default(),
            leases: LeaseCounts::default(),
            refresher: None,
            queue: DueQueue::default(),
            policy_checks: DueQueue::default(),
            refresh_permits: HashMap::new(),
            dirty: BTreeMap::new(),
            unsaved: BTreeSet::new(),
            pending_events: Vec::new(),
            capacity_freed: false,
            cooldown_changed: false,
            jitter: fastrand::Rng::with_seed(seed),
            last_incarnation: 0,
            configuration: 0,
        }
    }

    /// Adds the account of a credential that is new in the pool.
    pub(crate) fn add_account(&mut self, registration: &Registration, now: Timestamp) {
        self.last_incarnation += 1;
        let account = Account::new(registration, now, self.last_incarnation);
        let id = registration.credential.id.clone();
        // A refresh of the earlier account finds another incarnation, and its tokens are discarded.
        self.retiring.remove(&id);
        self.accounts.insert(id, account);
    }

    /// Removes an account. It moves to `retiring` while its refresh or save is pending.
    pub(crate) fn retire(&mut self, id: &CredentialId) {
        if let Some(account) = self.accounts.remove(id)
            && (account.refresh.running.is_some() || self.unsaved.contains(id))
        {
            self.retiring.insert(id.clone(), account);
        }
    }

    /// Returns the account of this id, including a retiring one.
    pub(crate) fn find_account(&self, id: &CredentialId) -> Option<&Account> {
        self.accounts.get(id).or_else(|| self.retiring.get(id))
    }

    /// Moves a retiring account back, and returns it if there was one.
    pub(crate) fn revive(&mut self, id: &CredentialId) -> Option<&mut Account> {
        let account = self.retiring.remove(id)?;
        Some(self.accounts.entry(id.clone()).or_insert(account))
    }

    /// Drops a retiring account once its refresh has ended and its record is saved.
    pub(crate) fn finish_retiring(&mut self, id: &CredentialId) {
        let account = self.retiring.get(id);
        let ended = account.is_some_and(|account| account.refresh.running.is_none());
        if ended && !self.unsaved.contains(id) {
            self.retiring.remove(id);
        }
    }

    /// Removes credentials from everything but the pool.
    pub(crate) fn remove(&mut self, ids: &[CredentialId]) {
        for id in ids {
            self.accounts.remove(id);
            self.queue.set(id, None);
            self.policy_checks.set(id, None);
            // A retiring account may have a setting of the operator that is not saved yet.
            if !self.retiring.contains_key(id) {
                self.unsaved.remove(id);
            }
            // The keys of one credential are neighbours, the account's first.
            let first = (id.clone(), None);
            let keys: Vec<_> = self
                .dirty
                .range(first..)
                .map(|(key, _)| key.clone())
                .take_while(|(credential, _)| credential == id)
                .collect();
            for key in keys {
                self.dirty.remove(&key);
            }
        }
    }

    /// Updates the names of secrets that executors see: a refresh may add secrets that the source does
    /// not have, such as the first access token.
    pub(crate) fn update_secret_fields(&mut self, ids: &[CredentialId]) {
        let changed = ids.iter().filter_map(|id| {
            let credential = self.pool.credential(self.pool.slot(id.as_str())?)?;
            let secrets = &self.accounts.get(id)?.tokens.secrets;
            if credential.secret_fields.iter().eq(secrets.keys()) {
                return None;
            }
            Some(Credential {
                secret_fields: secrets.keys().cloned().collect(),
                ..Credential::clone(credential)
            })
        });
        let changed: Vec<Credential> = changed.collect();
        if changed.is_empty() {
            return;
        }
        // They differ from valid ones in their secrets' names only.
        if let Err(error) = self.pool.upsert(changed) {
            tracing::error!(%error, "names of secrets not updated");
        }
    }

    /// Returns the account of this id, including a retiring one, if it has this incarnation.
    pub(crate) fn account(&mut self, id: &CredentialId, incarnation: u64) -> Option<&mut Account> {
        self.accounts
            .get_mut(id)
            .or_else(|| self.retiring.get_mut(id))
            .filter(|account| account.incarnation == incarnation)
    }

    /// Returns a credential with its account.
    pub(crate) fn of(&mut self, id: &CredentialId) -> Option<(Arc<Credential>, &mut Account)> {
        let slot = self.pool.slot(id.as_str())?;
        let credential = Arc::clone(self.pool.credential(slot)?);
        Some((credential, self.accounts.get_mut(id)?))
    }

    /// Returns the definitions of those of these credentials that are in the pool.
    pub(crate) fn definitions<'a>(
        &self,
        ids: impl IntoIterator<Item = &'a CredentialId>,
    ) -> BTreeMap<CredentialId, Arc<Credential>> {
        let known = ids.into_iter().filter_map(|id| {
            let credential = self.pool.credential(self.pool.slot(id.as_str())?)?;
            Some((id.clone(), Arc::clone(credential)))
        });
        known.collect()
    }

    pub(crate) fn refresh_permits(&mut self, provider: &ProviderName) -> Arc<Semaphore> {
        let permits = self
            .refresh_permits
            .entry(provider.clone())
            .or_insert_with(|| Arc::new(Semaphore::new(REFRESHES_PER_PROVIDER_MAX)));
        Arc::clone(permits)
    }

    /// Returns a random number, for jitter.
    pub(crate) fn next_random(&mut self) -> u64 {
        self.jitter.u64(..)
    }
}
