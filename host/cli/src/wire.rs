//! Builds the services of a configuration and connects them. No other file decides which service owns
//! which.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use jackfield_admin::{Admin, AdminParts, AdminToken};
use jackfield_auth::{AuthManager, AuthParts, Registration, Store, StoredCredential};
use jackfield_config::{Catalog, Config, CredentialFiles, ListedModels, StoreKind, snapshot};
use jackfield_dispatch::port::Upstream;
use jackfield_dispatch::snapshot::Snapshot;
use jackfield_dispatch::{Clock, Dispatcher, DispatcherParts, PlannedRefresher, error_chain};
use jackfield_http::{Api, BrowserGuard, ConnectionPolicy, HttpUpstream, TrustedProxies};
use jackfield_runtime::{CodeCacheOptions, Compiling, Engine, EngineOptions, PluginDir, Registry};
use jackfield_store::{Key, LockError, OpenError, SqliteStore};
use tokio::time::{Instant, sleep};

use crate::admin_credentials::{self, CredentialFactory};
use crate::admin_plugins::RegistryAdmin;
use crate::built_in::BUILT_IN;
use crate::model_lists::ListCache;
use crate::plugin_policies::plugin_policies;
use crate::reload::{Reload, api_options, client_keys, guard_names, proxy_networks};

/// The services, ready to serve.
pub(crate) struct Host {
    pub(crate) api: Arc<Api>,
    pub(crate) connections: Arc<ConnectionPolicy>,
    pub(crate) admin: Option<Arc<Admin>>,
    /// The demo shows which plugins serve.
    #[cfg(feature = "demo")]
    pub(crate) registry: Arc<Registry>,
    pub(crate) dispatcher: Arc<Dispatcher>,
    pub(crate) folder: PluginDir,
    pub(crate) files: Option<CredentialFiles>,
    pub(crate) reload: Arc<Reload>,
}

/// What a process does with the data folder.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum DataUse {
    /// It is the only one that writes.
    Alone,
    /// It makes one call. If another process has the folder, it neither writes nor refreshes tokens: that process
    /// would not learn of the new refresh token.
    OneCall,
}

impl Host {
    /// Builds the services of a configuration that was read from `file`. `compiling` says whether the plugins are
    /// loaded.
    pub(crate) async fn new(
        config: Arc<Config>,
        file: &Path,
        compiling: Compiling,
    ) -> Result<Self, String> {
        let upstream = Arc::new(HttpUpstream::new());
        Self::with_upstream(config, file, upstream, DataUse::Alone, compiling).await
    }

    /// The same, with another client for providers.
    pub(crate) async fn with_upstream(
        config: Arc<Config>,
        file: &Path,
        upstream: Arc<dyn Upstream>,
        data_use: DataUse,
        compiling: Compiling,
    ) -> Result<Self, String> {
        let clock = Clock::system();
        let (registry, folder) = plugins(&config, &clock, compiling).await?;
        let snapshot = Arc::new(ArcSwap::from_pointee(snapshot::build(&config)));
        let (listed, catalog) = catalog(&config);
        let (registrations, files) = credentials(&config, &catalog).await?;
        let opened = store(&config, data_use).await?;
        let may_refresh = opened.may_refresh;
        let auth = auth(&config, registrations, &clock, opened.store)?;
        restore(&auth, &catalog.load()).await?;
        publish_into(&registry, &snapshot, &auth);
        if may_refresh {
            auth.set_refresher(Arc::new(PlannedRefresher {
                snapshot: Arc::clone(&snapshot),
                upstream: Arc::clone(&upstream),
                clock: clock.clone(),
            }));
        }
        let dispatcher = Arc::new(Dispatcher::new(DispatcherParts {
            snapshot: Arc::clone(&snapshot),
            auth: auth.clone(),
            upstream,
            clock,
            seed: os_seed(),
        }));
        let token = config.admin.as_ref();
        let token = token.map(|admin| Arc::new(AdminToken::new(admin.token.clone())));
        let guard = Arc::new(BrowserGuard::new(guard_names(&config)));
        let connections = Arc::new(connections(&config));
        let api = Arc::new(api(&config, &dispatcher, &guard, token.clone()));
        let reload = Arc::new(Reload {
            file: std::path::absolute(file).map_err(|error| error_chain(&error))?,
            restart_only: config.restart_only.clone(),
            catalog: Arc::clone(&catalog),
            listed,
            files: files.clone(),
            auth,
            snapshot,
            api: Arc::clone(&api),
            guard: Arc::clone(&guard),
            connections: Arc::clone(&connections),
            token: token.clone(),
        });
        let parts = token.map(|token| AdminParts {
            dispatcher: Arc::clone(&dispatcher),
            plugins: Box::new(RegistryAdmin::new(&registry, &catalog, &dispatcher)),
            credentials: Box::new(CredentialFactory(catalog)),
            config: Arc::<Reload>::clone(&reload),
            guard,
            token,
        });
        Ok(Self {
            api,
            connections,
            admin: parts.map(|parts| Arc::new(Admin::new(parts))),
            #[cfg(feature = "demo")]
            registry,
            dispatcher,
            folder,
            files,
            reload,
        })
    }
}

/// Starts the engine, and lists the plugins. In place it loads them, too: nothing is served that could wait for it.
async fn plugins(
    config: &Config,
    clock: &Clock,
    compiling: Compiling,
) -> Result<(Arc<Registry>, PluginDir), String> {
    let cache = code_cache(config);
    let engine = Engine::new(EngineOptions {
        cache: cache.as_ref(),
        clock: Some(clock.clone()),
        compiling,
    });
    let engine = engine.map_err(|error| error_chain(&error))?;
    let registry = Arc::new(Registry::with_policies(engine, plugin_policies(config)));
    let folder = match compiling {
        Compiling::InPlace => {
            PluginDir::load(&config.plugins, BUILT_IN, Arc::clone(&registry)).await
        }
        Compiling::InBackground => {
            PluginDir::open(&config.plugins, BUILT_IN, Arc::clone(&registry))
        }
    };
    let mut folder = folder.map_err(|error| error_chain(&error))?;
    let executors = config.providers.iter();
    let executors = executors.map(|provider| &*provider.endpoint.executor);
    folder.load_first(&executors.chain([&*config.routing.selector]).collect());
    Ok((registry, folder))
}

fn connections(config: &Config) -> ConnectionPolicy {
    let proxies = TrustedProxies::new(proxy_networks(config));
    let policy = ConnectionPolicy::new(proxies, config.timeouts.client_stall);
    policy.set_proxy_protocol(config.proxy_protocol);
    policy
}

fn api(
    config: &Config,
    dispatcher: &Arc<Dispatcher>,
    guard: &Arc<BrowserGuard>,
    token: Option<Arc<AdminToken>>,
) -> Api {
    let (keys, options) = (client_keys(config), api_options(config));
    let api = Api::new(Arc::clone(dispatcher), keys, options, Arc::clone(guard));
    api.with_admin_token(token)
}

/// Returns the models that providers listed last, and the catalog with them.
fn catalog(config: &Arc<Config>) -> (Arc<ArcSwap<ListedModels>>, Arc<ArcSwap<Catalog>>) {
    let listed = ListCache::new(config).load();
    let catalog = Catalog::new(Arc::clone(config), &listed);
    let (listed, catalog) = (
        ArcSwap::from_pointee(listed),
        ArcSwap::from_pointee(catalog),
    );
    (Arc::new(listed), Arc::new(catalog))
}

/// Reads the credentials of the configuration and of the credential files.
async fn credentials(
    config: &Config,
    catalog: &Arc<ArcSwap<Catalog>>,
) -> Result<(Vec<Registration>, Option<CredentialFiles>), String> {
    let mut registrations = catalog.load().registrations();
    let files = config.credential_files.as_deref();
    let files = files.map(|folder| CredentialFiles::new(folder, Arc::clone(catalog)));
    let files = files.transpose()?;
    if let Some(files) = &files {
        registrations.extend(files.read_all().await);
    }
    Ok((registrations, files))
}

/// Returns a seed from the operating system, for jitter.
fn os_seed() -> u64 {
    RandomState::new().build_hasher().finish()
}

fn auth(
    config: &Config,
    registrations: Vec<Registration>,
    clock: &Clock,
    store: Option<Arc<dyn Store>>,
) -> Result<AuthManager, String> {
    let parts = AuthParts {
        options: snapshot::pool_options(config, clock.now().as_millis()),
        store,
        ..AuthParts::new(registrations, clock.shared())
    };
    AuthManager::new(parts).map_err(|error| error_chain(&error))
}

/// The store of this process.
struct OpenedStore {
    store: Option<Arc<dyn Store>>,
    may_refresh: bool,
}

/// Opens the store. No call is served yet, so it may block. Waits for a process that is leaving the data folder.
async fn store(config: &Config, data_use: DataUse) -> Result<OpenedStore, String> {
    if config.store == StoreKind::None {
        return Ok(OpenedStore {
            store: None,
            may_refresh: true,
        });
    }
    let key = match &config.encryption_key {
        Some(secret) => Key::from_secret(secret),
        None => Key::from_file(&config.data.join(KEY)).map_err(|error| error_chain(&error))?,
    };
    let began = Instant::now();
    let mut may_refresh = true;
    let opened = loop {
        match SqliteStore::open(&config.data, &key) {
            Err(OpenError::Lock(LockError::InUse { holder, .. }))
                if data_use == DataUse::OneCall =>
            {
                tracing::info!(holder, "data folder in use; nothing is saved or refreshed");
                may_refresh = false;
                break SqliteStore::open_beside_other(&config.data, &key);
            }
            Err(OpenError::Lock(LockError::InUse { holder, .. }))
                if began.elapsed() < HAND_OVER_MAX =>
            {
                tracing::debug!(holder, "data folder in use; waiting");
                sleep(HAND_OVER_POLL).await;
            }
            opened => break opened,
        }
    };
    let store = opened.map_err(|error| error_chain(&error))?;
    Ok(OpenedStore {
        store: Some(Arc::new(store)),
        may_refresh,
    })
}

/// How long a start waits for the process that has the data folder. One that was stopped leaves it within milliseconds,
/// unless a refresh is running.
pub(crate) const HAND_OVER_MAX: Duration = Duration::from_secs(3);

/// The interval between the attempts.
pub(crate) const HAND_OVER_POLL: Duration = Duration::from_millis(50);

/// Restores stored credentials, tokens and health.
async fn restore(auth: &AuthManager, catalog: &Catalog) -> Result<(), String> {
    let restore_one = |stored: &StoredCredential| match admin_credentials::restore(catalog, stored)
    {
        Ok(registration) => Some(registration),
        Err(why) => {
            tracing::error!(credential = %stored.id, why, "admin credential not restored");
            None
        }
    };
    let loaded = auth.load(restore_one).await;
    let loaded = loaded.map_err(|error| format!("reading the store: {}", error_chain(&error)))?;
    let jackfield_auth::LoadSummary {
        admin_created: created,
        refreshed,
        health,
    } = loaded;
    tracing::info!(created, refreshed, health, "state restored");
    Ok(())
}

/// The key file that encrypts the secrets in the data folder.
const KEY: &str = "jackfield.key";

/// The key file that seals compiled code. It is not the key above, which may come from a secret of the configuration.
const CODE_KEY: &str = "code.key";

/// Returns where compiled code is cached, or nothing if there is no key for it.
fn code_cache(config: &Config) -> Option<CodeCacheOptions> {
    let folder = config.data.join("cache");
    match Key::from_file(&folder.join(CODE_KEY)) {
        Ok(key) => Some(CodeCacheOptions {
            folder,
            key: key.derive("compiled code 1"),
        }),
        Err(error) => {
            tracing::error!(
                error = error_chain(&error),
                "code cache not used; plugins are compiled in memory"
            );
            None
        }
    }
}

/// Publishes each change of the plugins. New calls see it; running calls keep their snapshot. Another
/// executor may refresh tokens at other times, so refreshes are scheduled again.
fn publish_into(registry: &Registry, snapshot: &Arc<ArcSwap<Snapshot>>, auth: &AuthManager) {
    let (snapshot, auth) = (Arc::clone(snapshot), auth.clone());
    registry.on_change(Box::new(move |plugins| {
        // A reload may replace the configuration at the same moment.
        snapshot.rcu(|now| now.with_plugins(Arc::clone(plugins)));
        auth.reschedule();
    }));
}
