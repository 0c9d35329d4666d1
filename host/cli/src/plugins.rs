//! Shows plugins on the terminal and in the admin API.

use std::path::Path;
use std::sync::Arc;

use jackfield_dispatch::error_chain;
use jackfield_http::{PluginAdmin, PluginAdminError};
use jackfield_runtime::{
    CONTRACT_VERSION, Engine, GenerationStatus, Origin, PluginDir, PluginStatus, Registry,
    RollbackError,
};
use serde_json::{Value, json};

use crate::built_in::BUILT_IN;
use crate::terminal::{print, print_table};

/// Prints the plugins that can serve, and those that cannot.
pub(crate) async fn list(folder: Option<&Path>) -> Result<(), String> {
    let engine = Engine::new(None).map_err(|error| error_chain(&error))?;
    let registry = Arc::new(Registry::new(engine));
    let empty_dir;
    let folder = match folder {
        Some(folder) => folder,
        None => {
            empty_dir = tempfile::tempdir().map_err(|error| error_chain(&error))?;
            empty_dir.path()
        }
    };
    let loaded = PluginDir::load(folder, &BUILT_IN, Arc::clone(&registry)).await;
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
        Err(format!("{rejected} plugin(s) cannot serve"))
    }
}

/// Prints plugins as a table, and the problems below it.
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
            print(&format!("  {}.wasm is refused: {problem}", plugin.name));
        }
    }
}

/// Characters of a digest that identify a version.
const DIGEST_CHARS: usize = 12;

fn origin(origin: &Origin) -> String {
    match origin {
        Origin::BuiltIn => "built in".to_owned(),
        Origin::File(path) => path.display().to_string(),
    }
}

/// The plugins for the admin API.
pub(crate) struct RegistryAdmin(pub(crate) Arc<Registry>);

impl PluginAdmin for RegistryAdmin {
    fn list(&self) -> Value {
        json!({
            "plugins": self.0.status().iter().map(plugin).collect::<Vec<_>>(),
            "instances_alive": self.0.engine().instances_alive(),
        })
    }

    fn rollback(&self, name: &str) -> Result<Value, PluginAdminError> {
        let id = self.0.rollback(name).map_err(|error| match &error {
            RollbackError::Unknown(_) => PluginAdminError::Unknown(error.to_string()),
            RollbackError::NoPreviousVersion(_) => {
                PluginAdminError::NoPreviousVersion(error.to_string())
            }
        })?;
        Ok(json!({ "name": &*id.name, "generation": id.generation }))
    }
}

fn plugin(status: &PluginStatus) -> Value {
    json!({
        "name": &*status.name,
        "serving": status.serving.as_ref().map(generation),
        "previous": status.previous.as_ref().map(generation),
        "generations_alive": status.alive,
        "swaps": status.swaps,
        "problem": status.problem,
    })
}

fn generation(status: &GenerationStatus) -> Value {
    let instances = status.instances;
    json!({
        "generation": status.generation,
        "kind": status.kind.label(),
        "version": status.version,
        "wit": CONTRACT_VERSION.to_string(),
        "sha256": status.digest,
        "from": origin(&status.origin),
        "instances": { "made": instances.created, "idle": instances.idle },
        "calls": instances.calls,
        "faults": instances.faults,
    })
}
