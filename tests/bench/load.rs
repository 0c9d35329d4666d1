//! The load generator: hand-written HTTP/1.1 over persistent connections, so that its own cost is small. It
//! checks every response: a wrong one is an error.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use memchr::memmem;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use crate::Result;
use crate::chat::{self, ResponseKind};

/// How long one request may take before the benchmark fails.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(30);

/// The requests of a load.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Load {
    pub(crate) kind: ResponseKind,
    pub(crate) connections: usize,
    pub(crate) requests: usize,
}

/// The result of a load.
pub(crate) struct Outcome {
    /// Times from a request's first byte to the first byte of its response body, ascending.
    pub(crate) first_bytes: Vec<Duration>,
    /// Times from a request's first byte to the last byte of its response, ascending.
    pub(crate) response_times: Vec<Duration>,
    /// Time from the first request to the last response.
    pub(crate) took: Duration,
}

/// Open connections, each of which has had a response already.
pub(crate) struct Ready {
    connections: Vec<Connection>,
    requests: usize,
}

impl Load {
    pub(crate) const fn new(kind: ResponseKind, connections: usize, requests: usize) -> Self {
        Self {
            kind,
            connections,
            requests,
        }
    }

    /// Opens the connections.
    pub(crate) async fn open(self, address: SocketAddr, request: Bytes) -> Result<Ready> {
        let mut connections = Vec::with_capacity(self.connections);
        for _ in 0..self.connections {
            let mut connection = Connection::open(address, request.clone(), self.kind).await?;
            timeout(TIMEOUT, connection.exchange()).await??;
            connections.push(connection);
        }
        Ok(Ready {
            connections,
            requests: self.requests,
        })
    }
}

impl Ready {
    /// Sends the requests over all connections, one after the other on each connection.
    pub(crate) async fn run(self) -> Result<Outcome> {
        let left = Arc::new(AtomicUsize::new(self.requests));
        let mut tasks = JoinSet::new();
        let began = Instant::now();
        for mut connection in self.connections {
            let left = Arc::clone(&left);
            tasks.spawn(async move {
                let mut timings = Vec::new();
                while take_one(&left) {
                    timings.push(timeout(TIMEOUT, connection.exchange()).await??);
                }
                Ok::<_, Box<dyn std::error::Error + Send + Sync>>(timings)
            });
        }
        let (mut first_bytes, mut response_times) = (Vec::new(), Vec::new());
        let mut took = Duration::ZERO;
        while let Some(timings) = tasks.join_next().await {
            for timing in timings?? {
                first_bytes.push(timing.first_byte);
                response_times.push(timing.total);
            }
            took = began.elapsed();
        }
        first_bytes.sort_unstable();
        response_times.sort_unstable();
        Ok(Outcome {
            first_bytes,
            response_times,
            took,
        })
    }
}

fn take_one(left: &AtomicUsize) -> bool {
    let taken = left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
        left.checked_sub(1)
    });
    taken.is_ok()
}

/// The times of one request.
pub(crate) struct Timing {
    first_byte: Duration,
    pub(crate) total: Duration,
}

/// A connection that sends the same request again and again.
pub(crate) struct Connection {
    stream: TcpStream,
    request: Bytes,
    whole: Bytes,
    kind: ResponseKind,
    received: Vec<u8>,
}

impl Connection {
    pub(crate) async fn open(
        address: SocketAddr,
        request: Bytes,
        kind: ResponseKind,
    ) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            request,
            whole: chat::response(),
            kind,
            received: Vec::with_capacity(16 << 10),
        })
    }

    /// Sends the request and checks the response.
    pub(crate) async fn exchange(&mut self) -> Result<Timing> {
        let began = Instant::now();
        self.stream.write_all(&self.request).await?;
        self.received.clear();
        let mut first_byte = None;
        loop {
            if self.stream.read_buf(&mut self.received).await? == 0 {
                return Err("the server closed the connection".into());
            }
            let Some(head) = memmem::find(&self.received, b"\r\n\r\n") else {
                continue;
            };
            if self.received.len() > head + 4 {
                first_byte.get_or_insert_with(|| began.elapsed());
            }
            if self.complete(head)? {
                let total = began.elapsed();
                self.check(head)?;
                let first_byte = first_byte.unwrap_or(total);
                return Ok(Timing { first_byte, total });
            }
        }
    }

    fn complete(&self, head: usize) -> Result<bool> {
        if !self.received.starts_with(b"HTTP/1.1 200 ") {
            let response = String::from_utf8_lossy(&self.received);
            return Err(format!("wrong response: {response}").into());
        }
        match self.kind {
            ResponseKind::Whole => {
                let length = chat::content_length(&self.received[..head]);
                let length = length.ok_or("a whole response without a length")?;
                Ok(self.received.len() >= head + 4 + length)
            }
            // No event ends with a zero, so this is the last chunk.
            ResponseKind::Burst | ResponseKind::Paced => {
                Ok(self.received.ends_with(b"\r\n0\r\n\r\n"))
            }
        }
    }

    fn check(&self, head: usize) -> Result<()> {
        let body = &self.received[head + 4..];
        let good = match self.kind {
            ResponseKind::Whole => body == self.whole,
            ResponseKind::Burst | ResponseKind::Paced => {
                memmem::find_iter(body, b"data: ").count() == chat::EVENTS
                    && memmem::find(body, b"data: [DONE]\n\n").is_some()
            }
        };
        if good {
            return Ok(());
        }
        let body = String::from_utf8_lossy(body);
        Err(format!("the response body is not the one that the provider sent: {body}").into())
    }
}
