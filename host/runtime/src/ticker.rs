//! The thread that advances the epoch of the engine, by which the time of guests is counted.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::{self, Thread};

use crate::limits::{IDLE_TICK, TICK, TICKS_TO_IDLE};

/// Whether guests run. Without guests the ticker wakes rarely, so an idle host uses no power for it.
#[derive(Debug, Default)]
pub(crate) struct Activity {
    /// Whether a guest ran since the last tick.
    ran: AtomicBool,
    /// Whether the ticker waits for [`IDLE_TICK`].
    idle: AtomicBool,
    ticker: OnceLock<Thread>,
}

impl Activity {
    /// Notes that a guest runs, and wakes the ticker from a long wait. Mostly two reads of memory.
    pub(crate) fn note(&self) {
        // Read first: a write would take the cache line from the other cores in each call.
        if !self.ran.load(Ordering::Relaxed) {
            self.ran.store(true, Ordering::Relaxed);
        }
        if self.idle.load(Ordering::Acquire)
            && self.idle.swap(false, Ordering::AcqRel)
            && let Some(ticker) = self.ticker.get()
        {
            ticker.unpark();
        }
    }
}

/// Starts the thread. It is a thread and not a task, because guests that spin can occupy every thread of
/// the async runtime. It ends when the engine is dropped.
pub(crate) fn start_ticker(engine: &wasmtime::Engine, activity: Arc<Activity>) -> io::Result<()> {
    let engine = engine.weak();
    let tick = move || {
        let _ = activity.ticker.set(thread::current());
        let mut quiet_ticks = 0;
        while let Some(engine) = engine.upgrade() {
            engine.increment_epoch();
            // Before the wait: otherwise this thread would hold the engine nearly all the time, and free
            // it up to a tick late.
            drop(engine);
            quiet_ticks = match activity.ran.swap(false, Ordering::Relaxed) {
                true => 0,
                false => TICKS_TO_IDLE.min(quiet_ticks + 1),
            };
            let idle = quiet_ticks == TICKS_TO_IDLE;
            activity.idle.store(idle, Ordering::Release);
            thread::park_timeout(if idle { IDLE_TICK } else { TICK });
        }
    };
    thread::Builder::new()
        .name("plugin-ticker".to_owned())
        .spawn(tick)?;
    Ok(())
}
