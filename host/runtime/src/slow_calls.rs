//! Where guest calls go on that did not end at once: threads of their own, with lower priority than those
//! that serve. It must not assume anything of the runtime that serves.

use std::io;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::Duration;

use jackfield_dispatch::port::BoxFuture;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tracing::Instrument;
use tracing::instrument::WithSubscriber;

use crate::client_places::ClientPlace;
use crate::limits::{SLOW_CALLS_MAX, SLOW_THREAD_NICENESS};

/// Runs guest calls away from the threads that serve.
pub(crate) trait SlowCalls: Send + Sync {
    /// How many calls run at the same moment.
    fn threads(&self) -> usize;

    /// The places of all plugins. A call holds one while it runs.
    fn places(&self) -> &Arc<Semaphore>;

    /// Runs a call to its end. The caller holds a place, which bounds the number of calls.
    fn start(&self, call: BoxFuture<'static, ()>);
}

/// Runs a call on these threads and returns its result. Dropping the future stops the call at its next
/// tick. `None` if the threads ended before the call.
pub(crate) async fn finish<T: Send + 'static>(
    slow_calls: &dyn SlowCalls,
    call: BoxFuture<'static, T>,
    places: SlowPlaces,
) -> Option<T> {
    let (mut sender, receiver) = oneshot::channel();
    let call = async move {
        // Moved in: the places are free when the call has ended, not when its caller has noticed.
        let _places = places;
        tokio::select! {
            // First: the call of a client that left does not run for another tick.
            biased;
            () = sender.closed() => None,
            result = call => Some(result),
        }
        .and_then(|result| sender.send(result).ok());
    };
    // Log lines of the call belong to it on the other thread, too.
    slow_calls.start(Box::pin(call.in_current_span().with_current_subscriber()));
    receiver.await.ok()
}

/// The places of one slow call: its client's, its plugin's, and one of all plugins.
pub(crate) type SlowPlaces = (ClientPlace, OwnedSemaphorePermit, OwnedSemaphorePermit);

/// Threads with a runtime of their own. The calls take turns, a tick each.
pub(crate) struct SlowThreads {
    /// `None` only while it is dropped.
    runtime: Option<Runtime>,
    threads: usize,
    places: Arc<Semaphore>,
}

impl SlowThreads {
    /// Starts half as many threads as there are cores, but at least one: even if the system ignores
    /// priorities, half of the cores serve.
    pub(crate) fn start() -> io::Result<Self> {
        let cores = available_parallelism().map_or(1, NonZeroUsize::get);
        let threads = (cores / 2).max(1);
        let runtime = Builder::new_multi_thread()
            .worker_threads(threads)
            .thread_name("plugin-slow")
            .on_thread_start(lower_priority)
            // A guest that sleeps waits for a timer of the runtime that it runs on.
            .enable_time()
            .build()?;
        Ok(Self {
            runtime: Some(runtime),
            threads,
            places: Arc::new(Semaphore::new(SLOW_CALLS_MAX)),
        })
    }
}

impl SlowCalls for SlowThreads {
    fn threads(&self) -> usize {
        self.threads
    }

    fn places(&self) -> &Arc<Semaphore> {
        &self.places
    }

    fn start(&self, call: BoxFuture<'static, ()>) {
        if let Some(runtime) = &self.runtime {
            runtime.spawn(call);
        }
    }
}

impl Drop for SlowThreads {
    fn drop(&mut self) {
        // A plain drop would wait for the threads, and panic in an async context.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Lowers the priority of the present thread. On Linux, "process 0" is the thread; elsewhere it would be
/// the whole process.
pub(crate) fn lower_priority() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::setpriority_process(None, SLOW_THREAD_NICENESS) {
        tracing::warn!(%error, "threads for plugins have normal priority");
    }
}

/// Returns the time of a core that the present thread has used.
pub(crate) fn thread_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::try_from(time).unwrap_or_default()
}
