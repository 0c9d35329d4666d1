//! Whether a connection is used. A connection that is not is closed, whatever its protocol: one that sent
//! nothing, half a preface, only pings.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::http::{Request, Response};
use hyper::body::Incoming;
use hyper::service::{Service, service_fn};
use tokio::time::{Instant, sleep, sleep_until};
use tower::ServiceExt;

use super::responses::{OpenBody, Responses};
use crate::limits::{FIRST_HEAD_TIMEOUT, REQUEST_HEAD_TIMEOUT};
use crate::server::{Client, ConnectionPolicy};
use crate::wrong_keys::PeerAddress;

/// The requests of one connection.
#[derive(Debug, Default)]
pub(super) struct Activity {
    /// Requests whose heads arrived.
    begun: AtomicU64,
    /// Requests whose responses are not sent yet.
    open: AtomicUsize,
    /// The client has not taken what was written.
    unsent: AtomicBool,
    pub(super) responses: Responses,
}

/// A request whose response is not sent yet.
struct OpenRequest(Arc<Activity>);

impl Activity {
    /// Waits until a connection that was accepted then was not used for too long.
    pub(super) async fn unused(&self, accepted: Instant) {
        sleep_until(accepted + FIRST_HEAD_TIMEOUT).await;
        if self.begun.load(Ordering::Relaxed) > 0 {
            self.idle(REQUEST_HEAD_TIMEOUT).await;
        }
    }

    /// Waits until no request began for so long, and the client has all responses. May take twice as long.
    pub(super) async fn idle(&self, time: Duration) {
        loop {
            let before = self.begun.load(Ordering::Relaxed);
            sleep(time).await;
            let is_busy =
                self.open.load(Ordering::Relaxed) > 0 || self.unsent.load(Ordering::Relaxed);
            if !is_busy && self.begun.load(Ordering::Relaxed) == before {
                return;
            }
        }
    }

    /// Notes whether the client has taken what was written.
    pub(super) fn set_unsent(&self, unsent: bool) {
        // Relaxed: it guards no other data.
        self.unsent.store(unsent, Ordering::Relaxed);
    }

    fn begin(self: &Arc<Self>) -> OpenRequest {
        self.begun.fetch_add(1, Ordering::Relaxed);
        self.open.fetch_add(1, Ordering::Relaxed);
        OpenRequest(Arc::clone(self))
    }
}

impl Drop for OpenRequest {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Returns the service of one connection, which notes its requests in `activity` and gives them the client's address.
pub(super) fn counted(
    router: Router,
    client: Client,
    policy: Arc<ConnectionPolicy>,
    activity: Arc<Activity>,
) -> impl Service<
    Request<Incoming>,
    Response = Response<OpenBody<impl Send + Unpin + 'static>>,
    Error = Infallible,
    Future: Send + 'static,
> + Send
+ 'static {
    service_fn(move |mut request: Request<Incoming>| {
        let address = client.address(&policy.proxies, request.headers());
        if let Some(address) = address {
            request.extensions_mut().insert(PeerAddress(address));
        }
        let open = activity.begin();
        let (router, activity) = (router.clone(), Arc::clone(&activity));
        async move {
            let response = router.oneshot(request).await?;
            Ok(response.map(|body| OpenBody::new(body, open, &activity.responses)))
        }
    })
}

#[cfg(test)]
mod tests {
    use tokio::time::timeout;

    use super::*;

    /// How long a connection may be unused whose requests begin and end at these times, in seconds.
    async fn closed_after(requests: &[(u64, u64)]) -> Duration {
        let activity = Arc::new(Activity::default());
        let began = Instant::now();
        for (begin, end) in requests.iter().copied() {
            let activity = Arc::clone(&activity);
            #[expect(clippy::disallowed_methods, reason = "ends at a time of the test")]
            tokio::spawn(async move {
                sleep_until(began + Duration::from_secs(begin)).await;
                let open = activity.begin();
                sleep_until(began + Duration::from_secs(end)).await;
                drop(open);
            });
        }
        let unused = timeout(Duration::from_secs(10_000), activity.unused(began));
        unused.await.expect("the connection is never closed");
        began.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn closes_what_is_not_used() {
        let seconds = Duration::from_secs;
        assert_eq!(closed_after(&[]).await, FIRST_HEAD_TIMEOUT);
        let (first, idle) = (FIRST_HEAD_TIMEOUT, REQUEST_HEAD_TIMEOUT);
        assert_eq!(closed_after(&[(1, 2)]).await, first + idle);
        // A long response keeps it open.
        let closed = closed_after(&[(1, 1_000)]).await;
        assert!(
            closed > seconds(1_000) && closed <= seconds(1_000) + idle * 2,
            "{closed:?}"
        );
        // A request now and then, too.
        let often: Vec<_> = (0..20).map(|at| (1 + at * 60, 2 + at * 60)).collect();
        let closed = closed_after(&often).await;
        assert!(
            closed > seconds(1_142) && closed <= seconds(1_142) + idle * 2,
            "{closed:?}"
        );
    }
}
