//! A connection whose client does not read. Writes wait for it; without a limit, so would the call behind them,
//! with its credential and its connection to the provider.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

use super::activity::Activity;
use crate::limits::CLIENT_STALL_BYTES_MIN;

/// Fails writes when the client takes fewer than [`CLIENT_STALL_BYTES_MIN`] within the timeout while more waits.
#[derive(Debug)]
pub(super) struct StallGuard<S> {
    stream: S,
    timeout: Duration,
    /// Learns whether something waits.
    activity: Arc<Activity>,
    /// Since a write had to wait. `None` while nothing waits.
    blocked: Option<Blocked>,
}

#[derive(Debug)]
struct Blocked {
    until: Pin<Box<Sleep>>,
    /// What the client took meanwhile, in bytes.
    taken: usize,
}

impl<S> StallGuard<S> {
    pub(super) fn new(stream: S, timeout: Duration, activity: Arc<Activity>) -> Self {
        Self {
            stream,
            timeout,
            activity,
            blocked: None,
        }
    }

    /// Judges a write that waits.
    fn poll_stalled(&mut self, context: &mut Context<'_>) -> Poll<io::Error> {
        let timeout = self.timeout;
        loop {
            let activity = &self.activity;
            let blocked = self.blocked.get_or_insert_with(|| {
                activity.set_unsent(true);
                Blocked {
                    until: Box::pin(sleep(timeout)),
                    taken: 0,
                }
            });
            ready!(blocked.until.as_mut().poll(context));
            if blocked.taken < CLIENT_STALL_BYTES_MIN {
                return Poll::Ready(io::Error::new(
                    io::ErrorKind::TimedOut,
                    "the client does not read",
                ));
            }
            self.blocked = None;
        }
    }

    fn on_written(
        &mut self,
        written: Poll<io::Result<usize>>,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        match written {
            Poll::Pending => self.poll_stalled(context).map(Err),
            Poll::Ready(Ok(count)) => {
                if let Some(blocked) = &mut self.blocked {
                    blocked.taken = blocked.taken.saturating_add(count);
                }
                Poll::Ready(Ok(count))
            }
            failed => failed,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for StallGuard<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for StallGuard<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.on_written(written, context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.on_written(written, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    /// The caller flushes when it has nothing more to write, so that nothing waits any longer.
    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.blocked.take().is_some() {
            self.activity.set_unsent(false);
        }
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
    use tokio::time::Instant;

    use super::*;
    use jackfield_dispatch::limits::CLIENT_STALL_TIMEOUT;

    /// Writes without end to a client that reads `count` bytes each `pause`; returns how long that worked.
    async fn writes_for(count: usize, pause: Duration) -> Duration {
        let (server, mut client) = duplex(1 << 10);
        let began = Instant::now();
        let reader = async {
            let mut buffer = vec![0; count];
            while began.elapsed() < Duration::from_secs(1_000) {
                sleep(pause).await;
                if client.read_exact(&mut buffer).await.is_err() {
                    break;
                }
            }
        };
        let writer = async {
            let mut guard = StallGuard::new(server, CLIENT_STALL_TIMEOUT, Arc::default());
            let chunk = [0; 100];
            while began.elapsed() < Duration::from_secs(900) {
                if let Err(error) = guard.write_all(&chunk).await {
                    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
                    break;
                }
            }
            began.elapsed()
        };
        tokio::select! { lasted = writer => lasted, () = reader => began.elapsed() }
    }

    #[tokio::test(start_paused = true)]
    async fn drops_clients_that_do_not_read() {
        let (second, minute) = (Duration::from_secs(1), CLIENT_STALL_TIMEOUT);
        assert_eq!(writes_for(1, minute * 100).await, minute);
        // A few bytes now and then.
        assert!(writes_for(10, second * 10).await <= minute * 2);
        // Slow, but reading.
        assert!(writes_for(200, second * 5).await >= minute * 15);
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_of_the_server_is_no_stall() {
        let (server, mut client) = duplex(100);
        let mut guard = StallGuard::new(server, CLIENT_STALL_TIMEOUT, Arc::default());
        let mut buffer = [0; 150];
        for _ in 0..20 {
            let write = async {
                guard.write_all(&[0; 150]).await.unwrap();
                guard.flush().await.unwrap();
            };
            let read = async { client.read_exact(&mut buffer).await.unwrap() };
            tokio::join!(write, read);
            sleep(CLIENT_STALL_TIMEOUT * 2).await;
        }
    }
}
