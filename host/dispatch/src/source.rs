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
    asked: Option<Instant>,
    first_byte: Option<Duration>,
    /// How long a silence may be before it is told of; none while nobody wants to know.
    beat: Option<Duration>,
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
            asked: None,
            first_byte: None,
            beat: None,
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
    pub(crate) fn tell_silence(&mut self, beat: Duration) {
        self.beat = Some(beat);
        self.quiet_since = Instant::now();
        let next = (self.quiet_since + beat).min(self.due());
        self.timer.as_mut().reset(next);
    }

    /// The next bytes, never empty; none at the end.
    ///
    /// # Errors
    /// When the connection breaks, or when a timeout passes.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, Stopped> {
        loop {
            match self.came().await? {
                Came::Bytes(bytes) => return Ok(Some(bytes)),
                Came::End => return Ok(None),
                Came::Silence => {}
            }
        }
    }

    /// What comes next; a silence only after [`Self::tell_silence`].
    ///
    /// # Errors
    /// As [`Self::next`].
    pub(crate) async fn came(&mut self) -> Result<Came, Stopped> {
        poll_fn(|context| self.poll_next(context)).await
    }

    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Result<Came, Stopped>> {
        loop {
            match self.body.as_mut().poll_next(context) {
                Poll::Ready(None) => return Poll::Ready(Ok(Came::End)),
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Err(Stopped::Broke(error))),
                Poll::Ready(Some(Ok(bytes))) if bytes.is_empty() => {}
                Poll::Ready(Some(Ok(bytes))) => return Poll::Ready(self.take(bytes)),
                Poll::Pending => {
                    self.asked.get_or_insert_with(Instant::now);
                    ready!(self.timer.as_mut().poll(context));
                    let (now, due) = (Instant::now(), self.due());
                    if due <= now {
                        return Poll::Ready(Err(self.stalled()));
                    }
                    let quiet_since = self.asked.map_or(now, |asked| asked.max(self.quiet_since));
                    let beat = self.beat.map(|beat| quiet_since + beat);
                    if beat.is_some_and(|beat| beat <= now) {
                        self.quiet_since = now;
                        return Poll::Ready(Ok(Came::Silence));
                    }
                    let next = beat.map_or(due, |beat| beat.min(due));
                    self.timer.as_mut().reset(next);
                }
            }
        }
    }

    /// A body that is always ready never asks the timer, so that bytes are held to the deadline too.
    fn take(&mut self, bytes: Bytes) -> Result<Came, Stopped> {
        let now = Instant::now();
        if self.deadline <= now {
            return Err(Stopped::Late);
        }
        self.asked = None;
        self.quiet_since = now;
        if self.first_byte.is_none() {
            self.first_byte = Some(now.duration_since(self.sent));
            let due = (now + self.timeouts.idle).min(self.deadline);
            self.timer.as_mut().reset(due);
        }
        Ok(Came::Bytes(bytes))
    }

    fn due(&self) -> Instant {
        let due = match (self.first_byte, self.asked) {
            (None, _) => self.sent + self.timeouts.first_byte,
            (Some(_), Some(asked)) => asked + self.timeouts.idle,
            (Some(_), None) => self.deadline,
        };
        due.min(self.deadline)
    }

    fn stalled(&self) -> Stopped {
        if self.deadline <= Instant::now() {
            return Stopped::Late;
        }
        let cause = if self.first_byte.is_some() {
            format!("no byte for {} s", self.timeouts.idle.as_secs_f32())
        } else {
            format!(
                "no first byte within {} s",
                self.timeouts.first_byte.as_secs_f32()
            )
        };
        Stopped::Broke(TransportError {
            doing: "reading the provider's answer",
            cause,
        })
    }
}

/// What comes next of a body.
#[derive(Debug)]
pub(crate) enum Came {
    /// Bytes, never none.
    Bytes(Bytes),
    /// The end.
    End,
    /// Nothing, for as long as was to be told of.
    Silence,
}

/// Why no more bytes come.
#[derive(Debug)]
pub(crate) enum Stopped {
    /// The connection broke, or was silent for too long.
    Broke(TransportError),
    /// The time that the call has is over: nobody's fault.
    Late,
}
