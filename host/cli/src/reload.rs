//! The configuration read anew while the server runs: it is prepared, which may fail and changes
//! nothing, and then takes the place of the one before, which cannot fail.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use arc_swap::ArcSwap;
use jackfield_auth::{
    AuthManager, BoxFuture, PersistedState, Reconfiguration, ReconfigureSummary, Registration,
};
use jackfield_config::{
    Catalog, Config, CredentialFiles, Environment, ProcessEnvironment, RestartOnly, snapshot,
};
use jackfield_dispatch::error_chain;
use jackfield_dispatch::snapshot::Snapshot;
use jackfield_http::{AdminToken, Api, ClientKeys, ConfigAdmin, ConfigAdminError};
use serde_json::{Value, json};

use crate::admin_credentials;
use crate::admin_target::AdminTarget;
use crate::terminal::print;

/// Everything that another configuration takes effect in.
pub(crate) struct Reload {
    /// Where the configuration is read from, absolute.
    pub(crate) file: PathBuf,
    /// What it cannot change.
    pub(crate) restart_only: RestartOnly,
    pub(crate) catalog: Arc<ArcSwap<Catalog>>,
    pub(crate) files: Option<CredentialFiles>,
    pub(crate) auth: AuthManager,
    pub(crate) snapshot: Arc<ArcSwap<Snapshot>>,
    pub(crate) api: Arc<Api>,
    pub(crate) token: Option<Arc<AdminToken>>,
}

/// A configuration that can take the place of the present one.
struct Prepared {
    config: Arc<Config>,
    catalog: Catalog,
    snapshot: Snapshot,
    credentials: Reconfiguration,
    /// What the operator may not have meant.
    warnings: Vec<String>,
}

/// What came of it.
struct Reloaded {
    configuration: u64,
    credentials: ReconfigureSummary,
    warnings: Vec<String>,
}

impl Reload {
    /// Reads the configuration anew, all of it or nothing, and says in the log what came of it. Calls
    /// under way go on; one reload waits for the other.
    ///
    /// # Errors
    ///
    /// Why everything is as it was.
    pub(crate) async fn reload(&self) -> Result<Value, ConfigAdminError> {
        let reloaded = self.try_reload().await;
        match &reloaded {
            Ok(reloaded) => reloaded.log(),
            Err(ConfigAdminError::Invalid(diagnostics)) => {
                for diagnostic in diagnostics {
                    tracing::error!(diagnostic, "the configuration stays as it was");
                }
            }
            Err(error) => tracing::error!(%error, "no configuration was read"),
        }
        reloaded.map(|reloaded| reloaded.to_json())
    }

    async fn try_reload(&self) -> Result<Reloaded, ConfigAdminError> {
        // Until the end of it: nobody makes credentials of the configuration that goes.
        let _changing = self.auth.lock_registrations().await;
        let prepared = self.prepare().await?;
        if self.api.is_draining() {
            return Err(ConfigAdminError::Stopping);
        }
        self.swap(prepared)
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
        let config = Arc::new(config);
        let persisted = self.auth.persisted_state().await;
        let persisted = persisted.map_err(|error| ConfigAdminError::Store(error_chain(&error)))?;
        let catalog = Catalog::new(Arc::clone(&config));
        let mut warnings = config.warnings.clone();
        warnings.extend(self.missing_plugins(&config));
        let registrations = self.registrations(&catalog, &persisted, &mut warnings);
        Ok(Prepared {
            snapshot: snapshot::build(&config),
            credentials: Reconfiguration {
                registrations: registrations.await,
                // The pool goes on with the jitter that it has.
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

    /// Everybody whom this configuration has credentials of: its own, those that the admin API made,
    /// and the files. Of one id, the first counts.
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
                    let what = "which the admin API made, is left out";
                    warnings.push(format!("the credential {id}, {what}: {why}"));
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

    /// Plugins that the configuration names and nobody has loaded. They may come later.
    fn missing_plugins(&self, config: &Config) -> Vec<String> {
        let snapshot = self.snapshot.load();
        let executors = config.providers.iter();
        let executors =
            executors.filter(|each| !snapshot.executors.contains_key(&each.endpoint.executor));
        let mut missing: Vec<String> = executors
            .map(|each| {
                let (name, executor) = (&each.name, &each.endpoint.executor);
                format!("the executor `{executor}` of the provider `{name}` is not loaded")
            })
            .collect();
        let selector = &config.routing.selector;
        if !snapshot.selectors.contains_key(selector) {
            missing.push(format!("the selector `{selector}` is not loaded"));
        }
        missing
    }

    /// From the configuration that serves to the one that was prepared. Credentials and snapshot
    /// change at one moment, or a call could have the one without the other.
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
            self.snapshot.rcu(|now| Snapshot {
                generation: now.generation + 1,
                configuration,
                executors: now.executors.clone(),
                selectors: now.selectors.clone(),
                ..snapshot.clone()
            });
        };
        // The reader refuses whatever the pool would, so that this goes well; if not, it is the last
        // moment to leave everything as it was.
        let credentials = self.auth.reconfigure(credentials, publish);
        let credentials =
            credentials.map_err(|error| ConfigAdminError::Invalid(vec![error_chain(&error)]))?;
        self.catalog.store(Arc::new(catalog));
        self.api.set_keys(client_keys(&config));
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
    fn reload(&self) -> BoxFuture<'_, Result<Value, ConfigAdminError>> {
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
                "the configuration is taken all the same"
            );
        }
        tracing::info!(
            configuration,
            all,
            added,
            changed,
            removed,
            "the configuration was read anew"
        );
    }

    fn to_json(&self) -> Value {
        json!({
            "configuration": self.configuration,
            "credentials": {
                "all": self.credentials.total,
                "added": self.credentials.added,
                "changed": self.credentials.changed,
                "removed": self.credentials.removed,
            },
            "warnings": self.warnings,
        })
    }
}

/// Who may call.
pub(crate) fn client_keys(config: &Config) -> ClientKeys {
    let keys = config.client_keys.iter();
    ClientKeys::new(keys.map(|client| (client.name.as_str(), &client.key)))
}

/// Has a running server read its configuration anew, and says what that changed.
pub(crate) async fn request_reload(
    server: &AdminTarget,
    environment: &dyn Environment,
) -> Result<(), String> {
    let client = server.client(environment)?;
    let response = client.post(&["reload"], None).await;
    let response = response.map_err(|error| error.to_string())?;
    let count = |name: &str| response["credentials"][name].as_u64().unwrap_or(0);
    print(&format!(
        "the configuration was read anew: {} credential(s), of which {} added, {} changed; {} removed",
        count("all"),
        count("added"),
        count("changed"),
        count("removed")
    ));
    let warnings = response["warnings"].as_array().into_iter().flatten();
    for warning in warnings.filter_map(Value::as_str) {
        print(&format!("  {warning}"));
    }
    Ok(())
}
