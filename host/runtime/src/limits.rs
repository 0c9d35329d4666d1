//! Every limit for plugins, with its unit and its reason.

use std::time::Duration;

/// Size of a component, in bytes. A plugin in Python, the largest runtime known, has 18 MB. To compile a
/// component takes about half a second for each megabyte.
pub const COMPONENT_BYTES_MAX: u64 = 32 << 20;

/// Functions of a component, in all of its modules. CPython has 13,503. Compiled code and wasmtime's notes about each one
/// stay in memory: 300,000 tiny ones took 1.9 GB and 30 s of a core.
pub const FUNCTIONS_MAX: u64 = 50_000;

/// Imports and exports of a component, in all of its modules. A component in Python has 6,870. 90,000 took 1.3 GB.
pub const IMPORTS_AND_EXPORTS_MAX: u64 = 20_000;

/// Code of a component, in bytes. CPython has 6.6 MB, which take 11 to 31 s of a core to compile.
pub const CODE_BYTES_MAX: u64 = 16 << 20;

/// The largest function, in bytes. CPython's interpreter loop has 427 KB. The time for one function grows faster than its
/// size.
pub const FUNCTION_BYTES_MAX: u64 = 1 << 20;

/// How long the host waits until a component is compiled. A compilation cannot be stopped, so the limits above are what
/// bounds it; the next one begins after it in any case. The thread has a low priority, so that on a machine without a
/// free core one of 31 s may take ten times as long.
pub const COMPILE_WAIT: Duration = Duration::from_secs(600);

/// Earlier generations of a plugin that a rollback can put in use again. Each has its compiled code in memory, which is a
/// mapping of a file of the code cache: some 100 KB of a plugin in Rust, 40 MB of one in Python.
pub const GENERATIONS_HELD_MAX: usize = 3;

/// Plugins of which is noted that their code is in the cache: more than fit into it.
pub const COMPILED_NOTES_MAX: usize = 1_024;

/// Size of one linear memory of an instance, in bytes. CPython starts with 20 MB. To transform a body of
/// the largest size takes a few times that size.
pub const MEMORY_BYTES_MAX: usize = 128 << 20;

/// Linear memory of all instances of one generation, in bytes. A thousand streams through a plugin in Rust
/// take 1.1 GiB.
pub const PLUGIN_MEMORY_BYTES_MAX: usize = 2 << 30;

/// Linear memory of all instances of all plugins, in bytes: one plugin at its limit leaves as much to the
/// others.
pub const ALL_MEMORY_BYTES_MAX: usize = 4 << 30;

/// Entries of one table of an instance (function pointers). CPython uses about 8,000.
pub const TABLE_ELEMENTS_MAX: usize = 20_000;

/// Bytes that a guest may pass to the host in one call, as arguments or as its result. The largest such
/// value is a transformed body, so this is more than the largest body that the server accepts.
pub const OUTPUT_BYTES_MAX: usize = 48 << 20;

/// Instances of all plugins at one time. An instance takes about eight memory mappings, of which Linux
/// allows a process 65,530, and about 20 KiB while it is idle.
pub const INSTANCES_MAX: u32 = 1_000;

/// Clean instances that a generation keeps. A call takes microseconds, so hardly more instances than
/// threads are in use at the same time.
pub const IDLE_INSTANCES_MAX: usize = 16;

/// Clean instances that are created in advance for a generation whose instances see content.
pub const PREWARM_INSTANCES: usize = 4;

/// Calls that one instance serves before it is replaced. It bounds what a guest leaks that loses a handle
/// or a few bytes in each call.
pub const INSTANCE_CALLS_MAX: u32 = 100_000;

/// Linear memory, in bytes, up to which an instance is kept for another call. Memory never shrinks, so
/// one large call would hold it for the life of the instance.
pub const IDLE_MEMORY_BYTES_MAX: usize = 32 << 20;

/// How long a call waits for an instance while [`INSTANCES_MAX`] exist.
pub const INSTANCE_WAIT: Duration = Duration::from_secs(2);

/// Interval at which the time of guests is counted. A guest that does not end within two or three ticks
/// leaves the thread that serves, and on the threads for slow calls the next one follows after each tick.
pub const TICK: Duration = Duration::from_millis(1);

/// The interval while no guest runs, so that an idle host hardly wakes.
pub const IDLE_TICK: Duration = Duration::from_millis(10);

/// Ticks without a guest after which the interval is [`IDLE_TICK`].
pub const TICKS_TO_IDLE: u32 = 100;

/// Calls of all plugins that run or wait on the threads for slow calls. Each may hold
/// [`MEMORY_BYTES_MAX`], and a turn of all of them takes this many ticks.
pub const SLOW_CALLS_MAX: usize = 128;

/// The same for one generation of a plugin, so that one plugin leaves places to the others.
pub const SLOW_CALLS_PER_PLUGIN_MAX: usize = 32;

/// The same for one client of a generation, for each thread for slow calls. More would not end sooner, since all take
/// turns, and the breaker sees the first fault of a client the later, the more of its calls run.
pub const SLOW_CALLS_PER_CLIENT_AND_THREAD: usize = 4;

/// Calls of one generation that wait for such a place. Further ones fail at once.
pub const SLOW_CALLS_WAITING_MAX: usize = 256;

/// How long a call waits for such a place: as long as for an instance.
pub const SLOW_CALL_WAIT: Duration = INSTANCE_WAIT;

/// Niceness (0 to 19) of the threads for slow calls. Beside a busy thread of normal priority, such a thread
/// gets about a tenth of a core: enough for a slow but honest plugin to go on.
pub const SLOW_THREAD_NICENESS: i32 = 10;

/// Further times that a thread that serves goes on with a call whose first tick has passed, while the thread
/// was stopped by the system for most of that time. A guest that sleeps uses none of it, and leaves then.
pub const IN_PLACE_POLLS_MAX: u32 = 4;

/// Calls a second of one generation that may overrun their tick on a thread that serves. They waste up to
/// 30 ms of it, so one plugin costs the others at most 3 % of a core.
pub const OVERRUNS_PER_SECOND_MAX: f64 = 10.0;

/// Such calls at once after a quiet time.
pub const OVERRUNS_BURST_MAX: f64 = 10.0;

/// Ticks that one call may run: 300 ms. A call takes microseconds. If a scripting language transforms a
/// body of megabytes it takes tens of milliseconds. A busy machine makes both longer.
pub const CALL_TICKS_MAX: u32 = 300;

/// How long one call may take by the clock. Ticks do not count the time in which a guest sleeps. tokio's
/// `timeout` enforces it: it polls the call first, so a call that is ready at once registers no timer.
pub const CALL_WALL_MAX: Duration = Duration::from_secs(5);

/// Ticks that `describe` may run: 3 s. It is called once, outside of requests, and may initialize a
/// language runtime.
pub const DESCRIBE_TICKS_MAX: u32 = 3_000;

/// Stack of a guest, in bytes: wasmtime's default.
pub const STACK_BYTES_MAX: usize = 512 << 10;

/// Length of one log line of a guest, in bytes. The rest is cut off.
pub const LOG_LINE_BYTES_MAX: usize = 1_024;

/// Lines that an instance may log in one call. Further lines are dropped and counted.
pub const LOG_LINES_PER_CALL_MAX: u32 = 32;

/// Bytes of a guest's standard error that are stored, for the log line of its fault.
pub const STDERR_BYTES_MAX: usize = 2_048;

/// Values in a list of headers, patches, secrets, captures or frames.
pub const LIST_LENGTH_MAX: usize = 65_536;

/// Rows in the table of an executor's quotas. The host looks for all of them in the headers of each response; providers have
/// four limits and two or three windows.
pub const QUOTA_HEADERS_MAX: usize = 16;

/// Size of the code cache, in bytes: about a dozen of the largest components. Beyond it wasmtime removes
/// the code that was not used for the longest time.
pub const CODE_CACHE_BYTES_MAX: u64 = 512 << 20;

/// Files of the plugins folder that are read. Further ones are ignored, with an error in the log.
pub const PLUGIN_FILES_MAX: usize = 256;

/// Headers of a planned request. Servers accept about a hundred; a `HeaderMap` cannot hold 32,768.
pub const HEADERS_MAX: usize = 1_000;

/// Plans that a generation remembers. A plan of a relay takes about 1 KiB.
pub const PLANS_MAX: usize = 4_096;

/// Size of all plans that a generation remembers, in bytes.
pub const PLANS_BYTES_MAX: usize = 8 << 20;

/// Size of one remembered plan, in bytes. Larger ones have bodies of their own, which seldom repeat.
pub const PLAN_BYTES_MAX: usize = 16 << 10;

/// Plans of one client for one target that are remembered, by the values of what was read.
pub const PLAN_VARIANTS_MAX: usize = 8;

/// Reads that a remembered plan may depend on. Each costs a hash of its value in each later call.
pub const PLAN_READS_MAX: usize = 8;

/// Size of the values of these reads, in bytes.
pub const PLAN_READ_BYTES_MAX: usize = 4 << 10;

/// Of this many uses of remembered plans, one is computed again and compared.
pub const USES_PER_PROOF: u64 = 1_000;

/// Guest time that a plugin may waste on the requests of one client in [`CLIENT_WASTE_WINDOW`] before it is suspended for
/// that client: three calls that run over their time, or a hundred that trap at once. 1.7 % of a core.
pub const CLIENT_WASTE_MAX: Duration = Duration::from_secs(1);

/// How long it takes until a used-up budget is whole again.
pub const CLIENT_WASTE_WINDOW: Duration = Duration::from_secs(60);

/// What a fault costs at least: another instance, and lines in the log.
pub const FAULT_WASTE_MIN: Duration = Duration::from_millis(10);

/// Guest time of a call that its client left which is not charged: clients may leave. A call in a scripting language takes
/// about 3 ms.
pub const ABANDONED_TIME_FREE: Duration = Duration::from_millis(20);

/// The clients of one generation whose wasted time is counted, about 150 bytes each. Further ones replace the one with the
/// oldest fault that is not suspended. If all are suspended, further ones have no budget, and only the breaker for all
/// clients sees their faults.
pub const WASTEFUL_CLIENTS_MAX: usize = 4_096;

/// How long a client is suspended before its first trial. It doubles with each failed trial, and with each further
/// suspension within [`CIRCUIT_MEMORY`].
pub const SUSPENDED_CLIENT_WAIT: Duration = Duration::from_secs(10);

/// The longest time between the trials of a client.
pub const SUSPENDED_CLIENT_WAIT_MAX: Duration = Duration::from_secs(300);

/// The calls by which a plugin is suspended for all clients.
pub const EVIDENCE_WINDOW: Duration = Duration::from_secs(30);

/// Clients whose faults suspend a plugin for all. One client alone could break it for the others on purpose.
pub const SUSPENDING_CLIENTS: usize = 3;

/// Clients whose calls a plugin counts one by one in a part of [`EVIDENCE_WINDOW`]: enough that the one with the most
/// faults is among them. Clients whose last call was good make room for others.
pub const COUNTED_CLIENTS_MAX: usize = 8;

/// Faults that suspend a plugin for all: fewer may be chance.
pub const SUSPENDING_FAULTS_MIN: u64 = 10;

/// How long a plugin is suspended for all clients before its first trial. Shorter than for one client, since those that
/// did nothing wait, too.
pub const SUSPENDED_PLUGIN_WAIT: Duration = Duration::from_secs(5);

/// The longest time between the trials of a plugin.
pub const SUSPENDED_PLUGIN_WAIT_MAX: Duration = Duration::from_secs(60);

/// How long earlier suspensions make the next one longer.
pub const CIRCUIT_MEMORY: Duration = Duration::from_secs(600);

/// How long after a swap the generation before takes over by itself, if the new one fails for several clients. Later an
/// operator decides: the provider may have changed, and the old version may be as bad.
pub const PROVING_TIME: Duration = Duration::from_secs(600);

/// The generation before served well if at most one of this many of its calls failed.
pub const SERVED_WELL_CALLS_PER_FAULT: u64 = 10;

/// Events of plugins that wait for a reader. They are rare.
pub const PLUGIN_EVENTS_BUFFERED_MAX: usize = 256;

/// Suspended clients of one generation that the admin API shows.
pub const SUSPENDED_CLIENTS_SHOWN: usize = 100;
