//! Every limit that a plugin runs under, with its unit and its reason.

use std::time::Duration;

/// A component's size on disk. The heaviest runtime seen, CPython, makes 18 MB of it; compiling
/// costs about half a second a megabyte.
pub const COMPONENT_BYTES_MAX: u64 = 32 << 20;

/// What one instance's linear memory may grow to. CPython starts with 20 MB; a transformed body of
/// the largest size needs a few times that size.
pub const MEMORY_BYTES_MAX: usize = 128 << 20;

/// Entries of one instance's tables: function pointers. CPython uses about 8,000.
pub const TABLE_ELEMENTS_MAX: usize = 20_000;

/// What a guest may hand over in one call, to the host or as an answer. A transformed body is the
/// largest such thing, so it follows the largest body that the server takes.
pub const OUTPUT_BYTES_MAX: usize = 48 << 20;

/// Live instances over all plugins. Each takes about eight memory mappings, of which Linux allows a
/// process 65,530, and about 20 KiB while idle.
pub const INSTANCES_MAX: u32 = 1_000;

/// Clean instances that a generation keeps. Calls last microseconds, so few more than there are
/// threads are ever in use at once.
pub const IDLE_INSTANCES_MAX: usize = 16;

/// How many clean instances are made ahead for a generation whose instances see content.
pub const PREWARM_INSTANCES: usize = 4;

/// Calls that one instance serves before it is replaced: a guest that leaks a little, a handle or a
/// few bytes a call, then never gets far.
pub const INSTANCE_CALLS_MAX: u32 = 100_000;

/// Linear memory up to which an instance is kept for another call. Memory never shrinks, so one
/// large call would be paid for until the end.
pub const IDLE_MEMORY_BYTES_MAX: usize = 32 << 20;

/// How long an exchange waits for an instance while [`INSTANCES_MAX`] are alive.
pub const INSTANCE_WAIT: Duration = Duration::from_secs(2);

/// The interval of the clock that guests' time is counted by. A guest gives way to other tasks at
/// each tick, so this is also how long it may hold a thread.
pub const TICK: Duration = Duration::from_millis(10);

/// Ticks that one call may run for: 300 ms. A call takes microseconds; a body of megabytes that a
/// scripting language transforms takes tens of milliseconds, and a busy machine stretches both.
pub const CALL_TICKS_MAX: u32 = 30;

/// How long one call may take by the wall clock, which also counts a guest that sleeps.
pub const CALL_WALL_MAX: Duration = Duration::from_secs(5);

/// Ticks for `describe`, which is called once, off every request's path, and may start a runtime.
pub const DESCRIBE_TICKS_MAX: u32 = 300;

/// The stack of a guest, in bytes: wasmtime's default.
pub const STACK_BYTES_MAX: usize = 512 << 10;

/// Length of one line that a guest logs; the rest is cut.
pub const LOG_LINE_BYTES_MAX: usize = 1_024;

/// Lines that one instance may log in one call; the rest is dropped and counted.
pub const LOG_LINES_PER_CALL_MAX: u32 = 32;

/// What is kept of a guest's standard error, for the log line of its trap.
pub const STDERR_BYTES_MAX: usize = 2_048;

/// Values in a list that becomes headers, patches, secrets or frames.
pub const LIST_LENGTH_MAX: usize = 65_536;

/// Compiled code kept on disk, in bytes, before the least used is removed: a dozen of the heaviest.
pub const CODE_CACHE_BYTES_MAX: u64 = 512 << 20;

/// Files considered in the plugins folder.
pub const PLUGIN_FILES_MAX: usize = 256;
