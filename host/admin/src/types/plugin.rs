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
    /// The versions that a rollback can activate, ascending. `previous` is one of them.
    pub held: Vec<Generation>,
    /// Generations that calls still use, or that a rollback can activate, ascending.
    pub generations_alive: Vec<u64>,
    /// Number of version changes.
    pub swaps: u64,
    /// Why the newest file cannot be used.
    pub problem: Option<String>,
    /// Whether it is being compiled after the start, or waits for it.
    pub compiling: bool,
    /// Until when the previous version takes over by itself if the one in use is suspended for all clients, in
    /// milliseconds since the Unix epoch. `None` if an operator decides.
    pub proving_until_ms: Option<u64>,
    /// Set if the version in use took over by itself from a newer one.
    pub taken_back: Option<TakenBack>,
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
    /// What it can see, by its imports and exports: `client-headers`, `client-identity`, `body`,
    /// `error-bodies`, `responses`; and `log`, if it may write to the log.
    pub sees: Vec<String>,
    /// Hosts that an executor's plans may name besides that of `base-url`, if their origins are granted.
    pub hosts: Vec<String>,
    /// Plans that it remembers.
    pub plans: usize,
    /// Its instances.
    pub instances: Instances,
    /// Calls into the plugin.
    pub calls: u64,
    /// Calls that failed because of the plugin.
    pub faults: u64,
    /// Set while it is not called for any client.
    pub suspended: Option<Suspended>,
    /// Clients for which it is not called, the latest first, at most 100.
    pub suspended_clients: Vec<SuspendedClient>,
}

/// A version that was taken out of use in its proving time.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TakenBack {
    /// Its generation.
    pub generation: u64,
    /// When, in milliseconds since the Unix epoch.
    pub at_ms: u64,
    /// Why.
    pub why: String,
}

/// Since when and why a plugin is not called.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Suspended {
    /// Since when, in milliseconds since the Unix epoch.
    pub since_ms: u64,
    /// Why.
    pub why: String,
    /// When the next call is let through as a trial, in milliseconds since the Unix epoch.
    pub next_trial_ms: u64,
}

/// A client for which a plugin is not called.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SuspendedClient {
    /// The name of its key; for a client without a key `network-` and a number that this process has for its network.
    pub client: String,
    /// Since when and why.
    #[serde(flatten)]
    pub suspended: Suspended,
}

/// What happened to a plugin: the data of the events `plugin-..` of `GET /events`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PluginEvent {
    /// When, in milliseconds since the Unix epoch.
    pub at_ms: u64,
    /// Name of the plugin.
    pub plugin: String,
    /// Its version.
    pub generation: u64,
    /// The client, if the event is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    /// Since when and why it is not called.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suspended: Option<Suspended>,
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

/// The request of `POST /plugins/{name}/rollback`. An empty body is one without members.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rollback {
    /// The generation to activate. Without it: the previous one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<u64>,
}

/// The response of `POST /plugins/{name}/unload`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Unloaded {
    /// Name of the plugin.
    pub name: String,
    /// Generation that was in use.
    pub generation: u64,
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
