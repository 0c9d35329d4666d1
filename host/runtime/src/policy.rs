//! What the operator allows a plugin, by its name.

use std::collections::{BTreeMap, BTreeSet};

use jackfield_dispatch::Sees;

use crate::prepare_error::PrepareError;

/// What the operator allows one plugin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PluginPolicy {
    /// Whether the plans of an executor are remembered.
    pub remember: bool,
    /// What must be true of it.
    pub require: Vec<Requirement>,
}

impl Default for PluginPolicy {
    fn default() -> Self {
        Self {
            remember: true,
            require: Vec::new(),
        }
    }
}

/// What must be true of a plugin, by its imports and exports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Requirement {
    /// It sees neither bodies of clients' requests nor of responses.
    ContentBlind,
}

impl Requirement {
    /// All of them.
    pub const ALL: [Self; 1] = [Self::ContentBlind];

    /// The word for it in the configuration.
    pub fn label(self) -> &'static str {
        match self {
            Self::ContentBlind => "content-blind",
        }
    }

    /// Whether a plugin that sees this fulfils it.
    pub(crate) fn is_met(self, sees: Sees) -> bool {
        match self {
            Self::ContentBlind => sees.is_content_blind(),
        }
    }
}

/// What the operator allows all plugins.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PluginPolicies {
    /// Names of executors whose plans are not remembered.
    pub remember_off: BTreeSet<String>,
    /// What must be true of each plugin.
    pub require: Vec<Requirement>,
    /// The SHA-256 of the only component that a plugin of this name may be, in hexadecimal.
    pub pinned: BTreeMap<String, String>,
}

impl PluginPolicies {
    /// Checks the digest of a component that a plugin is to be.
    ///
    /// # Errors
    /// When the operator has pinned another one.
    pub(crate) fn check_digest(&self, name: &str, digest: &str) -> Result<(), PrepareError> {
        match self.pinned.get(name) {
            Some(pinned) if pinned != digest => Err(PrepareError::NotPinned {
                found: digest.to_owned(),
                pinned: pinned.clone(),
            }),
            _ => Ok(()),
        }
    }

    /// The policy for a plugin.
    pub(crate) fn of(&self, name: &str) -> PluginPolicy {
        PluginPolicy {
            remember: !self.remember_off.contains(name),
            require: self.require.clone(),
        }
    }
}
