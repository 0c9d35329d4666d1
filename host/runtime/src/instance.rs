//! The instances of one generation. A clean instance is kept for the next call, and some are created in
//! advance. An instance that read anything of a client or saw a response, or that failed, is dropped, so that
//! no call sees what is another's.

mod run;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use jackfield_dispatch::port::{FaultKind, PluginFault, PluginId};
use jackfield_dispatch::{ClientDigest, MemoryBudget};
use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{error::Elapsed, timeout};
use wasmtime::Store;
use wasmtime::component::InstancePre;

use crate::breaker::{Breaker, Pass};
use crate::client_places::ClientPlaces;
use crate::engine::Engine;
use crate::fault::{check_result, invalid_output};
use crate::host_state::HostState;
use crate::inspect::ContractVersion;
use crate::limits::{
    CALL_TICKS_MAX, IDLE_INSTANCES_MAX, IDLE_MEMORY_BYTES_MAX, INSTANCE_CALLS_MAX, INSTANCE_WAIT,
    PLUGIN_MEMORY_BYTES_MAX, PREWARM_INSTANCES, SLOW_CALLS_PER_CLIENT_AND_THREAD,
    SLOW_CALLS_PER_PLUGIN_MAX,
};
use crate::overruns::Overruns;
use crate::running_call::RunningCall;

/// A kind of plugin: how the host finds the functions of an instance.
pub(crate) trait World: Send + Sync + 'static {
    /// The positions of the functions in a component.
    type Indices: Send + Sync;
    /// The functions of one instance.
    type Bindings: Send + Sync;

    /// Looks up the functions of a component by name, once for all instances.
    ///
    /// # Errors
    /// When a function is missing.
    fn indices(
        version: ContractVersion,
        linked: &InstancePre<HostState>,
    ) -> wasmtime::Result<Self::Indices>;

    /// Returns the functions of an instance.
    ///
    /// # Errors
    /// When a function has another type than in the contract.
    fn bindings(
        indices: &Self::Indices,
        store: &mut Store<HostState>,
        instance: &wasmtime::component::Instance,
    ) -> wasmtime::Result<Self::Bindings>;
}

/// A loaded component as the registry sees it, whatever its kind.
pub(crate) trait Generation: fmt::Debug + Send + Sync {
    /// The version in its descriptor.
    fn version(&self) -> &str;

    /// Its instances, whatever their world.
    fn pool(&self) -> &dyn InstancePool;

    /// The number of plans that it remembers.
    fn plans(&self) -> usize {
        0
    }

    /// It is put in use, for the first time or after a rollback.
    fn begin_serving(&self) {
        self.pool().reactivate();
    }
}

/// The instances of one generation, whatever their world.
pub(crate) trait InstancePool {
    /// Counters of the instances.
    fn counts(&self) -> InstanceCounts;

    /// The breaker of the generation.
    fn breaker(&self) -> &Breaker;

    /// Drops the idle instances and keeps none from now on: another generation is in use.
    fn retire(&self);

    /// Keeps instances again: this generation is in use after a rollback.
    fn reactivate(&self);
}

/// The instances of one generation. A clone shares them.
pub(crate) struct Instances<W: World>(Arc<Shared<W>>);

impl<W: World> Clone for Instances<W> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

struct Shared<W: World> {
    engine: Engine,
    plugin: PluginId,
    linked: InstancePre<HostState>,
    indices: W::Indices,
    idle: Mutex<Idle<W>>,
    counters: Counters,
    overruns: Overruns,
    /// Places among the slow calls of all plugins.
    slow_places: Arc<Semaphore>,
    /// The places of each client among them.
    client_places: Arc<ClientPlaces>,
    /// Calls that wait for one of them.
    slow_waiting: AtomicUsize,
    memory: Arc<MemoryBudget>,
    breaker: Arc<Breaker>,
}

struct Idle<W: World> {
    instances: Vec<Instance<W>>,
    /// Instances that background tasks are creating.
    pending: usize,
    /// True while another generation is in use: no instance is kept then.
    retired: bool,
}

#[derive(Default)]
struct Counters {
    created: AtomicU64,
    calls: AtomicU64,
    faults: AtomicU64,
    log_lines_dropped: Arc<AtomicU64>,
}

/// Counters of a generation's instances, since it was loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InstanceCounts {
    /// Instances created.
    pub created: u64,
    /// Instances taken for plans, classifications, replies, refresh checks and picks.
    pub calls: u64,
    /// Faults of the plugin.
    pub faults: u64,
    /// Log lines dropped because of the limit for one call.
    pub log_lines_dropped: u64,
    /// Clean instances that wait for a call.
    pub idle: usize,
    /// Plans that an executor remembers.
    pub plans: usize,
}

/// One instance, in its store. Dropping it frees its slot and its memory.
pub(crate) struct Instance<W: World> {
    pub(crate) store: Store<HostState>,
    pub(crate) bindings: W::Bindings,
    calls: u32,
    _permit: OwnedSemaphorePermit,
}

impl<W: World> Instances<W> {
    /// Creates the pool and its first instance, which shows whether the functions have the contract's
    /// types. The caller uses that instance for `describe`.
    ///
    /// # Errors
    /// When the component does not match the contract, fails to start, or gets no instance in time.
    pub(crate) async fn start(
        engine: Engine,
        plugin: PluginId,
        version: ContractVersion,
        linked: InstancePre<HostState>,
    ) -> Result<(Self, Instance<W>), InstantiateError> {
        let indices = W::indices(version, &linked).map_err(InstantiateError::Link)?;
        let idle = Idle {
            instances: Vec::new(),
            pending: 0,
            retired: false,
        };
        let per_client = engine.slow_calls().threads() * SLOW_CALLS_PER_CLIENT_AND_THREAD;
        let breaker = Breaker::new(plugin.clone(), engine.clock().clone());
        let instances = Self(Arc::new(Shared {
            breaker: Arc::new(breaker),
            client_places: Arc::new(ClientPlaces::new(per_client)),
            engine,
            plugin,
            linked,
            indices,
            idle: Mutex::new(idle),
            counters: Counters::default(),
            overruns: Overruns::default(),
            slow_places: Arc::new(Semaphore::new(SLOW_CALLS_PER_PLUGIN_MAX)),
            slow_waiting: AtomicUsize::new(0),
            memory: Arc::new(MemoryBudget::new(PLUGIN_MEMORY_BYTES_MAX)),
        }));
        let first = instances.instantiate(HOST_PASS).await?;
        Ok((instances, first))
    }

    /// Lets a call of a client through.
    ///
    /// # Errors
    /// When the plugin is suspended, for the client or for all.
    pub(crate) fn admit(&self, client: ClientDigest) -> Result<Pass, PluginFault> {
        self.0.breaker.admit(client)
    }

    /// Takes a clean instance for one call: an idle one, or a new one.
    ///
    /// # Errors
    /// When [`INSTANCES_MAX`](crate::limits::INSTANCES_MAX) instances stay alive for
    /// [`INSTANCE_WAIT`], or when the component fails to start. Counts the fault.
    pub(crate) async fn acquire(&self, pass: Pass) -> Result<Instance<W>, PluginFault> {
        self.0.counters.calls.fetch_add(1, Ordering::Relaxed);
        let call = self.running(pass);
        match self.take(pass).await {
            Ok(mut instance) => {
                instance.begin_call(CALL_TICKS_MAX, call);
                Ok(instance)
            }
            Err(fault) => {
                call.failed(fault.kind);
                Err(fault)
            }
        }
    }

    /// Returns the call that a pass is for.
    pub(crate) fn running(&self, pass: Pass) -> RunningCall {
        RunningCall::new(Arc::clone(&self.0.breaker), pass)
    }

    async fn take(&self, pass: Pass) -> Result<Instance<W>, PluginFault> {
        // Only `release` puts an instance back, and no `Drop` does: a call that is cancelled halfway
        // leaves its instance in an unknown state.
        let idle = self.0.idle.lock().instances.pop();
        if let Some(instance) = idle {
            return Ok(instance);
        }
        self.instantiate(pass).await.map_err(|error| {
            let fault = match error {
                InstantiateError::Fault(fault) => fault,
                InstantiateError::Link(error) => {
                    invalid_output(&self.0.plugin, None, error.to_string())
                }
            };
            self.count_if_own(fault.kind);
            fault
        })
    }

    /// Creates the fault of a call whose instance is gone. The fault that dropped it is counted.
    pub(crate) fn lost(&self, detail: &str) -> PluginFault {
        PluginFault {
            plugin: self.0.plugin.clone(),
            kind: FaultKind::Trapped,
            detail: detail.to_owned(),
        }
    }

    fn overloaded(&self, detail: String) -> PluginFault {
        PluginFault {
            plugin: self.0.plugin.clone(),
            kind: FaultKind::Overloaded,
            detail,
        }
    }

    /// Returns the instance and the result of its call, or the plugin's fault, which it counts. After a
    /// fault the instance is dropped: its memory may be in any state.
    pub(crate) fn check<R>(
        &self,
        mut instance: Instance<W>,
        result: Result<wasmtime::Result<R>, Elapsed>,
    ) -> Result<(Instance<W>, R), PluginFault> {
        match check_result(instance.store.data(), result) {
            Ok(value) => Ok((instance, value)),
            Err(fault) => {
                self.count_if_own(fault.kind);
                instance.fail(fault.kind);
                Err(fault)
            }
        }
    }

    /// Creates an instance. The start function of a component runs under the limits of a call.
    async fn instantiate(&self, pass: Pass) -> Result<Instance<W>, InstantiateError> {
        // Not a part of the call below: to wait for a permit takes no thread.
        let permits = Arc::clone(self.0.engine.instance_permits());
        let Ok(Ok(permit)) = timeout(INSTANCE_WAIT, permits.acquire_owned()).await else {
            let waited = INSTANCE_WAIT.as_secs();
            return Err(self
                .overloaded(format!("no instance was free within {waited} s"))
                .into());
        };
        let shared = Arc::clone(&self.0);
        self.run(pass, async move { shared.instantiate(permit).await })
            .await
    }

    /// Creates and counts the fault of a plugin that returned a value the contract does not allow.
    pub(crate) fn invalid_output(
        &self,
        instance: &mut Instance<W>,
        detail: impl Into<String>,
    ) -> PluginFault {
        self.count_fault();
        instance.fail(FaultKind::InvalidOutput);
        invalid_output(&self.0.plugin, instance.store.data().call(), detail)
    }

    /// Creates an instance for a call that needs a fresh one; `None` if there is none.
    pub(crate) async fn fresh(&self) -> Option<Instance<W>> {
        let mut instance = self.instantiate(HOST_PASS).await.ok()?;
        instance.begin_call(CALL_TICKS_MAX, self.running(HOST_PASS));
        Some(instance)
    }

    /// Counts and logs a fault that no single call shows.
    pub(crate) fn report(&self, detail: impl Into<String>) {
        self.count_fault();
        invalid_output(&self.0.plugin, None, detail);
    }

    /// Counts a fault that the host found in what the plugin returned for a client.
    pub(crate) fn note_fault(&self, client: ClientDigest) {
        self.count_fault();
        let call = self.running(Pass::further(client));
        call.failed(FaultKind::InvalidOutput);
    }

    /// Takes an instance back after a call without a fault. Keeps it if it is not tainted, has little
    /// memory and has calls left; otherwise drops it and creates another one in advance.
    pub(crate) fn release(&self, mut instance: Instance<W>) {
        instance.succeed();
        let state = instance.store.data_mut();
        let reusable = !state.tainted && state.memory.bytes() <= IDLE_MEMORY_BYTES_MAX;
        state.clear_call_data();
        instance.calls += 1;
        if !reusable || instance.calls >= INSTANCE_CALLS_MAX {
            // Before `prewarm`: the new instance may need the permit that this one holds.
            drop(instance);
            return self.prewarm();
        }
        let mut idle = self.0.idle.lock();
        // Otherwise the instance is dropped after the lock is released, because it is a parameter.
        if !idle.retired && idle.instances.len() < IDLE_INSTANCES_MAX {
            idle.instances.push(instance);
        }
    }

    /// Counts what ended a call as a fault of this generation, unless the host had no instance or place for the call, or
    /// did not make it.
    fn count_if_own(&self, kind: FaultKind) {
        if kind != FaultKind::Overloaded && kind.retry_after().is_none() {
            self.count_fault();
        }
    }

    /// Counts a fault of this generation.
    fn count_fault(&self) {
        self.0.counters.faults.fetch_add(1, Ordering::Relaxed);
    }

    /// Creates an instance in the background, so that a later call finds it idle. Does nothing if
    /// [`PREWARM_INSTANCES`] are idle or pending.
    pub(crate) fn prewarm(&self) {
        let mut idle = self.0.idle.lock();
        if idle.retired || idle.instances.len() + idle.pending >= PREWARM_INSTANCES {
            return;
        }
        idle.pending += 1;
        drop(idle);
        // Weak, so that the task does not keep a generation alive that is not in use any more.
        let shared = Arc::downgrade(&self.0);
        #[expect(
            clippy::disallowed_methods,
            reason = "at most `PREWARM_INSTANCES` at a time, and each ends by itself"
        )]
        tokio::spawn(async move {
            let Some(shared) = shared.upgrade() else {
                return;
            };
            let created = Self(Arc::clone(&shared)).instantiate(HOST_PASS).await;
            let mut idle = shared.idle.lock();
            idle.pending -= 1;
            // The generation may have been retired in the meantime. An error is ignored: the next call
            // without an idle instance creates one itself, and counts the fault.
            if let (Ok(instance), false) = (created, idle.retired) {
                idle.instances.push(instance);
            }
        });
    }
}

impl<W: World> InstancePool for Instances<W> {
    fn retire(&self) {
        let mut idle = self.0.idle.lock();
        idle.retired = true;
        let dropped = std::mem::take(&mut idle.instances);
        // Not under the lock: dropping an instance unmaps memory.
        drop(idle);
        drop(dropped);
    }

    fn reactivate(&self) {
        self.0.idle.lock().retired = false;
    }

    fn breaker(&self) -> &Breaker {
        &self.0.breaker
    }

    fn counts(&self) -> InstanceCounts {
        let counters = &self.0.counters;
        InstanceCounts {
            created: counters.created.load(Ordering::Relaxed),
            calls: counters.calls.load(Ordering::Relaxed),
            faults: counters.faults.load(Ordering::Relaxed),
            log_lines_dropped: counters.log_lines_dropped.load(Ordering::Relaxed),
            idle: self.0.idle.lock().instances.len(),
            plans: 0,
        }
    }
}

/// Why an instance could not be created.
#[derive(Debug)]
pub(crate) enum InstantiateError {
    /// The component failed to start, or no instance was free in time.
    Fault(PluginFault),
    /// A function is missing, or has another type than in the contract. Only the first instance can
    /// find that.
    Link(wasmtime::Error),
}

impl From<PluginFault> for InstantiateError {
    fn from(fault: PluginFault) -> Self {
        Self::Fault(fault)
    }
}

impl<W: World> Shared<W> {
    async fn instantiate(
        &self,
        permit: OwnedSemaphorePermit,
    ) -> Result<Instance<W>, InstantiateError> {
        let log_lines_dropped = Arc::clone(&self.counters.log_lines_dropped);
        let mut store = self
            .engine
            .store(self.plugin.clone(), log_lines_dropped, &self.memory);
        begin_call(&mut store, CALL_TICKS_MAX, None);
        let instance = self.linked.instantiate_async(&mut store).await;
        let instance = check_result(store.data(), Ok(instance))?;
        let bindings = W::bindings(&self.indices, &mut store, &instance);
        let bindings = bindings.map_err(InstantiateError::Link)?;
        self.counters.created.fetch_add(1, Ordering::Relaxed);
        Ok(Instance {
            store,
            bindings,
            calls: 0,
            _permit: permit,
        })
    }
}

impl<W: World> Instance<W> {
    /// Prepares for one call of at most `ticks` ticks.
    pub(crate) fn begin_call(&mut self, ticks: u32, call: RunningCall) {
        begin_call(&mut self.store, ticks, Some(call));
    }

    /// The call ended well.
    pub(crate) fn succeed(&mut self) {
        if let Some(call) = self.store.data_mut().call.take() {
            call.succeeded();
        }
    }

    /// The call ended with a fault.
    fn fail(&mut self, kind: FaultKind) {
        if let Some(call) = self.store.data_mut().call.take() {
            call.failed(kind);
        }
    }
}

/// The host's own calls: `describe`, and instances that are created in advance.
pub(crate) const HOST_PASS: Pass = Pass::further(ClientDigest::HOST);

fn begin_call(store: &mut Store<HostState>, ticks: u32, call: Option<RunningCall>) {
    // Two: with one, a call that begins just before a tick would leave the thread after microseconds.
    store.set_epoch_deadline(2);
    let state = store.data_mut();
    state.activity.note();
    state.call = call;
    state.reset_limits(ticks);
}
