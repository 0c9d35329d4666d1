//! What the configuration allows plugins.

use jackfield_config::{Config, PluginRequirement};
use jackfield_runtime::{PluginPolicies, Requirement};

/// What the configuration allows plugins.
pub(crate) fn plugin_policies(config: &Config) -> PluginPolicies {
    let require = config.plugins_require.iter();
    PluginPolicies {
        pinned: config.plugins_pinned.clone(),
        remember_off: config.plugins_not_remembered.iter().cloned().collect(),
        require: require
            .map(|requirement| match requirement {
                PluginRequirement::ContentBlind => Requirement::ContentBlind,
            })
            .collect(),
    }
}
