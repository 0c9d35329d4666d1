//! One exchange with a provider, from its first bytes to its last: what is held back before the
//! commit, and what happens to failures after it.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures_util::stream::unfold;
use jackfield_auth::Lease;
use jackfield_credential::{Failure, Outcome};
use jackfield_dialect::{Dialect, Usage};

use crate::call::{AnswerBody, AnswerStream, Broken, Framing};
use crate::classify;
use crate::course::Course;
use crate::guided::Guided;
use crate::journal::Ended;
use crate::limits::{KEEP_ALIVE, PREAMBLE_BYTES_MAX};
use crate::port::PluginFault;
use crate::raw::Raw;
use crate::relay::Relay;
use crate::retold::Retold;
use crate::scrub::scrub;
use crate::source::{Source, Stopped};
use crate::writer::Writer;

/// What one pull brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// Nothing that a client waits for.
    Held,
    /// Content.
    Content,
    /// All there is to know: the answer is whole, whatever still comes.
    Complete,
    /// The end.
    Over,
}

/// How a pull failed.
#[derive(Debug)]
pub(crate) enum Broke {
    /// The provider, or the way to it, failed.
    Failed(Failure),
    /// It failed and has told the client so itself, in the client's dialect.
    Told(Failure),
    /// The call's time is over.
    Late,
    /// The plugin failed.
    Plugin(PluginFault),
}

/// Where the bytes come from.
pub(crate) enum Pump {
    /// A guest turns frames into frames.
    Guided(Guided),
    /// Bytes that nobody looks at.
    Raw(Raw),
    /// Events that the host watches.
    Relay(Relay),
    /// Events that the host writes anew.
    Retold(Box<Retold>),
}

impl Pump {
    async fn step(&mut self, out: &mut VecDeque<Bytes>) -> Result<Step, Broke> {
        match self {
            Self::Guided(guided) => guided.step(out).await,
            Self::Raw(raw) => raw.step(out).await,
            Self::Relay(relay) => relay.step(out).await,
            Self::Retold(retold) => retold.step(out).await,
        }
    }

    fn source(&mut self) -> &mut Source {
        match self {
            Self::Guided(guided) => &mut guided.source,
            Self::Raw(raw) => &mut raw.source,
            Self::Relay(relay) => &mut relay.source,
            Self::Retold(retold) => &mut retold.source,
        }
    }

    fn usage(&self) -> Option<Usage> {
        match self {
            Self::Guided(guided) => guided.usage(),
            Self::Raw(_) => None,
            Self::Relay(relay) => relay.usage(),
            Self::Retold(retold) => retold.writer.usage(),
        }
    }

    /// From now on what comes is the client's, who is told of silence where it is owed events.
    fn commit(&mut self, streams_events: bool) {
        if let Self::Relay(relay) = self {
            relay.commit();
        }
        if streams_events && !matches!(self, Self::Raw(_)) {
            self.source().tell_silence(KEEP_ALIVE);
        }
    }

    /// Ends a committed stream with an error; none where its dialect has no words for it.
    fn fail(&mut self, dialect: Dialect, message: &str) -> Option<Bytes> {
        match self {
            Self::Guided(guided) => guided.fail(message),
            Self::Raw(_) => None,
            Self::Relay(_) => Some(Writer::own(dialect, Framing::Events).fail(message)),
            Self::Retold(retold) => Some(retold.writer.fail(message)),
        }
    }
}

/// One exchange. Dropping it cancels everything: the connection closes, the guest's instance goes,
/// and the lease settles as cancelled.
pub(crate) struct Exchange {
    pump: Pump,
    out: VecDeque<Bytes>,
    lease: Option<Lease>,
    course: Arc<Course>,
    /// What a pull before the first one here has brought.
    begun: Option<Step>,
    over: bool,
}

impl Exchange {
    pub(crate) fn new(pump: Pump, lease: Lease, course: Arc<Course>) -> Self {
        Self {
            pump,
            out: VecDeque::new(),
            lease: Some(lease),
            course,
            begun: None,
            over: false,
        }
    }

    /// The same, where a first pull has been made already.
    pub(crate) fn begun(mut self, out: VecDeque<Bytes>, step: Step) -> Self {
        self.out = out;
        self.begun = Some(step);
        self
    }

    /// Pulls until there is content, or until it is over. Until this returns, nothing has been sent
    /// to the client, and every failure may fail over: the lease is given back to be settled.
    pub(crate) async fn commit(mut self) -> Result<AnswerBody, (Broke, Option<Lease>)> {
        loop {
            match self.pull().await {
                Ok(Step::Held) if self.held_bytes() <= PREAMBLE_BYTES_MAX => {}
                Ok(Step::Held | Step::Content) => break,
                Ok(Step::Complete) => {
                    self.settle(Outcome::Success);
                    break;
                }
                Ok(Step::Over) => {
                    self.settle(Outcome::Success);
                    return Ok(AnswerBody::Whole(joined(std::mem::take(&mut self.out))));
                }
                Err(broke) => return Err((broke, self.lease.take())),
            }
        }
        self.pump.commit(self.course.streams());
        // No other attempt follows: what was translated for them may be large.
        self.course.translations.clear();
        Ok(AnswerBody::Stream(self.stream()))
    }

    fn stream(self) -> AnswerStream {
        Box::pin(unfold(self, |mut exchange| async move {
            let piece = exchange.next().await?;
            Some((piece, exchange))
        }))
    }

    /// The next piece for the client, after the commit.
    async fn next(&mut self) -> Option<Result<Bytes, Broken>> {
        loop {
            if let Some(piece) = self.out.pop_front() {
                return Some(Ok(piece));
            }
            if self.over {
                return None;
            }
            match self.pull().await {
                Ok(Step::Held | Step::Content) => {}
                Ok(Step::Complete) => self.settle(Outcome::Success),
                Ok(Step::Over) => {
                    self.settle(Outcome::Success);
                    self.over = true;
                }
                Err(broke) => {
                    if let Some(broken) = self.break_off(broke) {
                        return Some(Err(broken));
                    }
                }
            }
        }
    }

    /// Ends a committed answer that failed: with one error event, where the dialect has one.
    fn break_off(&mut self, mut broke: Broke) -> Option<Broken> {
        self.over = true;
        if let (Some(lease), Broke::Failed(failure) | Broke::Told(failure)) =
            (&self.lease, &mut broke)
        {
            scrub(lease, failure);
        }
        let message = broke.message();
        let course = &self.course;
        tracing::warn!(call = %course.call.id, model = %course.call.model, message, "answer broke off");
        self.settle(broke.outcome());
        if matches!(broke, Broke::Told(_)) {
            return None;
        }
        if !self.course.streams() {
            return Some(Broken(message));
        }
        match self.pump.fail(self.course.call.dialect, &message) {
            Some(event) => self.out.push_back(event),
            None => return Some(Broken(message)),
        }
        None
    }

    async fn pull(&mut self) -> Result<Step, Broke> {
        if let Some(step) = self.begun.take() {
            return Ok(step);
        }
        self.pump.step(&mut self.out).await
    }

    fn settle(&mut self, outcome: Outcome) {
        // A guest may tell it after the last content, when the lease is settled already.
        self.note_usage();
        let first_byte = self.pump.source().first_byte();
        if let Some(lease) = self.lease.take() {
            let ended = match &outcome {
                Outcome::Success => Ended::Answered,
                Outcome::Failed(failure) => Ended::broken(&failure.message),
                Outcome::Inconclusive => Ended::broken("a plugin failed"),
                Outcome::Cancelled => Ended::broken("the call's time is over"),
            };
            self.course.settle(lease, outcome, first_byte);
            self.course.trace.end(ended);
        }
    }

    fn note_usage(&self) {
        if let Some(usage) = self.pump.usage() {
            self.course.trace.usage(usage);
        }
    }

    fn held_bytes(&self) -> usize {
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

impl Broke {
    /// What came is of no use, and why.
    pub(crate) fn useless(why: &str) -> Self {
        Self::Failed(classify::useless(why))
    }

    /// The provider closed before it had said all.
    pub(crate) fn ended_early() -> Self {
        let why = "the provider's stream ended before it was complete";
        Self::Failed(classify::transport(why.to_owned()))
    }

    /// What the lease is settled with.
    fn outcome(&self) -> Outcome {
        match self {
            Self::Failed(failure) | Self::Told(failure) => Outcome::Failed(failure.clone()),
            Self::Late => Outcome::Cancelled,
            Self::Plugin(_) => Outcome::Inconclusive,
        }
    }

    fn message(&self) -> String {
        match self {
            Self::Failed(failure) | Self::Told(failure) => failure.message.clone(),
            Self::Late => "the call was not over within its time".to_owned(),
            Self::Plugin(fault) => fault.to_string(),
        }
    }
}

impl From<Stopped> for Broke {
    fn from(stopped: Stopped) -> Self {
        match stopped {
            Stopped::Broke(error) => Self::Failed(classify::transport(error.to_string())),
            Stopped::Late => Self::Late,
        }
    }
}

fn joined(mut pieces: VecDeque<Bytes>) -> Bytes {
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
