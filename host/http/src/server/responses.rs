//! The responses of one connection that are being sent. A client may leave one stream of an HTTP/2 connection unread while
//! it reads others: the connection is not stalled then, but the call behind the stream is.

use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, HttpBody};
use bytes::Bytes;
use hyper::body::{Frame, SizeHint};
use parking_lot::Mutex;
use tokio::time::{Instant, sleep};

/// The bodies that are being sent. There are no more than streams that were open since the last look.
#[derive(Debug, Default)]
pub(super) struct Responses(Mutex<Vec<Weak<Mutex<Sending>>>>);

/// A body that is being sent.
#[derive(Debug)]
struct Sending {
    /// `None` after the client left it unread for too long. Dropping it ends the call.
    body: Option<Body>,
    /// When the connection took the last piece. It asks for the next one when the client has read; while it asks, the
    /// provider is waited for, and this is `None`.
    taken: Option<Instant>,
}

impl Responses {
    /// Drops the bodies of which the client has read nothing for so long. Does not end.
    pub(super) async fn drop_stalled(&self, timeout: Duration) {
        loop {
            sleep(timeout / 4).await;
            self.0.lock().retain(|sending| {
                let Some(sending) = sending.upgrade() else {
                    return false;
                };
                let mut sending = sending.lock();
                if sending
                    .taken
                    .is_some_and(|taken| taken.elapsed() >= timeout)
                {
                    sending.body = None;
                }
                sending.body.is_some()
            });
        }
    }

    fn add(&self, sending: &Arc<Mutex<Sending>>) {
        let mut all = self.0.lock();
        if all.len() == all.capacity() {
            // Before it grows: a connection that is used for long must not collect what ended.
            all.retain(|sending| sending.strong_count() > 0);
        }
        all.push(Arc::downgrade(sending));
    }
}

/// The body of a response, with something that lives as long.
pub(super) struct OpenBody<T> {
    sending: Arc<Mutex<Sending>>,
    _open: T,
}

impl<T> OpenBody<T> {
    pub(super) fn new(body: Body, open: T, responses: &Responses) -> Self {
        // The call behind a whole body has ended.
        let is_whole = body.size_hint().exact().is_some();
        let sending = Arc::new(Mutex::new(Sending {
            body: Some(body),
            taken: None,
        }));
        if !is_whole {
            responses.add(&sending);
        }
        Self {
            sending,
            _open: open,
        }
    }
}

impl<T: Unpin> HttpBody for OpenBody<T> {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let mut sending = self.sending.lock();
        let Some(body) = &mut sending.body else {
            let error = axum::Error::new("the client did not read the response");
            return Poll::Ready(Some(Err(error)));
        };
        let polled = Pin::new(body).poll_frame(context);
        sending.taken = polled.is_ready().then(Instant::now);
        polled
    }

    fn is_end_stream(&self) -> bool {
        let sending = self.sending.lock();
        sending.body.as_ref().is_some_and(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        let sending = self.sending.lock();
        let hint = sending.body.as_ref().map(HttpBody::size_hint);
        hint.unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use futures_util::stream::{self, StreamExt};
    use tokio::time::timeout;

    use super::*;

    const TIMEOUT: Duration = Duration::from_secs(60);

    /// A body with a piece each second, and a sign that it was dropped.
    fn body() -> (Body, Weak<()>) {
        let alive = Arc::new(());
        let dropped = Arc::downgrade(&alive);
        let pieces = stream::repeat(()).then(move |()| {
            let alive = Arc::clone(&alive);
            async move {
                sleep(Duration::from_secs(1)).await;
                drop(alive);
                Ok::<_, std::io::Error>(Bytes::from_static(b"piece"))
            }
        });
        (Body::from_stream(pieces), dropped)
    }

    async fn next(body: &mut OpenBody<()>) -> Option<Result<Frame<Bytes>, axum::Error>> {
        poll_fn(|context| Pin::new(&mut *body).poll_frame(context)).await
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_the_client_does_not_read_is_dropped() {
        let responses = Responses::default();
        let open = |body| OpenBody::new(body, (), &responses);
        let ((stalled, stalled_alive), (read, read_alive)) = (body(), body());
        let (mut stalled, mut read) = (open(stalled), open(read));
        assert!(next(&mut stalled).await.unwrap().is_ok());
        // The other one is read on the same connection, longer than the timeout.
        let reading = async {
            for _ in 0..100 {
                assert!(next(&mut read).await.unwrap().is_ok());
            }
        };
        tokio::select! {
            () = responses.drop_stalled(TIMEOUT) => {}
            () = reading => {}
        }
        assert_eq!(stalled_alive.strong_count(), 0);
        assert!(read_alive.strong_count() > 0);
        assert!(next(&mut stalled).await.unwrap().is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_provider_is_not_the_clients_fault() {
        let responses = Responses::default();
        let silent = Body::from_stream(stream::pending::<std::io::Result<Bytes>>());
        let mut silent = OpenBody::new(silent, (), &responses);
        let watched = async {
            tokio::select! {
                () = responses.drop_stalled(TIMEOUT) => {}
                _ = next(&mut silent) => panic!("the body ended"),
            }
        };
        assert!(timeout(TIMEOUT * 10, watched).await.is_err());
    }

    #[tokio::test]
    async fn what_ended_is_not_collected() {
        let responses = Responses::default();
        for _ in 0..1_000 {
            let (body, _) = body();
            drop(OpenBody::new(body, (), &responses));
        }
        assert!(responses.0.lock().len() < 10);
    }
}
