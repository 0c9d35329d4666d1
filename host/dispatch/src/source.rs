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
    last_byte: Option<Instant>,
    first_byte: Option<Duration>,
    /// One timer for the whole body: it is set anew only when it fires too early, so that a byte
    /// costs no timer.
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
            last_byte: None,
            first_byte: None,
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

    /// The next bytes, never empty; none at the end.
    ///
    /// # Errors
    /// When the connection breaks, or when a timeout passes.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, TransportError> {
        poll_fn(|context| self.poll_next(context)).await
    }

    fn poll_next(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Result<Option<Bytes>, TransportError>> {
        loop {
            match self.body.as_mut().poll_next(context) {
                Poll::Ready(Some(Ok(bytes))) if bytes.is_empty() => {}
                Poll::Ready(next) => {
                    if let Some(Ok(_)) = &next {
                        self.note_byte();
                    }
                    return Poll::Ready(next.transpose());
                }
                Poll::Pending => {
                    ready!(self.timer.as_mut().poll(context));
                    let due = self.due();
                    if due <= Instant::now() {
                        return Poll::Ready(Err(self.stalled()));
                    }
                    self.timer.as_mut().reset(due);
                }
            }
        }
    }

    fn note_byte(&mut self) {
        let now = Instant::now();
        self.first_byte.get_or_insert(now.duration_since(self.sent));
        self.last_byte = Some(now);
    }

    fn due(&self) -> Instant {
        let due = match self.last_byte {
            Some(last) => last + self.timeouts.idle,
            None => self.sent + self.timeouts.first_byte,
        };
        due.min(self.deadline)
    }

    fn stalled(&self) -> TransportError {
        let cause = if Instant::now() >= self.deadline {
            "the call's time was over".to_owned()
        } else if self.last_byte.is_some() {
            format!("no byte for {} s", self.timeouts.idle.as_secs_f32())
        } else {
            format!(
                "no first byte within {} s",
                self.timeouts.first_byte.as_secs_f32()
            )
        };
        TransportError {
            doing: "reading the provider's answer",
            cause,
        }
    }
}
