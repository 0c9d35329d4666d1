//! One name of the registry: the version in use, and those that a rollback can put in use again.

use std::sync::{Arc, Weak};

use jackfield_dispatch::ClientDigest;

use super::status::{GenerationStatus, PluginStatus, TakenBack};
use crate::instance::Generation;
use crate::limits::GENERATIONS_HELD_MAX;
use crate::plugin::Plugin;
use crate::proving::{Proving, served_well};

#[derive(Default)]
pub(super) struct Slot {
    pub(super) serving: Option<Arc<Plugin>>,
    /// Versions that were in use, the last of them at the end: at most [`GENERATIONS_HELD_MAX`].
    held: Vec<Arc<Plugin>>,
    /// The number of the newest generation.
    pub(super) newest: u64,
    /// Generations that calls may still use.
    pub(super) generations: Vec<(u64, Weak<dyn Generation>)>,
    swaps: u64,
    pub(super) problem: Option<String>,
    /// Set while the version before would take over.
    pub(super) proving: Option<Proving>,
    /// Set if the version in use took over by itself.
    pub(super) taken_back: Option<TakenBack>,
    /// Whether a file of this name is being compiled, or waits for it, and no version serves.
    pub(super) compiling: bool,
}

impl Slot {
    /// Puts a version in use. The one in use becomes the one before.
    pub(super) fn serve(&mut self, plugin: Arc<Plugin>) {
        plugin.generation().begin_serving();
        if let Some(replaced) = self.serving.replace(plugin) {
            self.swaps += 1;
            replaced.generation().pool().retire();
            self.held.push(replaced);
            self.drop_surplus();
        }
    }

    /// Drops the oldest of too many versions, but neither the one before nor the last one that served well: after any
    /// number of bad files that one is still there.
    fn drop_surplus(&mut self) {
        if self.held.len() <= GENERATIONS_HELD_MAX {
            return;
        }
        let last_good = self.held.iter().rposition(|plugin| has_served_well(plugin));
        self.held.remove(usize::from(last_good == Some(0)));
    }

    /// Takes out the version to put in use again: this generation, or the one before.
    pub(super) fn take_held(&mut self, generation: Option<u64>) -> Option<Arc<Plugin>> {
        let Some(generation) = generation else {
            return self.held.pop();
        };
        let is_it = |plugin: &Arc<Plugin>| plugin.id().generation == generation;
        let place = self.held.iter().position(is_it)?;
        Some(self.held.remove(place))
    }

    /// The generations that a rollback can put in use, ascending.
    pub(super) fn held_generations(&self) -> Vec<u64> {
        let held = self.held.iter();
        let mut held: Vec<u64> = held.map(|plugin| plugin.id().generation).collect();
        held.sort_unstable();
        held
    }

    /// No version takes over by itself until the next swap.
    pub(super) fn operator_decided(&mut self) {
        self.proving = None;
        self.taken_back = None;
    }

    /// Whether the version before has served others than the only client of the one in use: one client does not decide
    /// for them.
    pub(super) fn is_used_by_others(&self, only_client: Option<ClientDigest>) -> bool {
        let Some((client, before)) = only_client.zip(self.held.last()) else {
            return false;
        };
        !before.generation().pool().breaker().is_used_only_by(client)
    }

    pub(super) fn status(&mut self, name: &Arc<str>) -> PluginStatus {
        self.generations
            .retain(|(_, plugin)| plugin.strong_count() > 0);
        let mut held: Vec<GenerationStatus> = self
            .held
            .iter()
            .map(|plugin| GenerationStatus::of(plugin))
            .collect();
        let previous = held.last().cloned();
        held.sort_unstable_by_key(|status| status.generation);
        PluginStatus {
            name: Arc::clone(name),
            serving: self.serving.as_deref().map(GenerationStatus::of),
            previous,
            held,
            alive: self
                .generations
                .iter()
                .map(|(generation, _)| *generation)
                .collect(),
            swaps: self.swaps,
            problem: self.problem.clone(),
            proving_until: self.proving.map(Proving::until),
            taken_back: self.taken_back.clone(),
            compiling: self.compiling,
        }
    }
}

fn has_served_well(plugin: &Plugin) -> bool {
    let pool = plugin.generation().pool();
    served_well(pool.counts(), pool.breaker().status().suspended.is_some())
}
