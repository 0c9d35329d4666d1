//! The wasmtime engine with its limits, the linker, the ticker, and the code cache.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use jackfield_dispatch::port::PluginId;
use jackfield_dispatch::{Clock, MemoryBudget};
use tokio::sync::Semaphore;
use wasmtime::component::Linker;
use wasmtime::{
    Cache, Config, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig, Store,
    UpdateDeadline,
};
use wasmtime_wasi::WasiView;
use wasmtime_wasi::p2::bindings as wasi;

use crate::code_cache::{CodeCache, CodeCacheOptions};
use crate::contract;
use crate::host_state::HostState;
use crate::limits::{
    ALL_MEMORY_BYTES_MAX, INSTANCES_MAX, MEMORY_BYTES_MAX, OUTPUT_BYTES_MAX, STACK_BYTES_MAX,
    TABLE_ELEMENTS_MAX,
};
use crate::memory_budget::InstanceMemory;
use crate::slow_calls::{SlowCalls, SlowThreads};
use crate::ticker::{Activity, start_ticker};

/// Runs components. Cheap to clone. The ticker ends when the last clone is dropped.
#[derive(Clone)]
pub struct Engine(Arc<Inner>);

struct Inner {
    engine: wasmtime::Engine,
    linker: Linker<HostState>,
    instances: Arc<Semaphore>,
    cache: Option<CodeCache>,
    activity: Arc<Activity>,
    slow_calls: Box<dyn SlowCalls>,
    memory: Arc<MemoryBudget>,
    clock: Clock,
    compiling: Compiling,
    /// One permit, for compiling in the background.
    compile_permits: Arc<Semaphore>,
}

/// How an engine works.
#[derive(Default)]
pub struct EngineOptions<'a> {
    /// Where compiled code is cached; `None` to compile each component at each start.
    pub cache: Option<&'a CodeCacheOptions>,
    /// The clock by which plugins are suspended and proven; `None` for the system's.
    pub clock: Option<Clock>,
    /// How components are compiled.
    pub compiling: Compiling,
}

/// How an engine compiles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Compiling {
    /// On all cores, as fast as possible: nothing is served meanwhile.
    #[default]
    InPlace,
    /// On one thread with low priority, one component at a time.
    InBackground,
}

/// Why the engine could not be created.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// wasmtime does not support the platform.
    #[error("starting the WebAssembly engine")]
    Engine(#[source] wasmtime::Error),
    /// The ticker's thread could not be started.
    #[error("starting the thread that bounds the time of plugins")]
    Ticker(#[source] io::Error),
    /// The threads for slow calls could not be started.
    #[error("starting the threads for slow calls of plugins")]
    SlowThreads(#[source] io::Error),
}

impl Engine {
    /// Creates an engine. If the code cache cannot be used, which is logged, it compiles each component at each start.
    ///
    /// # Errors
    /// When wasmtime does not support the platform; when the threads cannot be started.
    pub fn new(options: EngineOptions<'_>) -> Result<Self, EngineError> {
        let EngineOptions {
            cache,
            clock,
            compiling,
        } = options;
        let cache = cache.and_then(|options| {
            let opened = CodeCache::open(options);
            opened
                .inspect_err(|problem| {
                    tracing::error!(
                        problem,
                        "code cache not used; plugins are compiled in memory"
                    )
                })
                .ok()
        });
        let wasmtime_cache = cache.as_ref().map(|cache| cache.cache().clone());
        let engine = wasmtime::Engine::new(&config(wasmtime_cache, compiling))
            .map_err(EngineError::Engine)?;
        let activity = Arc::<Activity>::default();
        start_ticker(&engine, Arc::clone(&activity)).map_err(EngineError::Ticker)?;
        let slow_threads = SlowThreads::start().map_err(EngineError::SlowThreads)?;
        Ok(Self(Arc::new(Inner {
            linker: linker(&engine).map_err(EngineError::Engine)?,
            // wasmtime's pool fails at once when it is full. With the semaphore a call can wait instead.
            instances: Arc::new(Semaphore::new(INSTANCES_MAX as usize)),
            cache,
            activity,
            slow_calls: Box::new(slow_threads),
            memory: Arc::new(MemoryBudget::new(ALL_MEMORY_BYTES_MAX)),
            clock: clock.unwrap_or_else(Clock::system),
            compiling,
            compile_permits: Arc::new(Semaphore::new(1)),
            engine,
        })))
    }

    /// Returns the hits and the misses of the code cache.
    pub fn cache_hits_and_misses(&self) -> (usize, usize) {
        self.0
            .cache
            .as_ref()
            .map(CodeCache::cache)
            .map_or((0, 0), |cache| (cache.cache_hits(), cache.cache_misses()))
    }

    /// Seals what was compiled from the component of this digest, so that the next start may use it. Blocks.
    pub(crate) fn seal_compiled_code(&self, digest: &str) {
        if let Some(cache) = &self.0.cache {
            cache.seal_new(&self.note_name(digest));
        }
    }

    /// Whether the code of the component of this digest is in the cache, so that it loads in milliseconds.
    pub(crate) fn is_compiled(&self, digest: &str) -> bool {
        let cache = self.0.cache.as_ref();
        cache.is_some_and(|cache| cache.is_noted(&self.note_name(digest)))
    }

    /// The same component compiled by another version of wasmtime, or for another processor, is other code.
    fn note_name(&self, digest: &str) -> String {
        let mut hasher = DefaultHasher::new();
        let hash = self.0.engine.precompile_compatibility_hash();
        hash.hash(&mut hasher);
        format!("{digest}-{:016x}", hasher.finish())
    }

    pub(crate) fn compiling(&self) -> Compiling {
        self.0.compiling
    }

    pub(crate) fn compile_permits(&self) -> Arc<Semaphore> {
        Arc::clone(&self.0.compile_permits)
    }

    /// Returns the number of instances of all plugins.
    pub fn instances_alive(&self) -> usize {
        INSTANCES_MAX as usize - self.0.instances.available_permits()
    }

    pub(crate) fn clock(&self) -> &Clock {
        &self.0.clock
    }

    pub(crate) fn wasmtime(&self) -> &wasmtime::Engine {
        &self.0.engine
    }

    /// All that a plugin may import.
    pub(crate) fn linker(&self) -> &Linker<HostState> {
        &self.0.linker
    }

    pub(crate) fn instance_permits(&self) -> &Arc<Semaphore> {
        &self.0.instances
    }

    /// The threads for calls that do not end at once.
    pub(crate) fn slow_calls(&self) -> &dyn SlowCalls {
        &*self.0.slow_calls
    }

    /// Creates a store with all limits. Its guest yields at each tick, and is stopped when its ticks are
    /// used up. `memory` is the budget of its plugin.
    pub(crate) fn store(
        &self,
        plugin: PluginId,
        log_lines_dropped: Arc<AtomicU64>,
        memory: &Arc<MemoryBudget>,
    ) -> Store<HostState> {
        let state = HostState::new(
            plugin,
            log_lines_dropped,
            InstanceMemory::new(memory, &self.0.memory),
            Arc::clone(&self.0.activity),
        );
        let mut store = Store::new(&self.0.engine, state);
        store.limiter(|state| state);
        store.set_hostcall_fuel(OUTPUT_BYTES_MAX);
        store.epoch_deadline_callback(|mut context| {
            let state = context.data_mut();
            state.activity.note();
            if let Some(call) = &mut state.call {
                call.tick()?;
            }
            match state.ticks_left.checked_sub(1) {
                Some(left) => {
                    state.ticks_left = left;
                    Ok(UpdateDeadline::Yield(1))
                }
                None => Err(TimeLimitExceeded.into()),
            }
        });
        store
    }
}

/// The error that stops a guest whose ticks are used up.
#[derive(Debug, thiserror::Error)]
#[error("the call used up its time")]
pub(crate) struct TimeLimitExceeded;

fn config(cache: Option<Cache>, compiling: Compiling) -> Config {
    let mut config = Config::new();
    config
        // Plugins do not use the component model's async functions. With support for them, a call costs
        // three to five times as much.
        .concurrency_support(false)
        .epoch_interruption(true)
        .cranelift_opt_level(OptLevel::Speed)
        .max_wasm_stack(STACK_BYTES_MAX)
        // Host functions run on the guest's stack. An overflow in them would abort the process, so half
        // of it is for them.
        .async_stack_size(STACK_BYTES_MAX * 2)
        .wasm_memory64(false)
        // In the background, wasmtime's own threads would have the priority of those that serve.
        .parallel_compilation(compiling == Compiling::InPlace)
        .cache(cache)
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool()));
    config
}

/// Slots for [`INSTANCES_MAX`] components. An unused slot takes only address space. A component of a
/// language's toolchain has several core instances and tables, but one memory.
fn pool() -> PoolingAllocationConfig {
    let mut pool = PoolingAllocationConfig::default();
    pool.total_component_instances(INSTANCES_MAX)
        .total_core_instances(INSTANCES_MAX * 8)
        .total_memories(INSTANCES_MAX * 2)
        .total_tables(INSTANCES_MAX * 8)
        .total_stacks(INSTANCES_MAX)
        .max_memory_size(MEMORY_BYTES_MAX)
        .table_elements(TABLE_ELEMENTS_MAX)
        .max_unused_warm_slots(64)
        // Measured: to keep pages resident costs more time than it saves, and a gigabyte at the peak.
        .linear_memory_keep_resident(0)
        .decommit_batch_size(8);
    pool
}

/// Links the contract and the WASI interfaces that language runtimes always import. There are no sockets, and
/// the file system has no folder.
fn linker(engine: &wasmtime::Engine) -> wasmtime::Result<Linker<HostState>> {
    use wasmtime_wasi::cli::{WasiCli, WasiCliView};
    use wasmtime_wasi::clocks::{WasiClocks, WasiClocksView};
    use wasmtime_wasi::filesystem::{WasiFilesystem, WasiFilesystemView};
    use wasmtime_wasi::random::WasiRandom;

    let mut linker = Linker::new(engine);
    let l = &mut linker;
    contract::link(l)?;
    add_wasi_io(l)?;
    wasi::clocks::wall_clock::add_to_linker::<HostState, WasiClocks>(l, HostState::clocks)?;
    wasi::clocks::monotonic_clock::add_to_linker::<HostState, WasiClocks>(l, HostState::clocks)?;
    wasi::random::random::add_to_linker::<HostState, WasiRandom>(l, |s| s.ctx().ctx.random())?;
    wasi::random::insecure::add_to_linker::<HostState, WasiRandom>(l, |s| s.ctx().ctx.random())?;
    wasi::random::insecure_seed::add_to_linker::<HostState, WasiRandom>(l, |s| {
        s.ctx().ctx.random()
    })?;
    wasi::cli::environment::add_to_linker::<HostState, WasiCli>(l, HostState::cli)?;
    wasi::cli::exit::add_to_linker::<HostState, WasiCli>(l, HostState::cli)?;
    wasi::cli::stdin::add_to_linker::<HostState, WasiCli>(l, HostState::cli)?;
    wasi::cli::stdout::add_to_linker::<HostState, WasiCli>(l, HostState::cli)?;
    wasi::cli::stderr::add_to_linker::<HostState, WasiCli>(l, HostState::cli)?;
    wasi::cli::terminal_input::add_to_linker::<HostState, WasiCli>(l, HostState::cli)?;
    wasi::cli::terminal_output::add_to_linker::<HostState, WasiCli>(l, HostState::cli)?;
    wasi::cli::terminal_stdin::add_to_linker::<HostState, WasiCli>(l, HostState::cli)?;
    wasi::cli::terminal_stdout::add_to_linker::<HostState, WasiCli>(l, HostState::cli)?;
    wasi::cli::terminal_stderr::add_to_linker::<HostState, WasiCli>(l, HostState::cli)?;
    wasi::filesystem::types::add_to_linker::<HostState, WasiFilesystem>(l, HostState::filesystem)?;
    wasi::filesystem::preopens::add_to_linker::<HostState, WasiFilesystem>(
        l,
        HostState::filesystem,
    )?;
    Ok(linker)
}

fn add_wasi_io(linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
    use wasmtime_wasi::p2::bindings::io;
    io::error::add_to_linker::<HostState, HasTable>(linker, |state| &mut state.table)?;
    io::poll::add_to_linker::<HostState, HasTable>(linker, |state| &mut state.table)?;
    io::streams::add_to_linker::<HostState, HasTable>(linker, |state| &mut state.table)
}

struct HasTable;

impl wasmtime::component::HasData for HasTable {
    type Data<'a> = &'a mut wasmtime::component::ResourceTable;
}
