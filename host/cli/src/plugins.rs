//! `jackfield plugin`: lists the plugins of a configuration, and rolls back and unloads those of a running server.

use std::sync::Arc;

use jackfield_admin::AdminRequest;
use jackfield_admin::types::Rollback;
use jackfield_config::{Config, Environment};
use jackfield_dispatch::error_chain;
use jackfield_runtime::{
    Engine, EngineOptions, GenerationStatus, Origin, PluginDir, PluginStatus, Registry,
};

use crate::admin_target::AdminTarget;
use crate::built_in::BUILT_IN;
use crate::plugin_policies::plugin_policies;
use crate::terminal::{print, print_table};

/// Lists the plugins that `serve` would use, and those that it could not use.
///
/// # Errors
///
/// If at least one plugin cannot be used.
pub(crate) async fn list(config: Option<&Config>) -> Result<(), String> {
    let engine = Engine::new(EngineOptions::default()).map_err(|error| error_chain(&error))?;
    let policies = config.map(plugin_policies).unwrap_or_default();
    let registry = Arc::new(Registry::with_policies(engine, policies));
    let empty_dir;
    let folder = match config {
        Some(config) => config.plugins.as_path(),
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

/// Puts an earlier version of a plugin in use again.
///
/// # Errors
///
/// If the server refuses it or does not respond.
pub(crate) async fn roll_back(
    server: &AdminTarget,
    name: &str,
    to: Option<u64>,
    environment: &dyn Environment,
) -> Result<(), String> {
    let request = AdminRequest::roll_plugin_back(name, &Rollback { to });
    let request = request.map_err(|error| error.to_string())?;
    let sent = server.client(environment)?.send(&request).await;
    let now = sent.map_err(|error| error.to_string())?;
    print(&format!(
        "{}: generation {} is in use",
        now.name, now.generation
    ));
    Ok(())
}

/// Takes a plugin out of use whose file was removed.
///
/// # Errors
///
/// If the server refuses it or does not respond.
pub(crate) async fn unload(
    server: &AdminTarget,
    name: &str,
    environment: &dyn Environment,
) -> Result<(), String> {
    let request = AdminRequest::unload_plugin(name);
    let sent = server.client(environment)?.send(&request).await;
    let unloaded = sent.map_err(|error| error.to_string())?;
    print(&format!("{}: unloaded", unloaded.name));
    Ok(())
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
            sees(generation),
        ])
    };
    let rows: Vec<_> = plugins.iter().filter_map(serving).collect();
    print_table(
        [
            "PLUGIN",
            "KIND",
            "VERSION",
            "GENERATION",
            "SHA-256",
            "FROM",
            "SEES",
        ],
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

/// What a plugin can see, and the hosts that it may name.
fn sees(generation: &GenerationStatus) -> String {
    let mut words: Vec<String> = generation.sees.words().map(str::to_owned).collect();
    if words.is_empty() {
        words.push("nothing of a client".to_owned());
    }
    let hosts = generation.hosts.iter();
    words.extend(hosts.map(|host| format!("may send to {host}")));
    words.join(", ")
}

pub(crate) fn origin(origin: &Origin) -> String {
    match origin {
        Origin::BuiltIn => "built in".to_owned(),
        Origin::File(path) => path.display().to_string(),
    }
}
