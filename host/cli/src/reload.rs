//! Reloads the configuration while the server runs. `prepare` may fail and changes nothing; `swap` then
//! replaces the old configuration.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use arc_swap::ArcSwap;
use jackfield_admin::types;
use jackfield_admin::{AdminRequest, AdminToken, ConfigAdmin, ConfigAdminError};
use jackfield_auth::{
    AuthManager, BoxFuture, PersistedState, Reconfiguration, ReconfigureSummary, Registration,
};
use jackfield_config::{
    AddressHeader, Catalog, Config, CredentialFiles, Environment, ListedModels, ProcessEnvironment,
    RestartOnly, TrustedProxy, snapshot,
};
use jackfield_dispatch::error_chain;
use jackfield_dispatch::snapshot::Snapshot;
use jackfield_http::{
    Api, ApiOptions, BrowserGuard, ClientAddressHeader, ClientKeys, ConnectionPolicy, Cors,
    GuardNames, ProxyNetworks,
};

use crate::admin_credentials;
use crate::admin_target::AdminTarget;
use crate::terminal::print;

/// The services that a reload changes.
pub(crate) struct Reload {
    /// The path of the configuration file, absolute.
    pub(crate) file: PathBuf,
    /// The values that a reload cannot change.
    pub(crate) restart_only: RestartOnly,
    pub(crate) catalog: Arc<ArcSwap<Catalog>>,
    /// The models that providers list.
    pub(crate) listed: Arc<ArcSwap<ListedModels>>,
    pub(crate) files: Option<CredentialFiles>,
    pub(crate) auth: AuthManager,
    pub(crate) snapshot: Arc<ArcSwap<Snapshot>>,
    pub(crate) api: Arc<Api>,
    pub(crate) guard: Arc<BrowserGuard>,
    pub(crate) connections: Arc<ConnectionPolicy>,
    pub(crate) token: Option<Arc<AdminToken>>,
}

/// A configuration that is ready to replace the current one.
struct Prepared {
    config: Arc<Config>,
    catalog: Catalog,
    snapshot: Snapshot,
    credentials: Reconfiguration,
    /// Messages about what may be unintended.
    warnings: Vec<String>,
}

/// The result of a reload.
struct Reloaded {
    configuration: u64,
    credentials: ReconfigureSummary,
    warnings: Vec<String>,
}

impl Reload {
    /// Reloads the configuration, all of it or nothing, and logs the result. Running calls go on. Reloads
    /// run one after the other.
    ///
    /// # Errors
    ///
    /// Why everything is as it was.
    pub(crate) async fn reload(&self) -> Result<types::Reloaded, ConfigAdminError> {
        let reloaded = self.try_reload().await;
        match &reloaded {
            Ok(reloaded) => reloaded.log(),
            Err(ConfigAdminError::Invalid(diagnostics)) => {
                for diagnostic in diagnostics {
                    tracing::error!(diagnostic, "configuration not reloaded");
                }
            }
            Err(error) => tracing::error!(%error, "configuration not reloaded"),
        }
        reloaded.map(Reloaded::into_response)
    }

    /// Makes the credentials serve the models that providers list now. The file is not read again.
    ///
    /// # Errors
    ///
    /// Why all credentials serve what they did.
    pub(crate) async fn apply_listed_models(
        &self,
        listed: ListedModels,
    ) -> Result<(), ConfigAdminError> {
        let _changing = self.auth.lock_registrations().await;
        let config = Arc::clone(self.catalog.load().config());
        let prepared = self.prepare_config(config, &listed).await;
        self.swap_unless_stopping(prepared)?;
        // Only now: lists that could not be applied are not those that are served.
        self.listed.store(Arc::new(listed));
        Ok(())
    }

    async fn try_reload(&self) -> Result<Reloaded, ConfigAdminError> {
        // Held to the end, so that no credential is created from the old configuration.
        let _changing = self.auth.lock_registrations().await;
        let prepared = self.prepare().await;
        self.swap_unless_stopping(prepared)
    }

    /// Swaps what was prepared. That takes time, and the server may have begun to stop meanwhile. Then it may have failed
    /// for that alone, since the data folder belongs to the next process.
    fn swap_unless_stopping(
        &self,
        prepared: Result<Prepared, ConfigAdminError>,
    ) -> Result<Reloaded, ConfigAdminError> {
        if self.api.is_draining() {
            return Err(ConfigAdminError::Stopping);
        }
        self.swap(prepared?)
    }

    async fn prepare(&self) -> Result<Prepared, ConfigAdminError> {
        let config = self.read().await?;
        let changed = self.restart_only.changed_keys(&config.restart_only);
        if !changed.is_empty() {
            let message =
                |key| format!("{key}: is not what this process started with; restart to change it");
            return Err(ConfigAdminError::Invalid(
                changed.into_iter().map(message).collect(),
            ));
        }
        let listed = self.listed.load_full();
        self.prepare_config(Arc::new(config), &listed).await
    }

    /// Prepares a configuration that was read, with the models that providers list.
    async fn prepare_config(
        &self,
        config: Arc<Config>,
        listed: &ListedModels,
    ) -> Result<Prepared, ConfigAdminError> {
        let persisted = self.auth.persisted_state().await;
        let persisted = persisted.map_err(|error| ConfigAdminError::Store(error_chain(&error)))?;
        let catalog = Catalog::new(Arc::clone(&config), listed);
        let mut warnings = config.warnings.clone();
        warnings.extend(self.missing_plugins(&config));
        let registrations = self.registrations(&catalog, &persisted, &mut warnings);
        Ok(Prepared {
            snapshot: snapshot::build(&config),
            credentials: Reconfiguration {
                registrations: registrations.await,
                // The pool keeps its jitter: the seed is ignored.
                options: snapshot::pool_options(&config, 0),
                persisted,
            },
            config,
            catalog,
            warnings,
        })
    }

    async fn read(&self) -> Result<Config, ConfigAdminError> {
        let file = self.file.clone();
        let read = tokio::task::spawn_blocking(move || Config::load(&file, &ProcessEnvironment));
        match read.await {
            Ok(Ok(config)) => Ok(config),
            Ok(Err(errors)) => Err(ConfigAdminError::Invalid(errors.lines())),
            Err(error) => Err(ConfigAdminError::Invalid(vec![error_chain(&error)])),
        }
    }

    /// Returns all credentials: those of the configuration, of the admin API and of the files. If an id
    /// occurs twice, the first one counts.
    async fn registrations(
        &self,
        catalog: &Catalog,
        persisted: &PersistedState,
        warnings: &mut Vec<String>,
    ) -> Vec<Registration> {
        let mut all = catalog.registrations();
        let ids = all.iter().map(|one| one.credential.id.clone());
        let mut ids: BTreeSet<_> = ids.collect();
        for stored in persisted.admin_created() {
            match admin_credentials::restore(catalog, stored) {
                Ok(registration) if ids.insert(stored.id.clone()) => all.push(registration),
                Ok(_) => {}
                Err(why) => {
                    let id = &stored.id;
                    warnings.push(format!("admin credential {id} not restored: {why}"));
                }
            }
        }
        if let Some(files) = &self.files {
            let (registrations, rejected) = files.registrations(catalog).await;
            warnings.extend(rejected);
            for registration in registrations {
                if ids.insert(registration.credential.id.clone()) {
                    all.push(registration);
                }
            }
        }
        all
    }

    /// Returns a warning for each plugin that the configuration names and that is not loaded. It may be
    /// added later.
    fn missing_plugins(&self, config: &Config) -> Vec<String> {
        let plugins = &self.snapshot.load().plugins;
        let executors = config.providers.iter();
        let is_missing = |executor: &Arc<str>| {
            // What is still being compiled is not missing.
            !plugins.executors.contains_key(executor) && !plugins.compiling.contains(executor)
        };
        let executors = executors.filter(|each| is_missing(&each.endpoint.executor));
        let mut missing: Vec<String> = executors
            .map(|each| {
                let (name, executor) = (&each.name, &each.endpoint.executor);
                format!("the executor `{executor}` of the provider `{name}` is not loaded")
            })
            .collect();
        let selector = &config.routing.selector;
        if !plugins.selectors.contains_key(selector) && !plugins.compiling.contains(selector) {
            missing.push(format!("the selector `{selector}` is not loaded"));
        }
        missing
    }

    /// Replaces the configuration. Credentials and snapshot change under one lock, or a call could see
    /// one without the other.
    fn swap(&self, prepared: Prepared) -> Result<Reloaded, ConfigAdminError> {
        let Prepared {
            config,
            catalog,
            snapshot,
            credentials,
            warnings,
        } = prepared;
        let mut number = 0;
        let publish = |configuration| {
            number = configuration;
            self.snapshot
                // A change of the plugins may publish a snapshot at the same moment.
                .rcu(|now| now.with_configuration(configuration, snapshot.clone()));
        };
        // The reader refuses what the pool refuses, so this succeeds. If not, nothing has changed yet.
        let credentials = self.auth.reconfigure(credentials, publish);
        let credentials =
            credentials.map_err(|error| ConfigAdminError::Invalid(vec![error_chain(&error)]))?;
        self.catalog.store(Arc::new(catalog));
        self.api.set_keys(client_keys(&config));
        self.api.set_options(api_options(&config));
        self.guard.replace(guard_names(&config));
        let connections = &self.connections;
        connections.proxies.replace(proxy_networks(&config));
        connections.set_proxy_protocol(config.proxy_protocol);
        connections.set_client_stall(config.timeouts.client_stall);
        if let (Some(token), Some(admin)) = (&self.token, &config.admin) {
            token.set(admin.token.clone());
        }
        Ok(Reloaded {
            configuration: number,
            credentials,
            warnings,
        })
    }
}

impl ConfigAdmin for Reload {
    fn reload(&self) -> BoxFuture<'_, Result<types::Reloaded, ConfigAdminError>> {
        Box::pin(self.reload())
    }
}

impl Reloaded {
    fn log(&self) {
        let ReconfigureSummary {
            total: all,
            added,
            changed,
            removed,
        } = self.credentials;
        let configuration = self.configuration;
        for warning in &self.warnings {
            tracing::warn!(
                configuration,
                warning,
                "configuration applied with a warning"
            );
        }
        tracing::info!(
            configuration,
            all,
            added,
            changed,
            removed,
            "configuration reloaded"
        );
    }

    fn into_response(self) -> types::Reloaded {
        types::Reloaded {
            configuration: self.configuration,
            credentials: types::ReloadCounts {
                all: self.credentials.total,
                added: self.credentials.added,
                changed: self.credentials.changed,
                removed: self.credentials.removed,
            },
            warnings: self.warnings,
        }
    }
}

/// Returns the keys of the clients.
pub(crate) fn client_keys(config: &Config) -> ClientKeys {
    let keys = config.client_keys.iter();
    ClientKeys::new(keys.map(|client| (client.name.as_str(), &client.key)))
}

/// Returns the options of the server for clients.
pub(crate) fn api_options(config: &Config) -> ApiOptions {
    ApiOptions {
        request_body_bytes_max: config.limits.request_body_bytes_max,
        memory_bytes_max: config.limits.memory_bytes_max,
        cors: Cors::new(config.cors_origins.iter().map(String::as_str)),
    }
}

/// Returns where the trusted proxies are.
pub(crate) fn proxy_networks(config: &Config) -> ProxyNetworks {
    let mut known = ProxyNetworks {
        client_address_header: match config.client_address_header {
            AddressHeader::XForwardedFor => ClientAddressHeader::XForwardedFor,
            AddressHeader::Forwarded => ClientAddressHeader::Forwarded,
        },
        ..ProxyNetworks::default()
    };
    for proxy in &config.trusted_proxies {
        match proxy {
            TrustedProxy::Network(network) => known.networks.push(*network),
            TrustedProxy::UnixSocket => known.unix_socket = true,
        }
    }
    known
}

/// Returns the names that the guard against web pages lets pass.
pub(crate) fn guard_names(config: &Config) -> GuardNames {
    GuardNames {
        hosts: config.allowed_hosts.clone(),
        origins: config.cors_origins.clone(),
    }
}

/// Makes a running server reload its configuration, and prints what changed.
pub(crate) async fn request_reload(
    server: &AdminTarget,
    environment: &dyn Environment,
) -> Result<(), String> {
    let client = server.client(environment)?;
    let response = client.send(&AdminRequest::reload()).await;
    let types::Reloaded {
        credentials,
        warnings,
        ..
    } = response.map_err(|error| error.to_string())?;
    print(&format!(
        "configuration reloaded: {} credential(s), of which {} added, {} changed; {} removed",
        credentials.all, credentials.added, credentials.changed, credentials.removed
    ));
    for warning in &warnings {
        print(&format!("  {warning}"));
    }
    Ok(())
}
