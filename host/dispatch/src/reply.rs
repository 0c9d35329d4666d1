//! A provider's response on its way to the client. Until the commit nothing is sent, so that every
//! failure may fail over; after it a failure ends the client's stream.

mod any_stream;
pub(crate) mod buffered;
mod frames;
pub(crate) mod headers;
mod item_sink;
pub(crate) mod plugin;
mod plugin_output;
pub(crate) mod relay;
pub(crate) mod source;
pub(crate) mod stream;
pub(crate) mod transcode;
mod whole_body;
mod writer;

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures_util::stream::unfold;
use jackfield_auth::Lease;
use jackfield_credential::Outcome;

use crate::call::{BodyError, ResponseBody};
use crate::call_log::{CallOutcome, Trace};
use crate::context::CallContext;
use crate::limits::{PREAMBLE_BYTES_MAX, SENT_RESPONSE_BYTES_MIN};
use crate::memory::HeldMemory;
use crate::scrub::{scrub, shows_secret};
pub(crate) use any_stream::AnyStream;
use stream::{Polled, ReplyStream};
pub(crate) use stream::{ReportedFailure, StreamError};
pub(crate) use writer::{StreamWriter, keep_alive};

/// A response on its way. Dropping it cancels everything: the connection closes, the plugin's
/// instance is freed, and a lease that it still holds settles as cancelled.
pub(crate) struct Reply<State> {
    metered: MeteredStream,
    queue: VecDeque<Bytes>,
    context: Arc<CallContext>,
    state: State,
}

/// Nothing was sent to the client.
pub(crate) struct Open {
    lease: Lease,
}

/// The client gets everything in the queue.
pub(crate) struct Committed {
    /// `None` once it is settled. The response may be complete before the stream has ended.
    lease: Option<Lease>,
    /// The client has content.
    has_content: bool,
    ended: bool,
}

/// A reply that failed before its commit. Another credential may serve the call.
pub(crate) struct FailedReply {
    pub(crate) error: StreamError,
    /// Not settled.
    pub(crate) lease: Lease,
}

impl Reply<Open> {
    pub(crate) fn new(stream: AnyStream, lease: Lease, context: Arc<CallContext>) -> Self {
        let metered = MeteredStream {
            stream,
            trace: Arc::clone(&context.trace),
            held: context.memory(),
            records_on_drop: true,
        };
        Self {
            metered,
            queue: VecDeque::new(),
            context,
            state: Open { lease },
        }
    }

    /// Polls until there is content, until more than [`PREAMBLE_BYTES_MAX`] are held back, or until
    /// the stream has ended.
    ///
    /// # Errors
    /// When the stream fails first. Nothing was sent, and the lease comes back.
    pub(crate) async fn commit(mut self) -> Result<Reply<Committed>, FailedReply> {
        let polled = loop {
            match self.metered.poll(&mut self.queue).await {
                Ok(Polled::Buffered) if self.buffered_bytes() <= PREAMBLE_BYTES_MAX => {}
                Ok(polled) => break polled,
                Err(error) => {
                    // The next attempt's usage is the call's.
                    self.metered.records_on_drop = false;
                    let lease = self.state.lease;
                    return Err(FailedReply { error, lease });
                }
            }
        };
        let mut committed = Reply {
            metered: self.metered,
            queue: self.queue,
            context: self.context,
            state: Committed {
                lease: Some(self.state.lease),
                has_content: false,
                ended: polled == Polled::End,
            },
        };
        match polled {
            // More than the limit without content.
            Polled::Buffered => {}
            Polled::Content => committed.note_content(),
            Polled::Complete | Polled::End => committed.finish(Outcome::Success),
        }
        committed.metered.stream.on_commit();
        Ok(committed)
    }

    fn buffered_bytes(&self) -> usize {
        self.queue.iter().map(Bytes::len).sum()
    }
}

impl Reply<Committed> {
    /// Returns the client's body: whole if the stream has ended already.
    pub(crate) fn into_body(mut self) -> ResponseBody {
        if self.state.ended {
            let whole = concat_chunks(std::mem::take(&mut self.queue));
            return ResponseBody::Whole(self.hold_until_sent(whole));
        }
        ResponseBody::Stream(Box::pin(unfold(self, |mut reply| async move {
            let chunk = reply.next().await?;
            Some((chunk, reply))
        })))
    }

    /// Counts the memory of a large whole response until the client has it. It is there already, so it is sent even
    /// if the budget is used up.
    fn hold_until_sent(&self, whole: Bytes) -> Bytes {
        let mut held = self.context.memory();
        if whole.len() < SENT_RESPONSE_BYTES_MIN || held.resize(whole.len()).is_err() {
            return whole;
        }
        held.attach(whole)
    }

    async fn next(&mut self) -> Option<Result<Bytes, BodyError>> {
        loop {
            // Before `ended` is read: a stream that has ended or failed leaves its last bytes here.
            if let Some(chunk) = self.queue.pop_front() {
                return Some(Ok(chunk));
            }
            if self.state.ended {
                return None;
            }
            match self.metered.poll(&mut self.queue).await {
                Ok(Polled::Buffered) => {}
                Ok(Polled::Content) => self.note_content(),
                // Not at `End`: a provider may close late, and other calls wait for the capacity.
                Ok(Polled::Complete) => self.finish(Outcome::Success),
                Ok(Polled::End) => {
                    self.finish(Outcome::Success);
                    self.state.ended = true;
                }
                Err(error) => {
                    if let Err(body_error) = self.end_with_error(error) {
                        return Some(Err(body_error));
                    }
                }
            }
        }
    }

    /// Notes the first content: the provider serves the call, and a stream is no longer cut by the
    /// call's deadline.
    fn note_content(&mut self) {
        if self.state.has_content {
            return;
        }
        self.state.has_content = true;
        if self.context.call.stream.is_some() {
            self.metered.stream.source_mut().begin_stream();
        }
        if let Some(lease) = &mut self.state.lease {
            lease.note_content(self.context.clock.now());
        }
    }

    /// Ends the stream with one error event.
    ///
    /// # Errors
    /// Where the client's format has no such event.
    fn end_with_error(&mut self, mut error: StreamError) -> Result<(), BodyError> {
        self.state.ended = true;
        let mut event = error.take_event();
        if let Some(lease) = &self.state.lease {
            if let Some(failure) = error.failure_mut() {
                scrub(lease, failure);
            }
            event = event.filter(|event| !shows_secret(lease, event));
            if let StreamError::InvalidOutput { fault, returned } = &error {
                self.context
                    .record_plugin_fault(lease, fault, returned.clone());
            }
        }
        let message = error.message();
        let call = &self.context.call;
        tracing::warn!(call = %call.id, model = %call.model, message, "response failed after its commit");
        self.finish(error.outcome());
        match event.or_else(|| self.metered.stream.fail(&message)) {
            Some(event) => self.queue.push_back(event),
            None => return Err(BodyError::Interrupted(message)),
        }
        Ok(())
    }

    /// Settles the lease and ends the call's record, if that has not happened yet.
    fn finish(&mut self, outcome: Outcome) {
        // Usage may be reported after the last content, when the lease is settled already.
        self.metered.record_usage();
        let Some(lease) = self.state.lease.take() else {
            return;
        };
        let call_outcome = match &outcome {
            Outcome::Success => CallOutcome::Completed,
            Outcome::Failed(failure) => CallOutcome::interrupted(&failure.message),
            Outcome::Inconclusive => CallOutcome::interrupted("a plugin failed"),
            Outcome::Cancelled => CallOutcome::interrupted("the call exceeded its deadline"),
        };
        let first_byte = self.metered.stream.source().first_byte();
        self.context.end_attempt(lease, outcome, first_byte);
        self.context.trace.end(call_outcome);
    }
}

/// A stream whose memory is counted, and whose usage goes to the call log, even if the client leaves before the end.
struct MeteredStream {
    stream: AnyStream,
    trace: Arc<Trace>,
    /// For what the stream holds back.
    held: HeldMemory,
    records_on_drop: bool,
}

impl MeteredStream {
    /// Polls the stream, as [`ReplyStream::poll`].
    ///
    /// # Errors
    /// As there, and when the stream holds back more than there is memory for.
    async fn poll(&mut self, queue: &mut VecDeque<Bytes>) -> Result<Polled, StreamError> {
        let polled = self.stream.poll(queue).await?;
        self.held.resize(self.stream.held_bytes())?;
        Ok(polled)
    }

    fn record_usage(&self) {
        if let Some(usage) = self.stream.usage() {
            self.trace.usage(usage);
        }
    }
}

impl Drop for MeteredStream {
    fn drop(&mut self) {
        if self.records_on_drop {
            self.record_usage();
        }
    }
}

/// Joins the pieces of a body. One piece is not copied.
fn concat_chunks(mut chunks: VecDeque<Bytes>) -> Bytes {
    if chunks.len() < 2 {
        return chunks.pop_front().unwrap_or_default();
    }
    let mut whole = BytesMut::with_capacity(chunks.iter().map(Bytes::len).sum());
    chunks
        .iter()
        .for_each(|chunk| whole.extend_from_slice(chunk));
    whole.freeze()
}
