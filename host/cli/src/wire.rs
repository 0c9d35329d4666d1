//! From a configuration to live parts, wired together. The only place that decides who holds whom.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use arc_swap::ArcSwap;
use jackfield_auth::{AuthManager, AuthParts, Registration, Store};
use jackfield_credential::{BudgetPolicy, CooldownPolicy, PoolOptions, ProviderName};
use jackfield_dispatch::snapshot::{Provider, RetryPolicy, Routing, Snapshot, Timeouts};
use jackfield_dispatch::{
    AffinityKey, Clock, Condition, Dispatcher, DispatcherParts, Fallback, PlannedRefresher,
};
use jackfield_http::{Admin, Api, ClientKeys, HttpUpstream};
use jackfield_runtime::{Engine, Folder, Registry};
use jackfield_store::{Key, SqliteStore};

use crate::built_in::BUILT_IN;
use crate::catalog::Catalog;
use crate::config::{self, Config, FallbackOn, StoreKind};
use crate::files::CredentialFiles;
use crate::made::Maker;
use crate::plugins::RegistryAdmin;

/// Live parts, ready to be served.
pub(crate) struct Host {
    pub(crate) api: Arc<Api>,
    pub(crate) admin: Option<Arc<Admin>>,
    pub(crate) registry: Arc<Registry>,
    pub(crate) dispatcher: Arc<Dispatcher>,
    pub(crate) folder: Folder,
    pub(crate) files: Option<CredentialFiles>,
}

impl Host {
    /// Makes the live parts; the plugins are loaded when this returns.
    pub(crate) async fn new(config: &Config) -> Result<Self, String> {
        let engine = Engine::new(Some(&code_cache(config))).map_err(|error| told(&error))?;
        let registry = Arc::new(Registry::new(engine));
        let folder = Folder::load(&config.plugins, &BUILT_IN, Arc::clone(&registry));
        let folder = folder.await.map_err(|error| told(&error))?;
        let snapshot = Arc::new(ArcSwap::from_pointee(snapshot(config)));
        let clock = Clock::system();
        let catalog = Arc::new(Catalog::new(config));
        let maker = Maker::new(Arc::clone(&catalog), config);
        let mut files = CredentialFiles::of(config, &catalog)?;
        let mut registrations = catalog.registrations(config);
        registrations.extend(files.iter_mut().flat_map(CredentialFiles::registrations));
        let auth = auth(config, registrations, &clock)?;
        load(&auth, &maker).await?;
        publish_into(&registry, &snapshot, &auth);
        let upstream = Arc::new(HttpUpstream::new());
        auth.set_refresher(Arc::new(PlannedRefresher {
            snapshot: Arc::clone(&snapshot),
            upstream: Arc::<HttpUpstream>::clone(&upstream),
            clock: clock.clone(),
        }));
        let dispatcher = DispatcherParts {
            snapshot,
            auth,
            upstream,
            clock,
        };
        let dispatcher = Arc::new(Dispatcher::new(dispatcher));

        let keys = config
            .client_keys
            .iter()
            .map(|client| (client.name.as_str(), &client.key));
        let api = Arc::new(Api::new(Arc::clone(&dispatcher), ClientKeys::new(keys)));
        let admin = config.admin.as_ref().map(|admin| {
            let plugins = Box::new(RegistryAdmin(Arc::clone(&registry)));
            Arc::new(Admin::new(
                Arc::clone(&dispatcher),
                plugins,
                Box::new(maker),
                admin.token.clone(),
            ))
        });
        Ok(Self {
            api,
            admin,
            registry,
            dispatcher,
            folder,
            files,
        })
    }
}

fn auth(
    config: &Config,
    registrations: Vec<Registration>,
    clock: &Clock,
) -> Result<AuthManager, String> {
    let policy = CooldownPolicy {
        disable_cooling: config.disable_cooling,
        ..CooldownPolicy::default()
    };
    let in_flight_max = |provider: &config::Provider| {
        let name = ProviderName::from(provider.name.as_str());
        provider.max_in_flight.map(|most| (name, most))
    };
    let options = PoolOptions {
        policy,
        provider_in_flight_max: config.providers.iter().filter_map(in_flight_max).collect(),
        seed: clock.now().as_millis(),
    };
    let parts = AuthParts {
        options,
        store: store(config)?,
        ..AuthParts::new(registrations, clock.shared())
    };
    AuthManager::new(parts).map_err(|error| told(&error))
}

/// The store, opened; nobody waits for it yet.
fn store(config: &Config) -> Result<Option<Arc<dyn Store>>, String> {
    if config.store == StoreKind::None {
        return Ok(None);
    }
    let key = match &config.encryption_key {
        Some(secret) => Key::from_secret(secret),
        None => Key::from_file(&config.data.join(KEY)).map_err(|error| told(&error))?,
    };
    let store = SqliteStore::open(&config.data, &key).map_err(|error| told(&error))?;
    Ok(Some(Arc::new(store)))
}

/// Brings back what was known before a restart.
async fn load(auth: &AuthManager, maker: &Maker) -> Result<(), String> {
    let loaded = auth.load(|stored| maker.again(stored)).await;
    let loaded = loaded.map_err(|error| format!("reading what was kept: {}", told(&error)))?;
    let jackfield_auth::Loaded {
        made,
        renewed,
        health,
    } = loaded;
    tracing::info!(made, renewed, health, "what was kept is back");
    Ok(())
}

/// The file of the key that secrets in the data folder are encrypted with.
const KEY: &str = "jackfield.key";

fn code_cache(config: &Config) -> PathBuf {
    config.data.join("cache").join("code")
}

/// Calls that begin after a change see it; those under way keep the snapshot that they have. Another
/// executor may want tokens renewed at another time.
fn publish_into(registry: &Registry, snapshot: &Arc<ArcSwap<Snapshot>>, auth: &AuthManager) {
    let (snapshot, auth) = (Arc::clone(snapshot), auth.clone());
    registry.on_change(Box::new(move |serving| {
        let mut next = Snapshot::clone(&snapshot.load());
        next.generation += 1;
        next.executors = serving.executors.clone();
        next.selectors = serving.selectors.clone();
        snapshot.store(Arc::new(next));
        auth.reschedule();
    }));
}

fn snapshot(config: &Config) -> Snapshot {
    let timeouts = &config.timeouts;
    Snapshot {
        providers: config.providers.iter().map(provider).collect(),
        routing: Routing {
            selector: config.routing.selector.as_str().into(),
            settings: config.routing.settings.as_str().into(),
            room_wait: config.routing.room_wait,
            affinity: affinity(config),
            fallbacks: fallbacks(config),
        },
        retry: RetryPolicy {
            rounds: config.retry.rounds,
            max_wait: config.retry.max_wait,
            max_credentials: config.retry.max_credentials,
            budget: BudgetPolicy {
                ratio_permille: config.retry.budget.ratio_permille,
                per_second: config.retry.budget.per_second,
                burst: config.retry.budget.burst,
            },
        },
        timeouts: Timeouts {
            connect: timeouts.connect,
            first_byte: timeouts.first_byte,
            idle: timeouts.idle,
            total: timeouts.total,
        },
        ..Snapshot::default()
    }
}

/// What stands in for the names that have such.
fn fallbacks(config: &Config) -> BTreeMap<Arc<str>, Vec<Fallback>> {
    let condition = |on: &FallbackOn| match on {
        FallbackOn::Cooling => Condition::Cooling,
        FallbackOn::Unavailable => Condition::Unavailable,
        FallbackOn::Failed => Condition::Failed,
        FallbackOn::ContextLength => Condition::ContextLength,
    };
    let fallback = |told: &config::Fallback| Fallback {
        model: told.model.as_str().into(),
        on: told.on.iter().map(condition).collect(),
    };
    let chains = config.fallbacks.iter();
    let chains =
        chains.map(|(name, chain)| (name.as_str().into(), chain.iter().map(fallback).collect()));
    chains.collect()
}

/// Where sessions stand; where the operator says nothing, where tools put them.
fn affinity(config: &Config) -> Vec<AffinityKey> {
    let key = |affinity: &config::Affinity| match affinity {
        config::Affinity::Header(name) => name.parse().ok().map(AffinityKey::Header),
        config::Affinity::Body(pointer) => Some(AffinityKey::BodyPointer(pointer.as_str().into())),
        config::Affinity::ClientKey => Some(AffinityKey::ClientKey),
    };
    match config.routing.affinity.as_slice() {
        [] => AffinityKey::defaults(),
        told => told.iter().filter_map(key).collect(),
    }
}

fn provider(provider: &config::Provider) -> (ProviderName, Provider) {
    let live = Provider {
        executor: provider.executor.as_str().into(),
        base_url: Arc::new(provider.base_url.clone()),
        settings: provider.settings.as_str().into(),
        grants: provider.grants.clone(),
    };
    (ProviderName::from(provider.name.as_str()), live)
}

/// An error with all its causes.
pub(crate) fn told(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
