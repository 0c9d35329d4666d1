//! The server: accepts connections up to a limit, and drains them when it stops.

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

use crate::limits::{ACCEPT_RETRY_DELAY, CONNECTIONS_MAX, HTTP2_STREAMS_MAX, REQUEST_HEAD_TIMEOUT};

/// How a server stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Drain {
    /// All calls ended in time.
    Complete,
    /// Calls were in progress after the longest wait and were aborted.
    CutOff,
}

/// Serves until `stop` is ready, then waits at most `drain_max` for calls in progress.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    stop: impl Future<Output = ()>,
    drain_max: Duration,
) -> Drain {
    let connections = GracefulShutdown::new();
    let permits = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let builder = builder();
    let mut stop = std::pin::pin!(stop);
    loop {
        // Before `accept`: at the limit, new connections wait in the system's queue, where they need no
        // file descriptor of this process.
        let Ok(permit) = Arc::clone(&permits).acquire_owned().await else {
            break;
        };
        let stream = tokio::select! {
            () = &mut stop => break,
            accepted = accept(&listener) => accepted,
        };
        let service = TowerToHyperService::new(router.clone());
        let connection = builder.serve_connection_with_upgrades(TokioIo::new(stream), service);
        let connection = connections.watch(connection.into_owned());
        #[expect(
            clippy::disallowed_methods,
            reason = "bounded by `permits`, drained by `connections`"
        )]
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::trace!(error, "connection ended");
            }
            // This use moves the permit into the task, so that it lives as long as the connection.
            drop(permit);
        });
    }
    // New connections fail at once while the others drain.
    drop(listener);
    match timeout(drain_max, connections.shutdown()).await {
        Ok(()) => Drain::Complete,
        Err(_) => Drain::CutOff,
    }
}

fn builder() -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(REQUEST_HEAD_TIMEOUT);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(HTTP2_STREAMS_MAX);
    builder
}

/// Returns the next connection. An error of one connection must not stop the server.
async fn accept(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                // Nagle's algorithm would delay a small event until the next one.
                if let Err(error) = stream.set_nodelay(true) {
                    tracing::debug!(%error, "connection without TCP_NODELAY");
                }
                return stream;
            }
            // Only this connection failed. The next one may wait already, so there is no delay.
            Err(error) if is_connection_error(&error) => {}
            Err(error) => {
                tracing::error!(%error, "connections cannot be accepted");
                sleep(ACCEPT_RETRY_DELAY).await;
            }
        }
    }
}

fn is_connection_error(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionReset
    )
}
