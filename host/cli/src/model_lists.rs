//! Asks providers for their lists of models, and makes their credentials serve what they list. The last lists are in a
//! file of the data folder, so that a restart serves them at once.

mod cache;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jackfield_config::{Config, ListedModels};
use jackfield_credential::{Availability, CredentialId, ProviderName};
use jackfield_dispatch::Dispatcher;
use tokio::time::{Instant, sleep};

use crate::reload::Reload;
pub(crate) use cache::ListCache;

/// Keeps the lists of models current.
pub(crate) struct ModelLists {
    dispatcher: Arc<Dispatcher>,
    reload: Arc<Reload>,
    cache: ListCache,
}

/// When a provider is asked next.
struct Schedule {
    next: Instant,
    /// Failures since the last list.
    failures: u32,
}

impl ModelLists {
    /// Sends requests by the dispatcher, and applies the lists by the reload.
    pub(crate) fn new(dispatcher: &Arc<Dispatcher>, reload: &Arc<Reload>) -> Self {
        Self {
            dispatcher: Arc::clone(dispatcher),
            reload: Arc::clone(reload),
            cache: ListCache::new(reload.catalog.load().config()),
        }
    }

    /// Asks each provider when it is due. Does not end.
    pub(crate) async fn run(&self) {
        let mut schedules: BTreeMap<ProviderName, Schedule> = BTreeMap::new();
        loop {
            let config = Arc::clone(self.reload.catalog.load().config());
            let discovers = |name: &ProviderName| {
                let mut providers = config.providers.iter();
                providers.any(|provider| provider.name == *name && provider.discovery.is_some())
            };
            schedules.retain(|name, _| discovers(name));
            self.query_due(&config, &mut schedules).await;
            // A reload may have changed what is due.
            sleep(CHECK_INTERVAL).await;
        }
    }

    /// Asks the providers that are due, and applies what they list.
    async fn query_due(&self, config: &Config, schedules: &mut BTreeMap<ProviderName, Schedule>) {
        let mut found = ListedModels::new();
        for provider in &config.providers {
            let Some(discovery) = &provider.discovery else {
                continue;
            };
            let now = Instant::now();
            let schedule = schedules.entry(provider.name.clone()).or_insert(Schedule {
                next: now,
                failures: 0,
            });
            if schedule.next > now {
                continue;
            }
            match self.query(&provider.name).await {
                Ok(models) => {
                    *schedule = Schedule {
                        next: Instant::now() + discovery.interval,
                        failures: 0,
                    };
                    found.insert(provider.name.clone(), models);
                }
                Err(why) => {
                    let doubled = RETRY_MIN * 2_u32.saturating_pow(schedule.failures.min(16));
                    schedule.next = Instant::now() + doubled.min(discovery.interval);
                    schedule.failures = schedule.failures.saturating_add(1);
                    log_failure(&provider.name, &why, schedule.failures);
                }
            }
        }
        // A provider that is asked no longer, or has left the configuration, has no list.
        let known = self.reload.listed.load_full();
        let mut lists = known.iter();
        if found.is_empty() && lists.all(|(name, _)| schedules.contains_key(name)) {
            return;
        }
        let mut listed = ListedModels::clone(&known);
        listed.retain(|name, _| schedules.contains_key(name));
        listed.extend(found);
        if listed != *known {
            self.apply(listed).await;
        }
    }

    async fn apply(&self, listed: ListedModels) {
        let counts = listed
            .iter()
            .map(|(name, models)| format!("{name}: {}", models.len()));
        let counts: Vec<String> = counts.collect();
        match self.reload.apply_listed_models(listed.clone()).await {
            Ok(()) => tracing::info!(models = counts.join(", "), "lists of models applied"),
            Err(error) => tracing::warn!(%error, "lists of models not applied"),
        }
        self.cache.save(&listed).await;
    }

    /// Asks with one credential after the other, those first that are available.
    async fn query(&self, provider: &ProviderName) -> Result<Vec<Arc<str>>, String> {
        let auth = self.dispatcher.auth();
        let now = self.dispatcher.clock().now();
        let of_provider = auth.status(now).into_iter();
        let of_provider = of_provider.filter(|one| one.provider == *provider && one.enabled);
        let mut ids: Vec<(bool, CredentialId)> = of_provider
            .map(|one| {
                let is_ready = one.account.availability == Availability::Ready;
                (!is_ready, one.id)
            })
            .collect();
        ids.sort();
        let mut error = "it has no credential that is enabled".to_owned();
        for (_, id) in ids.iter().take(CREDENTIALS_MAX) {
            match self.dispatcher.list_models(id).await {
                Ok(models) => return Ok(models.into_iter().map(Arc::from).collect()),
                Err(why) => error = format!("with {id}: {why}"),
            }
        }
        Err(error)
    }
}

/// The first failures may be a start: plugins are compiled, or accounts log in. The third one is worth a look.
fn log_failure(provider: &ProviderName, why: &str, failures: u32) {
    match failures {
        3 => tracing::warn!(%provider, why, "provider lists no models"),
        _ => tracing::debug!(%provider, why, failures, "provider lists no models"),
    }
}

/// How often it is looked for what is due. Few people notice a second.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// The wait after the first failure. It doubles with each, up to the interval.
const RETRY_MIN: Duration = Duration::from_secs(2);

/// The most credentials that are asked. If three fail, the next one will, too.
const CREDENTIALS_MAX: usize = 3;
