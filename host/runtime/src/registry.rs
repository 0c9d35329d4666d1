//! All plugins by name. A new version is prepared, which may fail, and then swapped in, which cannot
//! fail. It can be rolled back.

mod slot;
mod status;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use jackfield_dispatch::Clock;
use jackfield_dispatch::port::PluginId;
use jackfield_dispatch::snapshot::Plugins;
use parking_lot::Mutex;
use tokio::sync::{Semaphore, broadcast};
use tokio::task::spawn_blocking;

use self::slot::Slot;
pub use self::status::{GenerationStatus, PluginEvent, PluginEventKind, PluginStatus, TakenBack};
use crate::breaker::{BreakerCallback, BreakerNotice, TakeBackDue};
use crate::component_bytes::ComponentBytes;
use crate::engine::Engine;
use crate::limits::PLUGIN_EVENTS_BUFFERED_MAX;
use crate::plugin::{Origin, Plugin};
use crate::policy::PluginPolicies;
use crate::prepare_error::PrepareError;
use crate::proving::Proving;

/// Called after each change, in order, while the registry is locked: it must not block, and it must not
/// call the registry.
pub type ChangeCallback = Box<dyn Fn(&Arc<Plugins>) + Send + Sync>;

/// All plugins, their versions in use and the ones before.
pub struct Registry {
    engine: Engine,
    policies: PluginPolicies,
    shared: Arc<RegistryState>,
    /// One permit. To compile a component takes seconds of a core: one at a time leaves the other cores
    /// to requests.
    compiling: Semaphore,
}

/// What callbacks of breakers use, too.
struct RegistryState {
    slots: Mutex<BTreeMap<Arc<str>, Slot>>,
    publish: Mutex<ChangeCallback>,
    events: broadcast::Sender<PluginEvent>,
    clock: Clock,
    /// The newest generation of all plugins that were unloaded. A plugin that comes back under its name counts on
    /// from it: records of calls would otherwise have one number for two versions.
    newest_unloaded: AtomicU64,
}

/// Why a rollback is not possible.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RollbackError {
    /// There is no plugin of this name.
    #[error("there is no plugin `{0}`; GET /admin/v1/plugins lists them")]
    Unknown(String),
    /// The plugin has had one version only.
    #[error("plugin `{0}` has no previous version")]
    NoPreviousVersion(String),
    /// The generation is not held, or never existed.
    #[error("plugin `{name}` does not hold generation {generation}; {}", list_held(.held))]
    NotHeld {
        /// The plugin.
        name: String,
        /// The generation that was asked for.
        generation: u64,
        /// The generations that it can go back to, ascending.
        held: Vec<u64>,
    },
}

fn list_held(held: &[u64]) -> String {
    if held.is_empty() {
        return "it holds no version but the one in use".to_owned();
    }
    let held: Vec<String> = held.iter().map(u64::to_string).collect();
    format!("it holds {}", held.join(", "))
}

/// Why a plugin was not unloaded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnloadError {
    /// There is no plugin of this name.
    #[error("there is no plugin `{0}`; GET /admin/v1/plugins lists them")]
    Unknown(String),
    /// It is a part of the binary.
    #[error("plugin `{0}` is built in, so it cannot be unloaded")]
    BuiltIn(String),
    /// The next start would load it again.
    #[error("plugin `{name}` still has its file {}; remove the file first", .file.display())]
    HasFile {
        /// The plugin.
        name: String,
        /// The file.
        file: PathBuf,
    },
}

impl Registry {
    /// Creates a registry without plugins.
    pub fn new(engine: Engine) -> Self {
        Self::with_policies(engine, PluginPolicies::default())
    }

    /// Creates a registry without plugins, and with what the operator allows them.
    pub fn with_policies(engine: Engine, policies: PluginPolicies) -> Self {
        Self {
            shared: Arc::new(RegistryState {
                slots: Mutex::default(),
                publish: Mutex::new(Box::new(|_| ())),
                events: broadcast::Sender::new(PLUGIN_EVENTS_BUFFERED_MAX),
                clock: engine.clock().clone(),
                newest_unloaded: AtomicU64::new(0),
            }),
            engine,
            policies,
            compiling: Semaphore::new(1),
        }
    }

    /// Subscribes to what happens to plugins from now on.
    pub fn subscribe(&self) -> broadcast::Receiver<PluginEvent> {
        self.shared.events.subscribe()
    }

    /// The engine that runs the plugins.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Calls `publish` with the present set now, and with the new set after each change. It replaces the
    /// callback of an earlier call.
    pub fn on_change(&self, publish: ChangeCallback) {
        // Locked to the end: a swap between the call and the replacement would reach only the old
        // callback.
        let slots = self.shared.slots.lock();
        publish(&collect_serving(&slots));
        *self.shared.publish.lock() = publish;
    }

    /// Prepares a plugin and uses it from the next call on. Calls in progress end on the generation that
    /// they began with. Does nothing if the same component is in use already.
    ///
    /// # Errors
    /// When the plugin is rejected. The version in use stays, and [`status`](Self::status) has the
    /// reason.
    pub async fn load(
        &self,
        name: &str,
        bytes: Vec<u8>,
        origin: Origin,
    ) -> Result<PluginId, PrepareError> {
        let loaded = async {
            let component = ComponentBytes::check(bytes).await?;
            self.load_checked(name, component, origin).await
        };
        loaded
            .await
            .inspect_err(|error| self.record_error(name, error))
    }

    async fn load_checked(
        &self,
        name: &str,
        component: ComponentBytes,
        origin: Origin,
    ) -> Result<PluginId, PrepareError> {
        self.policies.check_digest(name, component.digest())?;
        // A file may be written again with the same bytes. A swap would then make this component its
        // own previous version, and a rollback would change nothing.
        if let Some(id) = self.already_serving(name, component.digest()) {
            return Ok(id);
        }
        let plugin = self.prepare(name, component, origin).await?;
        Ok(self.swap(plugin))
    }

    /// Says that plugins of these names will be loaded: calls wait for them.
    pub(crate) fn announce<'a>(&self, names: impl Iterator<Item = &'a str>) {
        let mut slots = self.shared.slots.lock();
        for name in names {
            slots.entry(Arc::from(name)).or_default().compiling = true;
        }
        self.shared.publish.lock()(&collect_serving(&slots));
    }

    /// Takes an announcement back: there is no such plugin.
    pub(crate) fn withdraw(&self, name: &str) {
        let mut slots = self.shared.slots.lock();
        if slots.get(name).is_some_and(|slot| slot.serving.is_none()) {
            slots.remove(name);
        }
        self.shared.publish.lock()(&collect_serving(&slots));
    }

    /// As [`load`](Self::load), if the code of the plugin is in the cache. False if it is not, or if the plugin is
    /// rejected before that is known.
    pub(crate) async fn load_compiled(&self, name: &str, bytes: Vec<u8>, origin: Origin) -> bool {
        let Ok(component) = ComponentBytes::check(bytes).await else {
            return false;
        };
        if !self.engine.is_compiled(component.digest()) {
            return false;
        }
        let loaded = self.load_checked(name, component, origin).await;
        let _ = loaded.inspect_err(|error| self.record_error(name, error));
        true
    }

    /// The plugin in use, if it is this very component. Clears the problem of its slot: the file is
    /// valid again.
    fn already_serving(&self, name: &str, digest: &str) -> Option<PluginId> {
        let mut slots = self.shared.slots.lock();
        let slot = slots.get_mut(name)?;
        let serving = slot
            .serving
            .as_ref()
            .filter(|plugin| plugin.digest() == digest)?;
        slot.problem = None;
        Some(serving.id().clone())
    }

    /// Does everything that can fail: compiles, links and starts a plugin, and gives it a generation.
    ///
    /// # Errors
    /// When the plugin is rejected.
    async fn prepare(
        &self,
        name: &str,
        component: ComponentBytes,
        origin: Origin,
    ) -> Result<Plugin, PrepareError> {
        // An error would mean a closed semaphore, but this one is never closed.
        let _permit = self.compiling.acquire().await;
        // No other load can take this number: the permit lets one plugin be prepared at a time. It is
        // stored only after success, so that rejected files leave no gap.
        let newest = self.shared.slots.lock().get(name).map(|slot| slot.newest);
        let unloaded = self.shared.newest_unloaded.load(Ordering::Relaxed);
        // A name that is only announced has no generation yet.
        let generation = 1 + newest.filter(|newest| *newest > 0).unwrap_or(unloaded);
        let id = PluginId {
            name: Arc::from(name),
            generation,
        };
        let policy = self.policies.of(name);
        let plugin = Plugin::compile(&self.engine, id, component, origin, &policy).await?;
        let mut slots = self.shared.slots.lock();
        let slot = slots.entry(Arc::from(name)).or_default();
        match &slot.serving {
            // The configuration names this plugin as the kind in use: with the other kind those calls
            // would find no plugin.
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

    /// Puts a prepared plugin in use and publishes the change. Cannot fail.
    fn swap(&self, plugin: Plugin) -> PluginId {
        let plugin = Arc::new(plugin);
        let id = plugin.id().clone();
        let breaker = plugin.generation().pool().breaker();
        breaker.on_event(self.shared.callback(&id));
        let now = self.shared.clock.now();
        let mut slots = self.shared.slots.lock();
        let slot = slots.entry(Arc::clone(&id.name)).or_default();
        // `status` removes these too, but it may never be called, and the list would grow with each swap.
        slot.generations
            .retain(|(_, plugin)| plugin.strong_count() > 0);
        slot.generations.push((id.generation, plugin.downgrade()));
        slot.problem = None;
        slot.taken_back = None;
        slot.compiling = false;
        slot.proving = slot.serving.as_ref().and_then(|before| {
            let pool = before.generation().pool();
            let is_suspended = pool.breaker().status().suspended.is_some();
            Proving::begin(pool.counts(), is_suspended, now)
        });
        slot.serve(Arc::clone(&plugin));
        // Published under the lock of the slots, so that subscribers see changes in order.
        self.shared.publish.lock()(&collect_serving(&slots));
        drop(slots);
        tracing::info!(plugin = %id, version = plugin.version(), digest = plugin.digest(), "plugin in use");
        id
    }

    /// Puts an earlier generation in use again: this one, or the previous one, so that two rollbacks cancel out. The
    /// one in use becomes the previous one. If the generation is in use already, it stays.
    ///
    /// # Errors
    /// When there is no plugin of this name, or it does not hold that generation.
    pub fn rollback(&self, name: &str, to: Option<u64>) -> Result<PluginId, RollbackError> {
        let mut slots = self.shared.slots.lock();
        let slot = slots
            .get_mut(name)
            .ok_or_else(|| RollbackError::Unknown(name.to_owned()))?;
        if let Some(to) = to
            && let Some(serving) = &slot.serving
            && serving.id().generation == to
        {
            let id = serving.id().clone();
            slot.operator_decided();
            return Ok(id);
        }
        let earlier = slot.take_held(to).ok_or_else(|| match to {
            None => RollbackError::NoPreviousVersion(name.to_owned()),
            Some(generation) => RollbackError::NotHeld {
                name: name.to_owned(),
                generation,
                held: slot.held_generations(),
            },
        })?;
        let id = earlier.id().clone();
        slot.operator_decided();
        slot.serve(earlier);
        self.shared.publish.lock()(&collect_serving(&slots));
        drop(slots);
        tracing::info!(plugin = %id, "plugin rolled back");
        Ok(id)
    }

    /// Takes a plugin out of use whose file was removed, with all its generations. Calls in progress end on the
    /// generation that they began with; new ones fail as if the plugin had never existed.
    ///
    /// # Errors
    /// When there is no plugin of this name, it is built in, or its file exists.
    pub async fn unload(&self, name: &str) -> Result<PluginId, UnloadError> {
        let unknown = || UnloadError::Unknown(name.to_owned());
        let (id, file) = {
            let slots = self.shared.slots.lock();
            let serving = slots.get(name).and_then(|slot| slot.serving.as_ref());
            let serving = serving.ok_or_else(unknown)?;
            match serving.origin() {
                Origin::BuiltIn => return Err(UnloadError::BuiltIn(name.to_owned())),
                Origin::File(file) => (serving.id().clone(), file.clone()),
            }
        };
        let looked_at = file.clone();
        // Not under the lock: a file system may be slow. What cannot be looked at counts as there.
        let looking = spawn_blocking(move || looked_at.try_exists().unwrap_or(true));
        let has_file = looking.await.unwrap_or(true);
        let mut slots = self.shared.slots.lock();
        let is_the_same = |plugin: &&Arc<Plugin>| *plugin.id() == id;
        let slot = slots.get(name);
        let serving = slot.and_then(|slot| slot.serving.as_ref().filter(is_the_same));
        // Another file may have been loaded meanwhile.
        let (Some(serving), false) = (serving.cloned(), has_file) else {
            let name = name.to_owned();
            return Err(UnloadError::HasFile { name, file });
        };
        let newest = slots.remove(name).map_or(0, |slot| slot.newest);
        let unloaded = &self.shared.newest_unloaded;
        unloaded.fetch_max(newest, Ordering::Relaxed);
        self.shared.publish.lock()(&collect_serving(&slots));
        drop(slots);
        serving.generation().pool().retire();
        tracing::warn!(plugin = %id, "plugin unloaded");
        Ok(id)
    }

    /// Records and logs why the newest file of a name was rejected.
    pub(crate) fn record_error(&self, name: &str, error: &PrepareError) {
        let mut slots = self.shared.slots.lock();
        let slot = slots.entry(Arc::from(name)).or_default();
        slot.problem = Some(error.to_string());
        if std::mem::take(&mut slot.compiling) {
            self.shared.publish.lock()(&collect_serving(&slots));
        }
        drop(slots);
        tracing::error!(plugin = name, %error, "plugin rejected; its previous version, if any, stays in use");
    }

    /// Keeps the error of a file in view after the built-in plugin of its name was put in use instead.
    pub(crate) fn restore_problem(&self, name: &str, problem: String) {
        let mut slots = self.shared.slots.lock();
        slots.entry(Arc::from(name)).or_default().problem = Some(problem);
    }

    /// Clears the error of a file that was removed. Returns true if a plugin of this name is in use.
    pub(crate) fn clear_error(&self, name: &str) -> bool {
        let mut slots = self.shared.slots.lock();
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

    /// Returns the status of each plugin, by name.
    pub fn status(&self) -> Vec<PluginStatus> {
        let mut slots = self.shared.slots.lock();
        slots
            .iter_mut()
            .map(|(name, slot)| slot.status(name))
            .collect()
    }
}

impl RegistryState {
    /// Returns what a breaker calls at its notices.
    fn callback(self: &Arc<Self>, id: &PluginId) -> BreakerCallback {
        let (shared, id) = (Arc::downgrade(self), id.clone());
        Box::new(move |notice| {
            let Some(shared) = shared.upgrade() else {
                return;
            };
            match notice {
                BreakerNotice::Event(event) => shared.emit(&id, PluginEventKind::Breaker(event)),
                BreakerNotice::TakeBackDue(due) => shared.take_back(&id, due),
            }
        })
    }

    fn emit(&self, id: &PluginId, kind: PluginEventKind) {
        let event = PluginEvent {
            at: self.clock.now(),
            plugin: id.clone(),
            kind,
        };
        // Sending fails if there is no reader, which is fine.
        let _ = self.events.send(event);
    }

    /// Puts the version before in use again, if the suspended one is in its proving time.
    fn take_back(&self, suspended: &PluginId, due: TakeBackDue) {
        let now = self.clock.now();
        let mut slots = self.slots.lock();
        let Some(slot) = slots.get_mut(&suspended.name) else {
            return;
        };
        let serves = |plugin: &Arc<Plugin>| plugin.id() == suspended;
        if !slot.serving.as_ref().is_some_and(serves) {
            return;
        }
        if slot.is_used_by_others(due.only_client) {
            return;
        }
        let is_in_time = slot.proving.take().is_some_and(|it| it.takes_back(now));
        let before = is_in_time.then(|| slot.take_held(None)).flatten();
        let Some(before) = before else {
            drop(slots);
            tracing::error!(plugin = %suspended, "the plugin stays in use; roll it back, or replace its file");
            return;
        };
        let id = before.id().clone();
        slot.taken_back = Some(TakenBack {
            generation: suspended.generation,
            at: now,
            why: due.why,
        });
        slot.serve(before);
        self.publish.lock()(&collect_serving(&slots));
        drop(slots);
        tracing::error!(plugin = %id, suspended = %suspended, "the version before is in use again; the new one failed within its proving time");
        self.emit(&id, PluginEventKind::TookOver);
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
    let compiling = slots.iter().filter(|(_, slot)| slot.compiling);
    all.compiling = compiling.map(|(name, _)| Arc::clone(name)).collect();
    Arc::new(all)
}
