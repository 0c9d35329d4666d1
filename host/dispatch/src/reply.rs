//! One exchange with a provider, from its first bytes to its last: what is held back before the
//! commit, and what happens to failures after it.

pub(crate) mod passthrough;
pub(crate) mod plugin;
pub(crate) mod relay;
pub(crate) mod source;
pub(crate) mod transcode;
pub(crate) mod writer;

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures_util::stream::unfold;
use jackfield_auth::Lease;
use jackfield_credential::{Failure, Outcome};
use jackfield_dialect::{Dialect, Usage};

use crate::call::{BodyError, ResponseBody, ResponseStream, StreamFraming};
use crate::call_log::CallOutcome;
use crate::classify;
use crate::context::CallContext;
use crate::limits::{KEEP_ALIVE_INTERVAL, PREAMBLE_BYTES_MAX};
use crate::port::PluginFault;
use crate::reply::passthrough::Passthrough;
use crate::reply::plugin::PluginStream;
use crate::reply::relay::Relay;
use crate::reply::source::{ReadError, Source};
use crate::reply::transcode::TranscodedStream;
use crate::reply::writer::StreamWriter;
use crate::scrub::scrub;

/// What one pull brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Polled {
    /// Nothing that a client waits for.
    Buffered,
    /// Content.
    Content,
    /// All there is to know: the answer is whole, whatever still comes.
    Complete,
    /// The end.
    End,
}

/// How a pull failed.
#[derive(Debug)]
pub(crate) enum StreamError {
    /// The provider, or the way to it, failed.
    Upstream(Failure),
    /// It failed and has told the client so itself, in the client's dialect.
    AlreadySent(Failure),
    /// The call's time is over.
    DeadlineExceeded,
    /// The plugin failed.
    Plugin(PluginFault),
}

/// Where the bytes come from.
pub(crate) enum ReplyStream {
    /// A guest turns frames into frames.
    Plugin(PluginStream),
    /// Bytes that nobody looks at.
    Passthrough(Passthrough),
    /// Events that the host watches.
    Relay(Relay),
    /// Events that the host writes anew.
    Transcoded(Box<TranscodedStream>),
}

impl ReplyStream {
    async fn poll(&mut self, out: &mut VecDeque<Bytes>) -> Result<Polled, StreamError> {
        match self {
            Self::Plugin(plugin) => plugin.poll(out).await,
            Self::Passthrough(passthrough) => passthrough.poll(out).await,
            Self::Relay(relay) => relay.poll(out).await,
            Self::Transcoded(transcoded) => transcoded.poll(out).await,
        }
    }

    fn source(&mut self) -> &mut Source {
        match self {
            Self::Plugin(plugin) => &mut plugin.source,
            Self::Passthrough(passthrough) => &mut passthrough.source,
            Self::Relay(relay) => &mut relay.source,
            Self::Transcoded(transcoded) => &mut transcoded.source,
        }
    }

    fn usage(&self) -> Option<Usage> {
        match self {
            Self::Plugin(plugin) => plugin.usage(),
            Self::Passthrough(_) => None,
            Self::Relay(relay) => relay.usage(),
            Self::Transcoded(transcoded) => transcoded.writer.usage(),
        }
    }

    /// From now on what comes is the client's, who is told of silence where it is owed events.
    fn commit(&mut self, streams_events: bool) {
        if let Self::Relay(relay) = self {
            relay.commit();
        }
        if streams_events && !matches!(self, Self::Passthrough(_)) {
            self.source().enable_keep_alive(KEEP_ALIVE_INTERVAL);
        }
    }

    /// Ends a committed stream with an error; none where its dialect has no words for it.
    fn fail(&mut self, dialect: Dialect, message: &str) -> Option<Bytes> {
        match self {
            Self::Plugin(plugin) => plugin.fail(message),
            Self::Passthrough(_) => None,
            Self::Relay(_) => {
                Some(StreamWriter::same_dialect(dialect, StreamFraming::Events).fail(message))
            }
            Self::Transcoded(transcoded) => Some(transcoded.writer.fail(message)),
        }
    }
}

/// One exchange. Dropping it cancels everything: the connection closes, the guest's instance goes,
/// and the lease settles as cancelled.
pub(crate) struct Exchange {
    stream: ReplyStream,
    out: VecDeque<Bytes>,
    lease: Option<Lease>,
    context: Arc<CallContext>,
    /// What a pull before the first one here has brought.
    first_step: Option<Polled>,
    ended: bool,
}

impl Exchange {
    pub(crate) fn new(stream: ReplyStream, lease: Lease, context: Arc<CallContext>) -> Self {
        Self {
            stream,
            out: VecDeque::new(),
            lease: Some(lease),
            context,
            first_step: None,
            ended: false,
        }
    }

    /// The same, where a first pull has been made already.
    pub(crate) fn with_first_step(mut self, out: VecDeque<Bytes>, polled: Polled) -> Self {
        self.out = out;
        self.first_step = Some(polled);
        self
    }

    /// Pulls until there is content, or until it is over. Until this returns, nothing has been sent
    /// to the client, and every failure may fail over: the lease is given back to be settled.
    pub(crate) async fn commit(mut self) -> Result<ResponseBody, (StreamError, Option<Lease>)> {
        loop {
            match self.pull().await {
                Ok(Polled::Buffered) if self.buffered_bytes() <= PREAMBLE_BYTES_MAX => {}
                Ok(Polled::Buffered | Polled::Content) => break,
                Ok(Polled::Complete) => {
                    self.settle(Outcome::Success);
                    break;
                }
                Ok(Polled::End) => {
                    self.settle(Outcome::Success);
                    return Ok(ResponseBody::Whole(concat_chunks(std::mem::take(
                        &mut self.out,
                    ))));
                }
                Err(error) => return Err((error, self.lease.take())),
            }
        }
        self.stream.commit(self.context.is_streaming());
        // No other attempt follows: what was translated for them may be large.
        self.context.translations.clear();
        Ok(ResponseBody::Stream(self.into_response_stream()))
    }

    fn into_response_stream(self) -> ResponseStream {
        Box::pin(unfold(self, |mut exchange| async move {
            let piece = exchange.next().await?;
            Some((piece, exchange))
        }))
    }

    /// The next piece for the client, after the commit.
    async fn next(&mut self) -> Option<Result<Bytes, BodyError>> {
        loop {
            if let Some(piece) = self.out.pop_front() {
                return Some(Ok(piece));
            }
            if self.ended {
                return None;
            }
            match self.pull().await {
                Ok(Polled::Buffered | Polled::Content) => {}
                Ok(Polled::Complete) => self.settle(Outcome::Success),
                Ok(Polled::End) => {
                    self.settle(Outcome::Success);
                    self.ended = true;
                }
                Err(error) => {
                    if let Some(body_error) = self.end_with_error(error) {
                        return Some(Err(body_error));
                    }
                }
            }
        }
    }

    /// Ends a committed answer that failed: with one error event, where the dialect has one.
    fn end_with_error(&mut self, mut error: StreamError) -> Option<BodyError> {
        self.ended = true;
        if let (Some(lease), StreamError::Upstream(failure) | StreamError::AlreadySent(failure)) =
            (&self.lease, &mut error)
        {
            scrub(lease, failure);
        }
        let message = error.message();
        let context = &self.context;
        tracing::warn!(call = %context.call.id, model = %context.call.model, message, "answer broke off");
        self.settle(error.outcome());
        if matches!(error, StreamError::AlreadySent(_)) {
            return None;
        }
        if !self.context.is_streaming() {
            return Some(BodyError(message));
        }
        match self.stream.fail(self.context.call.dialect, &message) {
            Some(event) => self.out.push_back(event),
            None => return Some(BodyError(message)),
        }
        None
    }

    async fn pull(&mut self) -> Result<Polled, StreamError> {
        if let Some(polled) = self.first_step.take() {
            return Ok(polled);
        }
        self.stream.poll(&mut self.out).await
    }

    fn settle(&mut self, outcome: Outcome) {
        // A guest may tell it after the last content, when the lease is settled already.
        self.note_usage();
        let first_byte = self.stream.source().first_byte();
        if let Some(lease) = self.lease.take() {
            let call_outcome = match &outcome {
                Outcome::Success => CallOutcome::Completed,
                Outcome::Failed(failure) => CallOutcome::interrupted(&failure.message),
                Outcome::Inconclusive => CallOutcome::interrupted("a plugin failed"),
                Outcome::Cancelled => CallOutcome::interrupted("the call's time is over"),
            };
            self.context.settle(lease, outcome, first_byte);
            self.context.trace.end(call_outcome);
        }
    }

    fn note_usage(&self) {
        if let Some(usage) = self.stream.usage() {
            self.context.trace.usage(usage);
        }
    }

    fn buffered_bytes(&self) -> usize {
        self.out.iter().map(Bytes::len).sum()
    }
}

impl Drop for Exchange {
    /// Of an answer that the client did not wait for, what it has cost so far is still known.
    fn drop(&mut self) {
        if self.lease.is_some() {
            self.note_usage();
        }
    }
}

impl StreamError {
    /// What came is of no use, and why.
    pub(crate) fn invalid_response(reason: &str) -> Self {
        Self::Upstream(classify::invalid_response(reason))
    }

    /// The provider closed before it had said all.
    pub(crate) fn ended_early() -> Self {
        let reason = "the provider's stream ended before it was complete";
        Self::Upstream(classify::transport(reason.to_owned()))
    }

    /// What the lease is settled with.
    fn outcome(&self) -> Outcome {
        match self {
            Self::Upstream(failure) | Self::AlreadySent(failure) => {
                Outcome::Failed(failure.clone())
            }
            Self::DeadlineExceeded => Outcome::Cancelled,
            Self::Plugin(_) => Outcome::Inconclusive,
        }
    }

    fn message(&self) -> String {
        match self {
            Self::Upstream(failure) | Self::AlreadySent(failure) => failure.message.clone(),
            Self::DeadlineExceeded => "the call was not over within its time".to_owned(),
            Self::Plugin(fault) => fault.to_string(),
        }
    }
}

impl From<ReadError> for StreamError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Transport(error) => Self::Upstream(classify::transport(error.to_string())),
            ReadError::Deadline => Self::DeadlineExceeded,
        }
    }
}

fn concat_chunks(mut pieces: VecDeque<Bytes>) -> Bytes {
    if pieces.len() < 2 {
        return pieces.pop_front().unwrap_or_default();
    }
    let mut whole = BytesMut::with_capacity(pieces.iter().map(Bytes::len).sum());
    pieces
        .iter()
        .for_each(|piece| whole.extend_from_slice(piece));
    whole.freeze()
}

/// Why a stream is of no use: it said that it was over, and nothing else.
pub(crate) const EMPTY: &str = "the provider's stream was empty";

/// Why a stream is of no use: an event of it is none of its dialect.
pub(crate) const MALFORMED: &str = "the provider's stream made no sense";
