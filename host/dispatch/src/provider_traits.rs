//! The traits of one provider: of the built-in rows and of the configuration. They are resolved once for
//! each model, not in each call.

use std::collections::BTreeMap;
use std::sync::Arc;

use jackfield_dialect::Dialect;
use jackfield_dialect::traits::{ResolvedTraits, TraitScope, TraitSet, resolve};
use parking_lot::RwLock;
use url::Url;

use crate::limits::RESOLVED_TRAITS_MAX;

/// What the configuration says about the traits of a provider.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TraitsConfig {
    /// The kind of server, which selects built-in rows in place of the base URL.
    pub server: Option<String>,
    /// For all models.
    pub provider: TraitSet,
    /// For some models, by the provider's name of the model.
    pub models: BTreeMap<Arc<str>, TraitSet>,
}

/// The traits of one provider, by dialect and model.
#[derive(Debug, Default)]
pub struct ProviderTraits {
    authority: String,
    config: TraitsConfig,
    resolved: RwLock<TraitsByModel>,
}

type TraitsByModel = BTreeMap<(Dialect, Arc<str>), Arc<ResolvedTraits>>;

impl ProviderTraits {
    /// The traits of the provider at a base URL.
    #[must_use]
    pub fn new(base_url: &Url, config: TraitsConfig) -> Self {
        let host = base_url.host_str().unwrap_or_default();
        let authority = match base_url.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        };
        Self {
            authority,
            config,
            resolved: RwLock::default(),
        }
    }

    /// Returns what the configuration says about them.
    #[must_use]
    pub fn config(&self) -> &TraitsConfig {
        &self.config
    }

    /// Returns the traits for a dialect of the provider and its name of a model.
    pub fn of(&self, dialect: Dialect, model: &Arc<str>) -> Arc<ResolvedTraits> {
        let key = (dialect, Arc::clone(model));
        if let Some(known) = self.resolved.read().get(&key) {
            return Arc::clone(known);
        }
        let resolved = Arc::new(self.resolve(dialect, model));
        let mut all = self.resolved.write();
        if all.len() < RESOLVED_TRAITS_MAX {
            all.insert(key, Arc::clone(&resolved));
        }
        resolved
    }

    fn resolve(&self, dialect: Dialect, model: &Arc<str>) -> ResolvedTraits {
        let scope = TraitScope {
            dialect,
            server: self.config.server.as_deref(),
            authority: &self.authority,
            model,
        };
        let mut configured = vec![("providers[].traits", &self.config.provider)];
        if let Some(set) = self.config.models.get(model) {
            configured.push(("providers[].models[].traits", set));
        }
        resolve(&scope, &configured)
    }
}
