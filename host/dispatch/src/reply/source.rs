//! The body of a provider's response, read under three timeouts: first byte, idle time, and the call's
//! deadline.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use tokio::time::{Instant, Sleep, sleep_until};

use crate::port::{TransportError, UpstreamBody};
use crate::snapshot::Timeouts;

/// A response body. Dropping it closes the provider's connection.
pub(crate) struct Source {
    body: UpstreamBody,
    timeouts: Timeouts,
    deadline: Instant,
    sent: Instant,
    /// When the pending read began. Time in which the client does not read is not the provider's idle
    /// time.
    waiting_since: Option<Instant>,
    first_byte: Option<Duration>,
    /// The keep-alive interval; `None` disables it.
    keep_alive: Option<Duration>,
    /// When the last byte arrived or the last [`Chunk::Silence`] was returned.
    quiet_since: Instant,
    /// One timer for the whole body. After the first byte it is reset only when it fires too early, so
    /// that most chunks do not touch it.
    timer: Pin<Box<Sleep>>,
}

impl Source {
    /// Wraps the body of a response whose request was sent at `sent`.
    pub(crate) fn new(
        body: UpstreamBody,
        sent: Instant,
        deadline: Instant,
        timeouts: Timeouts,
    ) -> Self {
        let timer = Box::pin(sleep_until((sent + timeouts.first_byte).min(deadline)));
        Self {
            body,
            timeouts,
            deadline,
            sent,
            waiting_since: None,
            first_byte: None,
            keep_alive: None,
            quiet_since: sent,
            timer,
        }
    }

    /// Returns the time from the request to the first byte, once that has arrived.
    pub(crate) fn first_byte(&self) -> Option<Duration> {
        self.first_byte
    }

    /// Shortens the deadline to `time` from now.
    pub(crate) fn end_within(&mut self, time: Duration) {
        self.deadline = self.deadline.min(Instant::now() + time);
        let deadline = self.deadline;
        self.timer.as_mut().reset(deadline);
    }

    /// Makes [`Self::next_chunk`] report every `interval` without bytes, so that the client can be sent
    /// a keep-alive.
    pub(crate) fn enable_keep_alive(&mut self, interval: Duration) {
        self.keep_alive = Some(interval);
        self.quiet_since = Instant::now();
        let next = (self.quiet_since + interval).min(self.due());
        self.timer.as_mut().reset(next);
    }

    /// Returns the next bytes, never empty, or `None` at the end.
    ///
    /// # Errors
    /// When the connection breaks or a timeout passes.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, ReadError> {
        loop {
            match self.next_chunk().await? {
                Chunk::Bytes(bytes) => return Ok(Some(bytes)),
                Chunk::End => return Ok(None),
                Chunk::Silence => {}
            }
        }
    }

    /// Returns the next bytes, the end, or a silence if [`Self::enable_keep_alive`] was called.
    ///
    /// # Errors
    /// As [`Self::next`].
    pub(crate) async fn next_chunk(&mut self) -> Result<Chunk, ReadError> {
        poll_fn(|context| self.poll_next(context)).await
    }

    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Result<Chunk, ReadError>> {
        loop {
            // The body before the timer: bytes that are here already must not count as late.
            match self.body.as_mut().poll_next(context) {
                Poll::Ready(None) => return Poll::Ready(Ok(Chunk::End)),
                Poll::Ready(Some(Err(error))) => {
                    return Poll::Ready(Err(ReadError::Transport(error)));
                }
                // Polls again: a body that was ready has not registered the waker.
                Poll::Ready(Some(Ok(bytes))) if bytes.is_empty() => {}
                Poll::Ready(Some(Ok(bytes))) => return Poll::Ready(self.take(bytes)),
                Poll::Pending => {
                    self.waiting_since.get_or_insert_with(Instant::now);
                    ready!(self.timer.as_mut().poll(context));
                    let (now, due) = (Instant::now(), self.due());
                    if due <= now {
                        return Poll::Ready(Err(self.timeout_error()));
                    }
                    let quiet_since = self
                        .waiting_since
                        .map_or(now, |waiting_since| waiting_since.max(self.quiet_since));
                    let keep_alive = self.keep_alive.map(|keep_alive| quiet_since + keep_alive);
                    if keep_alive.is_some_and(|keep_alive| keep_alive <= now) {
                        self.quiet_since = now;
                        return Poll::Ready(Ok(Chunk::Silence));
                    }
                    let next = keep_alive.map_or(due, |keep_alive| keep_alive.min(due));
                    self.timer.as_mut().reset(next);
                }
            }
        }
    }

    /// Accepts bytes. The deadline is checked here too: a body that is always ready never polls the
    /// timer.
    fn take(&mut self, bytes: Bytes) -> Result<Chunk, ReadError> {
        let now = Instant::now();
        if self.deadline <= now {
            return Err(ReadError::Deadline);
        }
        self.waiting_since = None;
        self.quiet_since = now;
        if self.first_byte.is_none() {
            self.first_byte = Some(now.duration_since(self.sent));
            let due = (now + self.timeouts.idle).min(self.deadline);
            self.timer.as_mut().reset(due);
        }
        Ok(Chunk::Bytes(bytes))
    }

    fn due(&self) -> Instant {
        let due = match (self.first_byte, self.waiting_since) {
            (None, _) => self.sent + self.timeouts.first_byte,
            (Some(_), Some(waiting_since)) => waiting_since + self.timeouts.idle,
            (Some(_), None) => self.deadline,
        };
        due.min(self.deadline)
    }

    fn timeout_error(&self) -> ReadError {
        if self.deadline <= Instant::now() {
            return ReadError::Deadline;
        }
        let cause = if self.first_byte.is_some() {
            format!("no byte for {} s", self.timeouts.idle.as_secs_f32())
        } else {
            format!(
                "no first byte within {} s",
                self.timeouts.first_byte.as_secs_f32()
            )
        };
        ReadError::Transport(TransportError {
            doing: "reading the provider's response",
            cause,
        })
    }
}

/// The result of one read.
#[derive(Debug)]
pub(crate) enum Chunk {
    /// Bytes, never empty.
    Bytes(Bytes),
    /// The end of the body.
    End,
    /// No bytes for the keep-alive interval.
    Silence,
}

/// Why a read failed.
#[derive(Debug)]
pub(crate) enum ReadError {
    /// The connection broke, or the provider exceeded a timeout.
    Transport(TransportError),
    /// The call's deadline passed. Not the provider's fault.
    Deadline,
}
