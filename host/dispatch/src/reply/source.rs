//! The body of a provider's response, read under three timeouts: first byte, idle time, and a deadline.
//! The deadline is the call's up to a stream's first content, and the stream's own after it.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::time::{Instant, Sleep, sleep_until};

use crate::port::{TransportError, UpstreamBody};
use crate::snapshot::Timeouts;

/// A response body. Dropping it closes the provider's connection.
pub(crate) struct Source {
    body: UpstreamBody,
    /// Bytes that [`Self::peek`] has read.
    peeked: Option<Bytes>,
    /// Whether the body is a whole response, before which providers are silent.
    whole: bool,
    timeouts: Timeouts,
    deadline: Instant,
    sent: Instant,
    /// When the pending read began. Time in which the client does not read is not the provider's idle
    /// time.
    waiting_since: Option<Instant>,
    first_byte: Option<Duration>,
    /// Whether the idle time counts: from the first byte, or in a whole response from the first one that
    /// is not white space, which some providers send to keep a connection alive.
    begun: bool,
    /// The keep-alive interval; `None` disables it.
    keep_alive: Option<Duration>,
    /// When the last byte arrived or the last [`Chunk::Silence`] was returned.
    quiet_since: Instant,
    /// One timer for the whole body. It is reset only when it fires too early, or when it would fire
    /// later than something is due, so that most chunks do not touch it.
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
            peeked: None,
            whole: false,
            timeouts,
            deadline,
            sent,
            waiting_since: None,
            first_byte: None,
            begun: false,
            keep_alive: None,
            quiet_since: sent,
            timer,
        }
    }

    /// Gives the first byte until the deadline: the provider sends nothing before the response is whole.
    pub(crate) fn wait_for_whole(&mut self) {
        self.whole = true;
    }

    /// Begins the stream's own life: from its first content the call's deadline does not end it, but
    /// `timeouts.stream` does.
    pub(crate) fn begin_stream(&mut self) {
        self.deadline = self.sent + self.timeouts.stream.unwrap_or(UNLIMITED);
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

    /// Waits until `decide` has an answer about the first bytes of the body, or the body has ended, and
    /// returns that answer. The bytes stay to be read. `decide` gets at least one byte, and all bytes again
    /// with each call; at more than `bytes_max` it is not asked again.
    ///
    /// # Errors
    /// As [`Self::next`].
    pub(crate) async fn peek<T>(
        &mut self,
        bytes_max: usize,
        decide: impl Fn(&[u8]) -> Option<T>,
    ) -> Result<Option<T>, ReadError> {
        let mut bytes = BytesMut::new();
        while let Some(chunk) = self.next().await? {
            // One chunk is nearly always enough, and is not copied then.
            if bytes.is_empty() {
                let decided = decide(&chunk);
                if decided.is_some() {
                    self.peeked = Some(chunk);
                    return Ok(decided);
                }
            }
            bytes.extend_from_slice(&chunk);
            let decided = decide(&bytes);
            if decided.is_some() || bytes.len() > bytes_max {
                self.peeked = Some(bytes.freeze());
                return Ok(decided);
            }
        }
        self.peeked = Some(bytes.freeze()).filter(|bytes| !bytes.is_empty());
        Ok(None)
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
        if let Some(bytes) = self.peeked.take() {
            return Ok(Chunk::Bytes(bytes));
        }
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
                    if self.waiting_since.is_none() {
                        self.waiting_since = Some(Instant::now());
                        let next = self.next_wake();
                        if next < self.timer.deadline() {
                            self.timer.as_mut().reset(next);
                        }
                    }
                    ready!(self.timer.as_mut().poll(context));
                    let (now, due) = (Instant::now(), self.due());
                    if due <= now {
                        return Poll::Ready(Err(self.timeout_error()));
                    }
                    if self.silence_due().is_some_and(|due| due <= now) {
                        self.quiet_since = now;
                        return Poll::Ready(Ok(Chunk::Silence));
                    }
                    let next = self.next_wake();
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
        }
        self.begun = self.begun || !self.whole || !bytes.trim_ascii().is_empty();
        Ok(Chunk::Bytes(bytes))
    }

    /// Returns when the pending read must have ended.
    fn due(&self) -> Instant {
        let due = match self.waiting_since {
            _ if !self.begun && self.whole => self.deadline,
            _ if !self.begun => self.sent + self.timeouts.first_byte,
            Some(waiting_since) => waiting_since + self.timeouts.idle,
            None => self.deadline,
        };
        due.min(self.deadline)
    }

    /// Returns when the pending read reports a silence.
    fn silence_due(&self) -> Option<Instant> {
        let interval = self.keep_alive?;
        let quiet_since = self
            .waiting_since
            .map_or(self.quiet_since, |since| since.max(self.quiet_since));
        Some(quiet_since + interval)
    }

    fn next_wake(&self) -> Instant {
        let due = self.due();
        self.silence_due().map_or(due, |silence| silence.min(due))
    }

    fn timeout_error(&self) -> ReadError {
        if self.deadline <= Instant::now() {
            return ReadError::Deadline;
        }
        let cause = if self.begun {
            format!("no byte for {} s", self.timeouts.idle.as_secs_f32())
        } else {
            format!(
                "no first byte within {} s",
                self.timeouts.first_byte.as_secs_f32()
            )
        };
        ReadError::Timeout(TransportError {
            doing: "reading the provider's response",
            cause,
            sent: true,
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
    /// The connection broke.
    Transport(TransportError),
    /// The provider sent nothing for too long.
    Timeout(TransportError),
    /// The deadline passed. Not the provider's fault.
    Deadline,
}

/// How long a stream may take if `timeouts.stream` is not configured: ten years, which is no limit. A
/// larger duration could overflow an instant.
const UNLIMITED: Duration = Duration::from_hours(10 * 365 * 24);
