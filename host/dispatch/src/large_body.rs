//! Work on large bodies: on the blocking pool, and only so many bytes of bodies at the same time. A parsed body takes
//! many times its size.

use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use crate::limits::{PARALLEL_BODIES_BYTES_MAX, TRANSLATED_INLINE_BYTES_MAX};

/// The places of the process. The memory that they protect is the process's, too.
static PLACES: Places = Places::new(PARALLEL_BODIES_BYTES_MAX);

/// Returns whether work on a body takes too long for a thread that serves other calls.
pub(crate) fn is_large(bytes: usize) -> bool {
    bytes > TRANSLATED_INLINE_BYTES_MAX
}

/// Works on a body of so many bytes, after earlier work left a place for it. The caller's deadline bounds the wait.
/// `None` if the work panicked or the process is ending.
pub(crate) async fn work_on<T: Send + 'static>(
    bytes: usize,
    work: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    PLACES.work_on(bytes, work).await
}

struct Places {
    /// One permit for each KiB.
    free: Semaphore,
    kib_max: usize,
}

impl Places {
    const fn new(bytes_max: usize) -> Self {
        let kib_max = bytes_max >> 10;
        Self {
            free: Semaphore::const_new(kib_max),
            kib_max,
        }
    }

    async fn work_on<T: Send + 'static>(
        &'static self,
        bytes: usize,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        // A body that is larger than all places has them alone.
        let kib = bytes.div_ceil(1 << 10).min(self.kib_max);
        let place = self.free.acquire_many(u32::try_from(kib).ok()?).await;
        let place = place.ok()?;
        let worked = spawn_blocking(move || {
            let result = work();
            // In the closure, since work goes on when its call is cancelled.
            drop(place);
            result
        });
        worked.await.ok()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::mpsc::channel;

    use futures_util::FutureExt;

    use super::*;

    #[tokio::test]
    async fn work_waits_until_earlier_work_leaves_a_place() {
        static PLACES: Places = Places::new(4 << 10);
        static BEGAN: AtomicBool = AtomicBool::new(false);
        let (end, ended) = channel::<()>();
        let mut first = Box::pin(PLACES.work_on(3 << 10, move || ended.recv().is_ok()));
        assert!((&mut first).now_or_never().is_none());
        // The call is cancelled, and its work goes on.
        drop(first);
        let mut second =
            Box::pin(PLACES.work_on(100 << 10, || BEGAN.store(true, Ordering::SeqCst)));
        assert!((&mut second).now_or_never().is_none());
        assert_eq!(PLACES.free.available_permits(), 0);
        assert!(!BEGAN.load(Ordering::SeqCst));
        end.send(()).unwrap();
        assert_eq!(second.await, Some(()));
        assert!(BEGAN.load(Ordering::SeqCst));
        assert_eq!(PLACES.free.available_permits(), 4);
    }

    #[tokio::test]
    async fn work_that_panics_gives_its_place_back() {
        static PLACES: Places = Places::new(1 << 10);
        let panicked = PLACES.work_on(1, || -> u32 { panic!("of the test") });
        assert_eq!(panicked.await, None);
        assert_eq!(PLACES.work_on(1, || 7).await, Some(7));
    }
}
