//! What the registry shows of its plugins: their status, and events.

use std::sync::Arc;

use jackfield_credential::Timestamp;
use jackfield_dispatch::Sees;
use jackfield_dispatch::port::PluginId;

use crate::breaker::{BreakerEvent, BreakerStatus};
use crate::inspect::PluginKind;
use crate::instance::InstanceCounts;
use crate::plugin::{Origin, Plugin};

/// A plugin as the admin API shows it.
#[derive(Debug, Clone)]
pub struct PluginStatus {
    /// The plugin's name.
    pub name: Arc<str>,
    /// The generation in use.
    pub serving: Option<GenerationStatus>,
    /// The generation that a rollback would restore.
    pub previous: Option<GenerationStatus>,
    /// The generations that a rollback could restore, ascending: `previous` is one of them.
    pub held: Vec<GenerationStatus>,
    /// The generations that calls still use or that a rollback could restore, ascending.
    pub alive: Vec<u64>,
    /// How often the generation in use changed, rollbacks included.
    pub swaps: u64,
    /// Why the newest file of this name was rejected, if it was.
    pub problem: Option<String>,
    /// Until when the version before takes over by itself if the one in use is suspended. `None` if an operator
    /// decides.
    pub proving_until: Option<Timestamp>,
    /// Set if the version in use took over by itself from a newer one.
    pub taken_back: Option<TakenBack>,
    /// Whether it is being compiled after the start, or waits for it.
    pub compiling: bool,
}

/// A version that was taken out of use in its proving time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TakenBack {
    /// Its generation.
    pub generation: u64,
    /// When it was taken out of use.
    pub at: Timestamp,
    /// Why.
    pub why: String,
}

/// A generation as the admin API shows it.
#[derive(Debug, Clone)]
pub struct GenerationStatus {
    /// Its number.
    pub generation: u64,
    /// Whether it is an executor or a selector.
    pub kind: PluginKind,
    /// The version in its descriptor.
    pub version: String,
    /// SHA-256 of the component.
    pub digest: String,
    /// Its source.
    pub origin: Origin,
    /// What it can see, by its imports and exports.
    pub sees: Sees,
    /// The hosts that an executor's plans may name, if the operator grants their origins.
    pub hosts: Vec<String>,
    /// Counters of its instances.
    pub instances: InstanceCounts,
    /// What its breaker refuses.
    pub breaker: BreakerStatus,
}

/// An event of a plugin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PluginEvent {
    /// When it happened.
    pub at: Timestamp,
    /// The plugin.
    pub plugin: PluginId,
    /// What happened.
    pub kind: PluginEventKind,
}

/// The kinds of event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PluginEventKind {
    /// Its breaker refuses calls, or lets them through again.
    Breaker(BreakerEvent),
    /// This version took over by itself from a newer one that was suspended in its proving time.
    TookOver,
}

impl GenerationStatus {
    pub(super) fn of(plugin: &Plugin) -> Self {
        Self {
            generation: plugin.id().generation,
            kind: plugin.kind(),
            version: plugin.version().to_owned(),
            digest: plugin.digest().to_owned(),
            origin: plugin.origin().clone(),
            sees: plugin.sees(),
            hosts: plugin
                .executor()
                .map_or_else(Vec::new, |executor| executor.descriptor().hosts.clone()),
            instances: plugin.counts(),
            breaker: plugin.generation().pool().breaker().status(),
        }
    }
}
