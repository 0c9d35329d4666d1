//! Plugins on the terminal (`jackfield plugin list`) and in the admin API.

use std::path::Path;
use std::sync::Arc;

use jackfield_admin::{PluginAdmin, PluginAdminError, types};
use jackfield_dispatch::error_chain;
use jackfield_runtime::{
    CONTRACT_VERSION, Engine, EngineOptions, GenerationStatus, Origin, PluginDir, PluginStatus,
    Registry, RollbackError,
};

use crate::built_in::BUILT_IN;
use crate::terminal::{print, print_table};

/// Lists the plugins that `serve` would use, and those that it could not use.
///
/// # Errors
///
/// If at least one plugin cannot be used.
pub(crate) async fn list(folder: Option<&Path>) -> Result<(), String> {
    let engine = Engine::new(EngineOptions::default()).map_err(|error| error_chain(&error))?;
    let registry = Arc::new(Registry::new(engine));
    let empty_dir;
    let folder = match folder {
        Some(folder) => folder,
        None => {
            empty_dir = tempfile::tempdir().map_err(|error| error_chain(&error))?;
            empty_dir.path()
        }
    };
    let loaded = PluginDir::load(folder, BUILT_IN, Arc::clone(&registry)).await;
    drop(loaded.map_err(|error| error_chain(&error))?);
    let status = registry.status();
    show(&status);
    let rejected = status
        .iter()
        .filter(|plugin| plugin.problem.is_some())
        .count();
    if rejected == 0 {
        Ok(())
    } else {
        Err(format!("{rejected} plugin(s) cannot be used"))
    }
}

/// Prints plugins as a table, and below it the problems.
pub(crate) fn show(plugins: &[PluginStatus]) {
    let serving = |plugin: &PluginStatus| {
        let generation = plugin.serving.as_ref()?;
        Some([
            plugin.name.to_string(),
            generation.kind.label().to_owned(),
            generation.version.clone(),
            generation.generation.to_string(),
            generation.digest.chars().take(DIGEST_CHARS).collect(),
            origin(&generation.origin),
        ])
    };
    let rows: Vec<_> = plugins.iter().filter_map(serving).collect();
    print_table(
        ["PLUGIN", "KIND", "VERSION", "GENERATION", "SHA-256", "FROM"],
        &rows,
    );
    for plugin in plugins {
        if let Some(problem) = &plugin.problem {
            print(&format!("  {}.wasm cannot be used: {problem}", plugin.name));
        }
    }
}

/// Characters of a digest that are shown: enough to tell versions apart.
const DIGEST_CHARS: usize = 12;

fn origin(origin: &Origin) -> String {
    match origin {
        Origin::BuiltIn => "built in".to_owned(),
        Origin::File(path) => path.display().to_string(),
    }
}

/// Plugins for the admin API.
pub(crate) struct RegistryAdmin(pub(crate) Arc<Registry>);

impl PluginAdmin for RegistryAdmin {
    fn list(&self) -> Vec<types::Plugin> {
        self.0.status().iter().map(plugin).collect()
    }

    fn instances_alive(&self) -> usize {
        self.0.engine().instances_alive()
    }

    fn rollback(&self, name: &str) -> Result<types::RolledBack, PluginAdminError> {
        let id = self.0.rollback(name).map_err(|error| match &error {
            RollbackError::Unknown(_) => PluginAdminError::Unknown(error.to_string()),
            RollbackError::NoPreviousVersion(_) => {
                PluginAdminError::NoPreviousVersion(error.to_string())
            }
        })?;
        Ok(types::RolledBack {
            name: id.name.to_string(),
            generation: id.generation,
        })
    }
}

fn plugin(status: &PluginStatus) -> types::Plugin {
    types::Plugin {
        name: status.name.to_string(),
        serving: status.serving.as_ref().map(generation),
        previous: status.previous.as_ref().map(generation),
        generations_alive: status.alive.clone(),
        swaps: status.swaps,
        problem: status.problem.clone(),
    }
}

fn generation(status: &GenerationStatus) -> types::Generation {
    let instances = status.instances;
    types::Generation {
        generation: status.generation,
        kind: status.kind.label().to_owned(),
        version: status.version.clone(),
        contract_version: CONTRACT_VERSION.to_string(),
        sha256: status.digest.clone(),
        from: origin(&status.origin),
        instances: types::Instances {
            created: instances.created,
            idle: instances.idle,
        },
        calls: instances.calls,
        faults: instances.faults,
    }
}
