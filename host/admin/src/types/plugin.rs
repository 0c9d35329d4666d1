//! Responses about plugins.

use serde::{Deserialize, Serialize};

/// The response of `GET /plugins`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PluginList {
    /// All plugins, sorted by name.
    pub plugins: Vec<Plugin>,
    /// Instances of all plugins.
    pub instances_alive: usize,
    /// How often a selector failed, so that Jackfield used the first candidate.
    pub selector_faults: u64,
}

/// One plugin.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Plugin {
    /// Its name.
    pub name: String,
    /// The version in use; `None` if no version works.
    pub serving: Option<Generation>,
    /// The version that a rollback activates.
    pub previous: Option<Generation>,
    /// Generations that calls still use, or that a rollback can activate, ascending.
    pub generations_alive: Vec<u64>,
    /// Number of version changes.
    pub swaps: u64,
    /// Why the newest file cannot be used.
    pub problem: Option<String>,
}

/// One version of a plugin.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Generation {
    /// Number of the version, from 1 at the start of the process.
    pub generation: u64,
    /// `executor` or `selector`.
    pub kind: String,
    /// Version that the plugin declares.
    pub version: String,
    /// Version of the plugin contract of this host.
    pub contract_version: String,
    /// SHA-256 of the component, in hexadecimal.
    pub sha256: String,
    /// `built in`, or the path of the file.
    pub from: String,
    /// Its instances.
    pub instances: Instances,
    /// Calls into the plugin.
    pub calls: u64,
    /// Calls that failed because of the plugin.
    pub faults: u64,
}

/// Instances of one version.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Instances {
    /// Instances created so far.
    pub created: u64,
    /// Instances that wait for a call.
    pub idle: usize,
}

/// The response of `POST /plugins/{name}/rollback`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RolledBack {
    /// Name of the plugin.
    pub name: String,
    /// Generation that is in use now.
    pub generation: u64,
}
