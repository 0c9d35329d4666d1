//! All plugins by name: prepare, which may fail, then swap, which cannot; roll back; and what the
//! admin API shows of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use jackfield_dispatch::port::PluginId;
use jackfield_dispatch::snapshot::Plugins;
use parking_lot::Mutex;
use tokio::sync::Semaphore;

use crate::engine::Engine;
use crate::inspect::PluginKind;
use crate::instance::InstanceCounts;
use crate::plugin::{Origin, Plugin, PrepareError, WeakPlugin, digest};

/// Receives all serving plugins after each change, in order, while no other change can happen. It must
/// not block.
pub type ChangeCallback = Box<dyn Fn(&Arc<Plugins>) + Send + Sync>;

/// All plugins.
pub struct Registry {
    engine: Engine,
    slots: Mutex<BTreeMap<Arc<str>, Slot>>,
    publish: Mutex<ChangeCallback>,
    /// Compiling takes seconds of a core: one at a time leaves the others to requests.
    compiling: Semaphore,
}

#[derive(Default)]
struct Slot {
    serving: Option<Arc<Plugin>>,
    /// What served before, to roll back to.
    previous: Option<Arc<Plugin>>,
    /// The number of the newest generation.
    newest: u64,
    /// Generations that may still be in use.
    generations: Vec<(u64, WeakPlugin)>,
    swaps: u64,
    problem: Option<String>,
}

/// What the admin API shows of one plugin.
#[derive(Debug, Clone)]
pub struct PluginStatus {
    /// The plugin's name.
    pub name: Arc<str>,
    /// The one that serves.
    pub serving: Option<GenerationStatus>,
    /// The one that a rollback would bring back.
    pub previous: Option<GenerationStatus>,
    /// The generations that exchanges still use, or that could be rolled back to, ascending.
    pub alive: Vec<u64>,
    /// How often another generation took over.
    pub swaps: u64,
    /// Why the newest file of this name does not serve, if it does not.
    pub problem: Option<String>,
}

/// What the admin API shows of one generation.
#[derive(Debug, Clone)]
pub struct GenerationStatus {
    /// Its number.
    pub generation: u64,
    /// Its role.
    pub kind: PluginKind,
    /// The version that it says it has.
    pub version: String,
    /// SHA-256 of the component.
    pub digest: String,
    /// Where it came from.
    pub origin: Origin,
    /// What its instances have done.
    pub instances: InstanceCounts,
}

/// Why there is nothing to roll back to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RollbackError {
    /// No such plugin.
    #[error("there is no plugin `{0}`; GET /admin/v1/plugins lists them")]
    Unknown(String),
    /// Nothing served before.
    #[error("plugin `{0}` has served in one version only, so there is none to go back to")]
    NoPreviousVersion(String),
}

impl Registry {
    /// No plugins yet.
    pub fn new(engine: Engine) -> Self {
        Self {
            engine,
            slots: Mutex::default(),
            publish: Mutex::new(Box::new(|_| ())),
            compiling: Semaphore::new(1),
        }
    }

    /// The engine that the plugins run in.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Has each change told, beginning with what serves now.
    pub fn on_change(&self, publish: ChangeCallback) {
        let slots = self.slots.lock();
        publish(&collect_serving(&slots));
        *self.publish.lock() = publish;
    }

    /// Prepares a plugin and has it serve from the next exchange on; exchanges under way end on the
    /// generation that they began with. Does nothing if the very same component serves already.
    ///
    /// # Errors
    /// When it cannot serve. What served before goes on, and [`status`](Self::status) says why.
    pub async fn load(
        &self,
        name: &str,
        bytes: Vec<u8>,
        origin: Origin,
    ) -> Result<PluginId, PrepareError> {
        if let Some(id) = self.already_serving(name, &bytes) {
            return Ok(id);
        }
        match self.prepare(name, bytes, origin).await {
            Ok(prepared) => Ok(self.swap(prepared)),
            Err(error) => {
                self.record_error(name, &error);
                Err(error)
            }
        }
    }

    fn already_serving(&self, name: &str, bytes: &[u8]) -> Option<PluginId> {
        let digest = digest(bytes);
        let mut slots = self.slots.lock();
        let slot = slots.get_mut(name)?;
        let serving = slot
            .serving
            .as_ref()
            .filter(|plugin| plugin.digest() == digest)?;
        slot.problem = None;
        Some(serving.id().clone())
    }

    /// Everything that can fail.
    ///
    /// # Errors
    /// When the plugin cannot serve.
    pub async fn prepare(
        &self,
        name: &str,
        bytes: Vec<u8>,
        origin: Origin,
    ) -> Result<Plugin, PrepareError> {
        let _permit = self.compiling.acquire().await;
        // Nobody else takes this number: only one is prepared at a time.
        let generation = 1 + self.slots.lock().get(name).map_or(0, |slot| slot.newest);
        let id = PluginId {
            name: Arc::from(name),
            generation,
        };
        let plugin = Plugin::prepare(&self.engine, id, bytes, origin).await?;
        let mut slots = self.slots.lock();
        let slot = slots.entry(Arc::from(name)).or_default();
        match &slot.serving {
            Some(serving) if serving.kind() != plugin.kind() => Err(PrepareError::KindChanged {
                serving: serving.kind(),
                offered: plugin.kind(),
            }),
            _ => {
                slot.newest = generation;
                Ok(plugin)
            }
        }
    }

    /// Has a prepared plugin serve. Cannot fail.
    pub fn swap(&self, plugin: Plugin) -> PluginId {
        let plugin = Arc::new(plugin);
        let id = plugin.id().clone();
        let mut slots = self.slots.lock();
        let slot = slots.entry(Arc::clone(&id.name)).or_default();
        slot.generations.retain(|(_, watched)| watched.is_alive());
        slot.generations.push((id.generation, plugin.downgrade()));
        slot.problem = None;
        let replaced = slot.serving.replace(Arc::clone(&plugin));
        if let Some(replaced) = replaced {
            slot.swaps += 1;
            replaced.retire();
            slot.previous = Some(replaced);
        }
        self.publish.lock()(&collect_serving(&slots));
        drop(slots);
        tracing::info!(plugin = %id, version = plugin.version(), digest = plugin.digest(), "plugin serves");
        id
    }

    /// Has the generation before the one that serves take over again. Doing it twice changes
    /// nothing on the whole.
    ///
    /// # Errors
    /// When there is no such plugin, or nothing served before.
    pub fn rollback(&self, name: &str) -> Result<PluginId, RollbackError> {
        let mut slots = self.slots.lock();
        let slot = slots
            .get_mut(name)
            .ok_or_else(|| RollbackError::Unknown(name.to_owned()))?;
        let no_previous_version = || RollbackError::NoPreviousVersion(name.to_owned());
        let previous = slot.previous.take().ok_or_else(no_previous_version)?;
        let id = previous.id().clone();
        previous.reactivate();
        if let Some(replaced) = slot.serving.replace(previous) {
            replaced.retire();
            slot.previous = Some(replaced);
        }
        slot.swaps += 1;
        self.publish.lock()(&collect_serving(&slots));
        drop(slots);
        tracing::info!(plugin = %id, "plugin was rolled back and serves again");
        Ok(id)
    }

    /// Notes why the newest file of a name does not serve.
    pub(crate) fn record_error(&self, name: &str, error: &PrepareError) {
        let mut slots = self.slots.lock();
        let slot = slots.entry(Arc::from(name)).or_default();
        slot.problem = Some(error.to_string());
        drop(slots);
        tracing::error!(plugin = name, %error, "plugin refused; what served before goes on");
    }

    /// Forgets why a file did not serve, since it is gone. Says whether anything serves under its
    /// name.
    pub(crate) fn clear_error(&self, name: &str) -> bool {
        let mut slots = self.slots.lock();
        let Some(slot) = slots.get_mut(name) else {
            return false;
        };
        slot.problem = None;
        let serves = slot.serving.is_some();
        if !serves {
            slots.remove(name);
        }
        serves
    }

    /// What each plugin is and does, by name.
    pub fn status(&self) -> Vec<PluginStatus> {
        let mut slots = self.slots.lock();
        slots
            .iter_mut()
            .map(|(name, slot)| slot.status(name))
            .collect()
    }
}

impl Slot {
    fn status(&mut self, name: &Arc<str>) -> PluginStatus {
        self.generations.retain(|(_, watched)| watched.is_alive());
        PluginStatus {
            name: Arc::clone(name),
            serving: self.serving.as_deref().map(GenerationStatus::of),
            previous: self.previous.as_deref().map(GenerationStatus::of),
            alive: self
                .generations
                .iter()
                .map(|(generation, _)| *generation)
                .collect(),
            swaps: self.swaps,
            problem: self.problem.clone(),
        }
    }
}

impl GenerationStatus {
    fn of(plugin: &Plugin) -> Self {
        Self {
            generation: plugin.id().generation,
            kind: plugin.kind(),
            version: plugin.version().to_owned(),
            digest: plugin.digest().to_owned(),
            origin: plugin.origin().clone(),
            instances: plugin.counts(),
        }
    }
}

fn collect_serving(slots: &BTreeMap<Arc<str>, Slot>) -> Arc<Plugins> {
    let mut all = Plugins::default();
    for (name, slot) in slots {
        let Some(plugin) = &slot.serving else {
            continue;
        };
        if let Some(executor) = plugin.executor() {
            all.executors.insert(Arc::clone(name), executor);
        }
        if let Some(selector) = plugin.selector() {
            all.selectors.insert(Arc::clone(name), selector);
        }
    }
    Arc::new(all)
}
