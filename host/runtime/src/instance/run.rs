//! Runs guest calls: on the thread that serves while they are short, and on threads of their own otherwise.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Duration;

use jackfield_dispatch::ClientDigest;
use jackfield_dispatch::port::{BoxFuture, PluginFault};
use tokio::task::yield_now;
use tokio::time::{Instant, timeout};

use super::{Instances, World};
use crate::breaker::Pass;
use crate::limits::{
    IN_PLACE_POLLS_MAX, SLOW_CALL_WAIT, SLOW_CALLS_MAX, SLOW_CALLS_PER_PLUGIN_MAX,
    SLOW_CALLS_WAITING_MAX, TICK,
};
use crate::slow_calls::{SlowPlaces, finish, thread_time};

impl<W: World> Instances<W> {
    /// Runs a guest call. It begins here, on the thread that serves; a call that has not ended after a tick
    /// or two goes on on the threads for slow calls. Dropping the future stops the call.
    ///
    /// # Errors
    /// The error of the call, `Overloaded` if there is no place for a slow call, or `SuspendedForClient` if the
    /// client was suspended while it waited for one. The instance is dropped with the call.
    pub(crate) async fn run<T, E>(
        &self,
        pass: Pass,
        call: impl Future<Output = Result<T, E>> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<PluginFault> + Send + 'static,
    {
        let mut call: BoxFuture<'static, Result<T, E>> = Box::pin(call);
        if self.0.overruns.allow(Instant::now) {
            if let Some(result) = poll_for_a_tick(&mut call).await {
                return result;
            }
            self.0.overruns.count(Instant::now());
        }
        let places = self.slow_places(pass.client).await?;
        self.0.breaker.check(pass)?;
        let slow_calls = self.0.engine.slow_calls();
        let ended = finish(slow_calls, call, places).await;
        ended.unwrap_or_else(|| Err(self.overloaded("the host stops".to_owned()).into()))
    }

    /// Waits for the places of a slow call.
    async fn slow_places(&self, client: ClientDigest) -> Result<SlowPlaces, PluginFault> {
        let full = || {
            self.overloaded(format!(
                "the places for slow calls of its client, its {SLOW_CALLS_PER_PLUGIN_MAX} or all {SLOW_CALLS_MAX} were taken for {} s, or {SLOW_CALLS_WAITING_MAX} calls wait for one",
                SLOW_CALL_WAIT.as_secs(),
            ))
        };
        let _waiting = Waiting::enter(&self.0.slow_waiting).ok_or_else(full)?;
        let (own, all) = (&self.0.slow_places, self.0.engine.slow_calls().places());
        let places = async {
            let of_client = self.0.client_places.acquire(client).await;
            let own = Arc::clone(own).acquire_owned().await.ok()?;
            let all = Arc::clone(all).acquire_owned().await.ok()?;
            Some((of_client, own, all))
        };
        let places = timeout(SLOW_CALL_WAIT, places).await;
        places.ok().flatten().ok_or_else(full)
    }
}

/// Polls a call until it ends, or has used a tick of this thread. On a busy machine the clock alone says
/// little: the system may stop this thread for several ticks while a guest runs for microseconds.
async fn poll_for_a_tick<T>(call: &mut BoxFuture<'static, T>) -> Option<T> {
    // Without a look at the thread's time, which is a system call: nearly all calls end here.
    let first = poll_fn(|context| Poll::Ready(call.as_mut().poll(context)));
    if let Poll::Ready(result) = first.await {
        return Some(result);
    }
    let mut used = Duration::ZERO;
    for _ in 0..IN_PLACE_POLLS_MAX {
        yield_now().await;
        let began = thread_time();
        let next = poll_fn(|context| Poll::Ready(call.as_mut().poll(context)));
        if let Poll::Ready(result) = next.await {
            return Some(result);
        }
        used += thread_time().saturating_sub(began);
        if used >= TICK / 2 {
            break;
        }
    }
    None
}

/// A call in the count of those that wait.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    /// Counts a call, if fewer than [`SLOW_CALLS_WAITING_MAX`] wait.
    fn enter(count: &'a AtomicUsize) -> Option<Self> {
        let more = |waiting| (waiting < SLOW_CALLS_WAITING_MAX).then(|| waiting + 1);
        let entered = count.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
        entered.is_ok().then_some(Self(count))
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
