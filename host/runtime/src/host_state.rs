//! The host's data of one instance: its limits, the input of its call, and what it has seen.

use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use jackfield_dialect::truncate;
use jackfield_dispatch::port::{Columns, PluginId};
use parking_lot::Mutex;
use rand::rngs::SmallRng;
use rand::{SeedableRng, TryRng};
use tokio::io::AsyncWrite;
use tracing::Level;
use wasmtime::component::ResourceTable;
use wasmtime::{ResourceLimiter, StoreLimits, StoreLimitsBuilder};
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::{
    HostMonotonicClock, HostWallClock, WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView,
};

use crate::limits::{
    LOG_LINE_BYTES_MAX, LOG_LINES_PER_CALL_MAX, MEMORY_BYTES_MAX, STDERR_BYTES_MAX,
    TABLE_ELEMENTS_MAX,
};
use crate::memory_budget::InstanceMemory;
use crate::reads::{CallInput, Read, Reads};
use crate::running_call::RunningCall;
use crate::ticker::Activity;

/// The data of one instance's store.
pub(crate) struct HostState {
    /// The plugin, for log lines and faults.
    pub(crate) plugin: PluginId,
    /// Ticks that the present call may run.
    pub(crate) ticks_max: u32,
    /// Ticks left of `ticks_max`.
    pub(crate) ticks_left: u32,
    /// Log lines that the present call may still write.
    pub(crate) log_lines_left: u32,
    /// Log lines dropped by all instances of the generation.
    pub(crate) log_lines_dropped: Arc<AtomicU64>,
    /// The settings for the present call.
    pub(crate) settings: Arc<str>,
    /// What the guest may read in the present call.
    pub(crate) input: CallInput,
    /// What it has read of that.
    pub(crate) reads: Reads,
    /// The candidates of the present pick.
    pub(crate) candidates: Option<Arc<dyn Columns>>,
    /// Whether the instance has read anything of a client, or seen a response. Such an instance is not
    /// reused.
    pub(crate) tainted: bool,
    /// The total size of its linear memories.
    pub(crate) memory: InstanceMemory,
    /// The limit beyond which it requested memory, in words.
    pub(crate) memory_refused: Option<String>,
    /// The present call, for the breaker.
    pub(crate) call: Option<RunningCall>,
    /// Where the host notes that a guest runs.
    pub(crate) activity: Arc<Activity>,
    /// The WASI resources of the guest.
    pub(crate) table: ResourceTable,
    limits: StoreLimits,
    stderr: Stderr,
    wasi: WasiCtx,
    wasi_read: WasiRead,
}

impl HostState {
    pub(crate) fn new(
        plugin: PluginId,
        log_lines_dropped: Arc<AtomicU64>,
        memory: InstanceMemory,
        activity: Arc<Activity>,
    ) -> Self {
        let stderr = Stderr::default();
        let wasi_read = WasiRead::default();
        let limits = StoreLimitsBuilder::new()
            .memory_size(MEMORY_BYTES_MAX)
            .table_elements(TABLE_ELEMENTS_MAX)
            .build();
        Self {
            plugin,
            ticks_max: 0,
            ticks_left: 0,
            log_lines_left: 0,
            log_lines_dropped,
            settings: Arc::from("{}"),
            input: CallInput::default(),
            reads: Reads::default(),
            candidates: None,
            tainted: false,
            memory,
            memory_refused: None,
            call: None,
            activity,
            table: ResourceTable::new(),
            limits,
            wasi: wasi(stderr.clone(), &wasi_read),
            wasi_read,
            stderr,
        }
    }

    /// Sets the limits for one call.
    pub(crate) fn reset_limits(&mut self, ticks: u32) {
        self.ticks_max = ticks;
        self.ticks_left = ticks;
        self.log_lines_left = LOG_LINES_PER_CALL_MAX;
    }

    /// Notes what the guest reads of the client.
    pub(crate) fn note(&mut self, read: Read) {
        self.tainted = true;
        self.reads.note(read);
    }

    /// Notes that the guest reads the whole body.
    pub(crate) fn note_body(&mut self) {
        self.tainted = true;
        self.reads.use_once();
    }

    /// Forgets what the guest has read so far, such as a random number when it started.
    pub(crate) fn begin_reads(&mut self) {
        self.reads.clear();
        self.wasi_read.0.store(false, Ordering::Relaxed);
    }

    /// Returns what the guest has read since [`Self::begin_reads`], WASI's clocks and random numbers included.
    pub(crate) fn take_reads(&mut self) -> Reads {
        let mut reads = std::mem::take(&mut self.reads);
        if self.wasi_read.0.load(Ordering::Relaxed) {
            reads.use_once();
        }
        reads
    }

    /// Reads a column of the candidates. Returns `none` outside of a pick.
    pub(crate) fn column<T>(&self, none: T, read: impl FnOnce(&dyn Columns) -> T) -> T {
        self.candidates.as_deref().map_or(none, read)
    }

    /// Writes a line of the guest to the log.
    pub(crate) fn log(&mut self, level: Level, message: &str) {
        let Some(left) = self.log_lines_left.checked_sub(1) else {
            self.log_lines_dropped.fetch_add(1, Ordering::Relaxed);
            return;
        };
        self.log_lines_left = left;
        let message = truncate(message, LOG_LINE_BYTES_MAX);
        let (plugin, call) = (&self.plugin, self.call());
        match level {
            Level::TRACE => tracing::trace!(%plugin, call, "{message}"),
            Level::DEBUG => tracing::debug!(%plugin, call, "{message}"),
            Level::INFO => tracing::info!(%plugin, call, "{message}"),
            Level::WARN => tracing::warn!(%plugin, call, "{message}"),
            Level::ERROR => tracing::error!(%plugin, call, "{message}"),
        }
    }

    /// Clears the input of the call that has ended, so that an idle instance holds no body.
    pub(crate) fn clear_call_data(&mut self) {
        self.input = CallInput::default();
        self.candidates = None;
    }

    /// Returns the id of the client's call, if the guest is called for one.
    pub(crate) fn call(&self) -> Option<&str> {
        self.input.call.as_deref()
    }

    /// Returns the first [`STDERR_BYTES_MAX`] bytes that the guest wrote to standard error.
    pub(crate) fn stderr(&self) -> String {
        String::from_utf8_lossy(&self.stderr.0.lock()).into_owned()
    }
}

impl WasiView for HostState {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView {
            ctx: &mut self.wasi,
            table: &mut self.table,
        }
    }
}

impl ResourceLimiter for HostState {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let within = self.limits.memory_growing(current, desired, maximum)?;
        let refused = match within {
            false => Some(format!("{} MiB of memory", MEMORY_BYTES_MAX >> 20)),
            true => self.memory.grow(desired - current).err(),
        };
        let allowed = refused.is_none();
        if let Some(limit) = refused {
            self.memory_refused = Some(limit);
        }
        Ok(allowed)
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        self.limits.table_growing(current, desired, maximum)
    }
}

/// WASI without files, sockets and environment. The clock stands still and random numbers are always the
/// same, so that the result of a guest depends only on its input.
fn wasi(stderr: Stderr, read: &WasiRead) -> WasiCtx {
    let random = || NotedRandom(SmallRng::seed_from_u64(0), read.clone());
    let mut builder = WasiCtxBuilder::new();
    builder
        .stderr(stderr)
        .secure_random(random())
        .insecure_random(random())
        .insecure_random_seed(0)
        .wall_clock(StoppedClock(read.clone()))
        .monotonic_clock(StoppedClock(read.clone()))
        .allow_tcp(false)
        .allow_udp(false);
    builder.build()
}

/// Whether the guest has read a clock or random numbers of WASI since the call began.
#[derive(Clone, Default)]
struct WasiRead(Arc<AtomicBool>);

impl WasiRead {
    fn note(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

struct NotedRandom(SmallRng, WasiRead);

impl TryRng for NotedRandom {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        self.1.note();
        self.0.try_next_u32()
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        self.1.note();
        self.0.try_next_u64()
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        self.1.note();
        self.0.try_fill_bytes(bytes)
    }
}

struct StoppedClock(WasiRead);

impl HostWallClock for StoppedClock {
    fn resolution(&self) -> Duration {
        Duration::from_millis(1)
    }

    fn now(&self) -> Duration {
        self.0.note();
        Duration::ZERO
    }
}

impl HostMonotonicClock for StoppedClock {
    fn resolution(&self) -> u64 {
        1
    }

    fn now(&self) -> u64 {
        self.0.note();
        0
    }
}

/// Standard error of a guest. It stores the first [`STDERR_BYTES_MAX`] bytes and discards the rest.
#[derive(Clone, Default)]
struct Stderr(Arc<Mutex<Vec<u8>>>);

impl IsTerminal for Stderr {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Stderr {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }
}

impl AsyncWrite for Stderr {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut buffer = self.0.lock();
        let space = STDERR_BYTES_MAX
            .saturating_sub(buffer.len())
            .min(bytes.len());
        buffer.extend_from_slice(&bytes[..space]);
        // Everything counts as written: an error would make the guest's runtime fail.
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use jackfield_dispatch::MemoryBudget;

    use super::*;

    #[test]
    fn memory_is_capped_over_instances() {
        let budget = |max| Arc::new(MemoryBudget::new(max));
        let (own, all) = (budget(4 << 20), budget(6 << 20));
        let state = |own: &Arc<MemoryBudget>| {
            let plugin = PluginId {
                name: Arc::from("p"),
                generation: 1,
            };
            let memory = InstanceMemory::new(own, &all);
            HostState::new(plugin, Arc::default(), memory, Arc::default())
        };
        let (mut first, mut second) = (state(&own), state(&own));
        assert!(first.memory_growing(0, 3 << 20, None).unwrap());
        assert!(!second.memory_growing(0, 2 << 20, None).unwrap());
        let limit = second.memory_refused.as_deref();
        assert_eq!(limit, Some("2048 MiB of memory for this plugin"));
        let other = budget(9 << 20);
        let mut other = state(&other);
        assert!(!other.memory_growing(0, 4 << 20, None).unwrap());
        let limit = other.memory_refused.as_deref();
        assert_eq!(limit, Some("4096 MiB of memory for all plugins"));
        drop(first);
        assert!(second.memory_growing(0, 2 << 20, None).unwrap());
        assert!(other.memory_growing(0, 4 << 20, None).unwrap());
    }
}
