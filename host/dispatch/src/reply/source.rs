//! The body of a provider's answer, under the timeouts: first byte, silence, and the call's own
//! deadline.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use tokio::time::{Instant, Sleep, sleep_until};

use crate::port::{TransportError, UpstreamBody};
use crate::snapshot::Timeouts;

/// A body that is pulled. Dropping it closes the provider's connection.
pub(crate) struct Source {
    body: UpstreamBody,
    timeouts: Timeouts,
    deadline: Instant,
    sent: Instant,
    /// Since when somebody waits for the next bytes. What a client takes to read is no silence of
    /// the provider's.
    waiting_since: Option<Instant>,
    first_byte: Option<Duration>,
    /// How long a silence may be before it is told of; none while nobody wants to know.
    keep_alive: Option<Duration>,
    /// Since when there was neither a byte nor a beat.
    quiet_since: Instant,
    /// One timer for the whole body: after the first byte it is set anew only when it fires too
    /// early, so that a byte costs no timer.
    timer: Pin<Box<Sleep>>,
}

impl Source {
    /// A body whose request was sent at `sent`.
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

    /// How long the first byte took, once it is there.
    pub(crate) fn first_byte(&self) -> Option<Duration> {
        self.first_byte
    }

    /// From now on the body has only so much time left.
    pub(crate) fn end_within(&mut self, time: Duration) {
        self.deadline = self.deadline.min(Instant::now() + time);
        let deadline = self.deadline;
        self.timer.as_mut().reset(deadline);
    }

    /// From now on a silence of so long is told of, so that a client can be told that its answer is
    /// still coming.
    pub(crate) fn enable_keep_alive(&mut self, keep_alive: Duration) {
        self.keep_alive = Some(keep_alive);
        self.quiet_since = Instant::now();
        let next = (self.quiet_since + keep_alive).min(self.due());
        self.timer.as_mut().reset(next);
    }

    /// The next bytes, never empty; none at the end.
    ///
    /// # Errors
    /// When the connection breaks, or when a timeout passes.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, ReadError> {
        loop {
            match self.next_chunk().await? {
                Chunk::Bytes(bytes) => return Ok(Some(bytes)),
                Chunk::End => return Ok(None),
                Chunk::Silence => {}
            }
        }
    }

    /// What comes next; a silence only after [`Self::enable_keep_alive`].
    ///
    /// # Errors
    /// As [`Self::next`].
    pub(crate) async fn next_chunk(&mut self) -> Result<Chunk, ReadError> {
        poll_fn(|context| self.poll_next(context)).await
    }

    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Result<Chunk, ReadError>> {
        loop {
            match self.body.as_mut().poll_next(context) {
                Poll::Ready(None) => return Poll::Ready(Ok(Chunk::End)),
                Poll::Ready(Some(Err(error))) => {
                    return Poll::Ready(Err(ReadError::Transport(error)));
                }
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

    /// A body that is always ready never asks the timer, so that bytes are held to the deadline too.
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
            doing: "reading the provider's answer",
            cause,
        })
    }
}

/// What comes next of a body.
#[derive(Debug)]
pub(crate) enum Chunk {
    /// Bytes, never none.
    Bytes(Bytes),
    /// The end.
    End,
    /// Nothing, for as long as was to be told of.
    Silence,
}

/// Why no more bytes come.
#[derive(Debug)]
pub(crate) enum ReadError {
    /// The connection broke, or was silent for too long.
    Transport(TransportError),
    /// The time that the call has is over: nobody's fault.
    Deadline,
}
