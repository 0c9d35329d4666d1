//! Explains what the configuration means (`jackfield config check --explain`): the traits of each provider and model,
//! with the row or the key that each is from.

use std::collections::BTreeMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use jackfield_config::{Config, Provider};
use jackfield_dialect::Dialect;
use jackfield_dialect::traits::{ResolvedTraits, TraitSource, rows};
use jackfield_dispatch::error_chain;
use jackfield_dispatch::snapshot::Plugins;
use jackfield_runtime::{Engine, EngineOptions, PluginDir, Registry};

use crate::built_in::BUILT_IN;
use crate::terminal::print;

/// Prints the traits of every provider and model, in each dialect of the provider's executor.
///
/// # Errors
///
/// If the plugins cannot be loaded.
pub(crate) async fn explain(config: &Config) -> Result<(), String> {
    let plugins = plugins(config).await?;
    for provider in &config.providers {
        for dialect in dialects(&plugins, provider) {
            for model in &provider.models {
                let resolved = provider.endpoint.traits.of(dialect, &model.name);
                print(&format!(
                    "provider {}, model {}, {dialect}:",
                    provider.name, model.name
                ));
                lines(&resolved).iter().for_each(|line| print(line));
            }
        }
    }
    Ok(())
}

async fn plugins(config: &Config) -> Result<Arc<Plugins>, String> {
    let engine = Engine::new(EngineOptions::default()).map_err(|error| error_chain(&error))?;
    let registry = Arc::new(Registry::new(engine));
    let loaded = PluginDir::load(&config.plugins, BUILT_IN, Arc::clone(&registry)).await;
    drop(loaded.map_err(|error| error_chain(&error))?);
    let present = Arc::new(ArcSwap::new(Arc::default()));
    let stored = Arc::clone(&present);
    registry.on_change(Box::new(move |plugins| stored.store(Arc::clone(plugins))));
    Ok(present.load_full())
}

/// Returns the dialects of the provider's executor; all if the executor is not loaded.
fn dialects(plugins: &Plugins, provider: &Provider) -> Vec<Dialect> {
    match plugins.executors.get(&provider.endpoint.executor) {
        Some(executor) => {
            let names = executor.descriptor().dialects.iter();
            names.filter_map(|name| Dialect::parse(name)).collect()
        }
        None => Dialect::ALL.to_vec(),
    }
}

/// Returns a line for each trait: the name, the value, and where it is from.
fn lines(resolved: &ResolvedTraits) -> Vec<String> {
    let origins: BTreeMap<&str, &str> = resolved
        .origins
        .iter()
        .map(|origin| (origin.member.as_str(), origin.from.as_str()))
        .collect();
    let members = resolved.traits.shown();
    let line = |(name, value): (String, String)| {
        let origin = match origins.get(name.as_str()) {
            None => "default".to_owned(),
            Some(from) => format!("{from}{}", sources(from)),
        };
        format!("  {name}: {value}  ({origin})")
    };
    members.into_iter().map(line).collect()
}

/// Returns the sources of a row, after a colon; nothing for a place in the configuration.
fn sources(row: &str) -> String {
    let Some(row) = rows().iter().find(|known| known.name == row) else {
        return String::new();
    };
    let shown = |source: &TraitSource| format!("{} {}", source.address, source.date);
    let shown: Vec<String> = row.sources.iter().map(shown).collect();
    format!(": {}", shown.join(", "))
}

#[cfg(test)]
mod tests {
    use jackfield_dialect::traits::{TraitScope, TraitSet, resolve};

    use super::*;

    #[test]
    fn shows_value_and_origin_of_each_trait() {
        let scope = TraitScope {
            dialect: Dialect::OpenaiChat,
            server: None,
            authority: "api.deepseek.com",
            model: "deepseek-v4-pro",
        };
        let set = TraitSet {
            strict: Some(true),
            ..TraitSet::default()
        };
        let lines = lines(&resolve(&scope, &[("providers[].traits", &set)]));
        let line = |name: &str| {
            let found = lines.iter().find(|line| line.trim().starts_with(name));
            found.map(String::as_str).unwrap_or_default()
        };
        let required = line("reasoning-return:");
        assert!(
            required.starts_with("  reasoning-return: required  (deepseek: https://"),
            "{required}"
        );
        assert_eq!(line("strict:"), "  strict: true  (providers[].traits)");
        assert_eq!(line("verbosity:"), "  verbosity: false  (default)");
    }
}
