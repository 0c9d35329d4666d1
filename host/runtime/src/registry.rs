//! All plugins by name. A new version is prepared, which may fail, and then swapped in, which cannot
//! fail. It can be rolled back.

mod status;

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};

use jackfield_dispatch::port::PluginId;
use jackfield_dispatch::snapshot::Plugins;
use jackfield_dispatch::{ClientDigest, Clock};
use parking_lot::Mutex;
use tokio::sync::{Semaphore, broadcast};

pub use self::status::{GenerationStatus, PluginEvent, PluginEventKind, PluginStatus, TakenBack};
use crate::breaker::{BreakerCallback, BreakerNotice, TakeBackDue};
use crate::component_bytes::ComponentBytes;
use crate::engine::Engine;
use crate::instance::Generation;
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
}

#[derive(Default)]
struct Slot {
    serving: Option<Arc<Plugin>>,
    /// The version in use before, for a rollback.
    previous: Option<Arc<Plugin>>,
    /// The number of the newest generation.
    newest: u64,
    /// Generations that calls may still use.
    generations: Vec<(u64, Weak<dyn Generation>)>,
    swaps: u64,
    problem: Option<String>,
    /// Set while the version before would take over.
    proving: Option<Proving>,
    /// Set if the version in use took over by itself.
    taken_back: Option<TakenBack>,
    /// Whether a file of this name is being compiled, or waits for it, and no version serves.
    compiling: bool,
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
        let generation = 1 + self
            .shared
            .slots
            .lock()
            .get(name)
            .map_or(0, |slot| slot.newest);
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

    /// Puts the previous generation in use again. The present one becomes the previous one, so that two
    /// rollbacks cancel out.
    ///
    /// # Errors
    /// When there is no plugin of this name, or it has no previous version.
    pub fn rollback(&self, name: &str) -> Result<PluginId, RollbackError> {
        let mut slots = self.shared.slots.lock();
        let slot = slots
            .get_mut(name)
            .ok_or_else(|| RollbackError::Unknown(name.to_owned()))?;
        let no_previous_version = || RollbackError::NoPreviousVersion(name.to_owned());
        let previous = slot.previous.take().ok_or_else(no_previous_version)?;
        let id = previous.id().clone();
        // The operator decided.
        slot.proving = None;
        slot.taken_back = None;
        slot.serve(previous);
        self.shared.publish.lock()(&collect_serving(&slots));
        drop(slots);
        tracing::info!(plugin = %id, "plugin rolled back");
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
        let before = slot.previous.take_if(|_| is_in_time);
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

impl Slot {
    /// Puts a version in use. The one in use becomes the one before.
    fn serve(&mut self, plugin: Arc<Plugin>) {
        plugin.generation().begin_serving();
        if let Some(replaced) = self.serving.replace(plugin) {
            self.swaps += 1;
            replaced.generation().pool().retire();
            self.previous = Some(replaced);
        }
    }

    /// Whether the version before has served others than the only client of the one in use: one client does not decide
    /// for them.
    fn is_used_by_others(&self, only_client: Option<ClientDigest>) -> bool {
        let Some((client, before)) = only_client.zip(self.previous.as_ref()) else {
            return false;
        };
        !before.generation().pool().breaker().is_used_only_by(client)
    }

    fn status(&mut self, name: &Arc<str>) -> PluginStatus {
        self.generations
            .retain(|(_, plugin)| plugin.strong_count() > 0);
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
            proving_until: self.proving.map(Proving::until),
            taken_back: self.taken_back.clone(),
            compiling: self.compiling,
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
    let compiling = slots.iter().filter(|(_, slot)| slot.compiling);
    all.compiling = compiling.map(|(name, _)| Arc::clone(name)).collect();
    Arc::new(all)
}
