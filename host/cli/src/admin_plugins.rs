//! Plugins in the admin API.

use std::sync::Arc;

use arc_swap::ArcSwap;
use futures_util::StreamExt;
use futures_util::stream::unfold;
use jackfield_admin::{PluginAdmin, PluginAdminError, PluginEvents, types};
use jackfield_auth::BoxFuture;
use jackfield_config::Catalog;
use jackfield_dispatch::{ClientDigest, Dispatcher};
use jackfield_runtime::{
    BreakerEvent, CONTRACT_VERSION, GenerationStatus, PluginEvent, PluginEventKind, PluginStatus,
    Registry, RollbackError, Suspended, TakenBack, UnloadError,
};
use tokio::sync::broadcast::error::RecvError;

use crate::plugins::origin;

/// The plugins of a running server.
pub(crate) struct RegistryAdmin {
    registry: Arc<Registry>,
    names: ClientNames,
}

/// Finds the names of clients.
#[derive(Clone)]
struct ClientNames {
    catalog: Arc<ArcSwap<Catalog>>,
    dispatcher: Arc<Dispatcher>,
}

impl ClientNames {
    /// Returns the name of the client's key. A client without a key has the number of its network.
    fn of(&self, client: ClientDigest) -> String {
        let catalog = self.catalog.load();
        let mut names = catalog.client_names();
        let named = names.find(|name| self.dispatcher.client_digest(name) == client);
        named.map_or_else(|| format!("network-{client}"), str::to_owned)
    }
}

impl PluginAdmin for RegistryAdmin {
    fn list(&self) -> Vec<types::Plugin> {
        let status = self.registry.status();
        status.iter().map(|one| self.plugin(one)).collect()
    }

    fn instances_alive(&self) -> usize {
        self.registry.engine().instances_alive()
    }

    fn subscribe(&self) -> PluginEvents {
        let state = (self.registry.subscribe(), self.names.clone());
        unfold(state, |(mut events, names)| async move {
            let next = match events.recv().await {
                Ok(event) => Ok(named_event(&event, &names)),
                Err(RecvError::Lagged(skipped)) => Err(skipped),
                Err(RecvError::Closed) => return None,
            };
            Some((next, (events, names)))
        })
        .boxed()
    }

    fn rollback(&self, name: &str, to: Option<u64>) -> Result<types::RolledBack, PluginAdminError> {
        let rolled_back = self.registry.rollback(name, to);
        let id = rolled_back.map_err(|error| match &error {
            RollbackError::Unknown(_) => PluginAdminError::Unknown(error.to_string()),
            RollbackError::NoPreviousVersion(_) => {
                PluginAdminError::NoPreviousVersion(error.to_string())
            }
            RollbackError::NotHeld { .. } => PluginAdminError::NotHeld(error.to_string()),
        })?;
        Ok(types::RolledBack {
            name: id.name.to_string(),
            generation: id.generation,
        })
    }

    fn unload<'a>(
        &'a self,
        name: &'a str,
    ) -> BoxFuture<'a, Result<types::Unloaded, PluginAdminError>> {
        Box::pin(async move {
            let unloaded = self.registry.unload(name).await;
            let id = unloaded.map_err(|error| match &error {
                UnloadError::Unknown(_) => PluginAdminError::Unknown(error.to_string()),
                UnloadError::BuiltIn(_) | UnloadError::HasFile { .. } => {
                    PluginAdminError::StillThere(error.to_string())
                }
            })?;
            Ok(types::Unloaded {
                name: id.name.to_string(),
                generation: id.generation,
            })
        })
    }
}

impl RegistryAdmin {
    pub(crate) fn new(
        registry: &Arc<Registry>,
        catalog: &Arc<ArcSwap<Catalog>>,
        dispatcher: &Arc<Dispatcher>,
    ) -> Self {
        let names = ClientNames {
            catalog: Arc::clone(catalog),
            dispatcher: Arc::clone(dispatcher),
        };
        Self {
            registry: Arc::clone(registry),
            names,
        }
    }

    fn plugin(&self, status: &PluginStatus) -> types::Plugin {
        let generation = |status: &GenerationStatus| self.generation(status);
        types::Plugin {
            name: status.name.to_string(),
            serving: status.serving.as_ref().map(generation),
            previous: status.previous.as_ref().map(generation),
            held: status.held.iter().map(generation).collect(),
            generations_alive: status.alive.clone(),
            swaps: status.swaps,
            problem: status.problem.clone(),
            compiling: status.compiling,
            proving_until_ms: status.proving_until.map(|until| until.as_millis()),
            taken_back: status.taken_back.as_ref().map(taken_back),
        }
    }

    fn generation(&self, status: &GenerationStatus) -> types::Generation {
        let instances = status.instances;
        let clients = status.breaker.clients.iter();
        types::Generation {
            generation: status.generation,
            kind: status.kind.label().to_owned(),
            version: status.version.clone(),
            contract_version: CONTRACT_VERSION.to_string(),
            sha256: status.digest.clone(),
            from: origin(&status.origin),
            sees: status.sees.words().map(str::to_owned).collect(),
            hosts: status.hosts.clone(),
            plans: instances.plans,
            instances: types::Instances {
                created: instances.created,
                idle: instances.idle,
            },
            calls: instances.calls,
            faults: instances.faults,
            suspended: status.breaker.suspended.as_ref().map(suspended),
            suspended_clients: clients
                .map(|(client, since)| types::SuspendedClient {
                    client: self.names.of(*client),
                    suspended: suspended(since),
                })
                .collect(),
        }
    }
}

fn suspended(status: &Suspended) -> types::Suspended {
    types::Suspended {
        since_ms: status.since.as_millis(),
        why: status.why.clone(),
        next_trial_ms: status.next_trial.as_millis(),
    }
}

fn taken_back(status: &TakenBack) -> types::TakenBack {
    types::TakenBack {
        generation: status.generation,
        at_ms: status.at.as_millis(),
        why: status.why.clone(),
    }
}

/// Returns an event with its name.
fn named_event(event: &PluginEvent, names: &ClientNames) -> (&'static str, types::PluginEvent) {
    let (name, client, since) = match &event.kind {
        PluginEventKind::Breaker(BreakerEvent::Suspended(since)) => {
            ("plugin-suspended", None, Some(since))
        }
        PluginEventKind::Breaker(BreakerEvent::Resumed) => ("plugin-resumed", None, None),
        PluginEventKind::Breaker(BreakerEvent::ClientSuspended(client, since)) => {
            ("plugin-client-suspended", Some(client), Some(since))
        }
        PluginEventKind::Breaker(BreakerEvent::ClientResumed(client)) => {
            ("plugin-client-resumed", Some(client), None)
        }
        PluginEventKind::TookOver => ("plugin-took-over", None, None),
    };
    let shown = types::PluginEvent {
        at_ms: event.at.as_millis(),
        plugin: event.plugin.name.to_string(),
        generation: event.plugin.generation,
        client: client.map(|client| names.of(*client)),
        suspended: since.map(suspended),
    };
    (name, shown)
}
