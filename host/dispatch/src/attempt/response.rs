//! The later steps of an attempt: the response of good status, its reply, and the commit.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, StatusCode};
use jackfield_auth::Lease;
use jackfield_dialect::sse::{begins_like_json, begins_like_stream};
use tokio::time::{Instant, sleep_until};

use super::{Attempt, AttemptError};
use crate::call::{ClientResponse, StreamFraming};
use crate::classify;
use crate::limits::{DELAYED_REQUESTS_MAX, REQUEST_DELAY_MIN, STREAM_SNIFF_BYTES_MAX};
use crate::plan::ResponseMode;
use crate::port::{PluginReply, Rejection, ResponseHead};
use crate::reply::buffered::BufferedStream;
use crate::reply::headers::{is_event_stream, stream_content_type};
use crate::reply::plugin::{FirstStep, PluginStream};
use crate::reply::relay::Relay;
use crate::reply::source::{ReadError, Source};
use crate::reply::transcode::TranscodedStream;
use crate::reply::{AnyStream, FailedReply, Open, Reply, StreamWriter};
use crate::response_headers::client_headers;
use crate::scrub::remove_headers_with_secrets;

/// The second step: a response of good status, whose body is still to come.
pub(super) struct Responded<'a> {
    pub(super) attempt: Attempt<'a>,
    pub(super) lease: Lease,
    pub(super) head: ResponseHead,
    pub(super) source: Source,
    /// How the plan wants the response.
    pub(super) mode: ResponseMode,
    /// What the plan keeps for its reply.
    pub(super) state: Bytes,
    pub(super) round_trip: u32,
}

/// Further requests of an attempt that waited before they were sent.
#[derive(Default)]
struct DelayedRequests(u32);

/// The third step: a reply of which nothing was sent.
pub(super) struct OpenReply<'a> {
    attempt: Attempt<'a>,
    status: StatusCode,
    /// The headers that may reach the client.
    headers: HeaderMap,
    /// Whether the executor writes the body, in the client's dialect or in one that the host translates.
    by_plugin: bool,
    reply: Reply<Open>,
}

/// Why a further request is not sent after its wait.
enum WaitEnd {
    TooMany,
    Deadline,
}

impl DelayedRequests {
    /// Waits before one more request.
    async fn wait(&mut self, delay: Duration, attempt: &Attempt<'_>) -> Result<(), WaitEnd> {
        self.0 += 1;
        if self.0 > DELAYED_REQUESTS_MAX {
            return Err(WaitEnd::TooMany);
        }
        let deadline = attempt.context.call.deadline;
        let until = Instant::now() + delay.max(REQUEST_DELAY_MIN);
        if until >= deadline {
            sleep_until(deadline).await;
            return Err(WaitEnd::Deadline);
        }
        sleep_until(until).await;
        Ok(())
    }
}

impl WaitEnd {
    fn of(self, attempt: &Attempt<'_>, lease: Lease) -> AttemptError {
        match self {
            Self::Deadline => attempt.end_with_deadline(lease),
            Self::TooMany => {
                let most = DELAYED_REQUESTS_MAX;
                let detail = format!("it planned more than {most} requests with `after-ms`");
                attempt.end_with_invalid_output(lease, detail)
            }
        }
    }
}

impl<'a> Responded<'a> {
    /// Opens the reply: the host's own, or through the plugin over as many round trips as it requests.
    ///
    /// # Errors
    /// When the plugin fails, a further request fails, or the response cannot be translated.
    pub(super) async fn into_reply(self) -> Result<OpenReply<'a>, AttemptError> {
        let mut responded = self;
        // The plugin has state from the earlier round trips, so the same instance gets each response.
        let mut reused: Option<Box<dyn PluginReply>> = None;
        let mut delayed = DelayedRequests::default();
        loop {
            if responded.mode == ResponseMode::Relay {
                return responded.without_plugin().await;
            }
            let Self {
                attempt,
                lease,
                head,
                source,
                mode,
                state,
                round_trip,
            } = responded;
            let reply = match reused.take() {
                Some(reply) => Ok(reply),
                None => {
                    let (context, body) = (&attempt.plan_context, attempt.body());
                    attempt.executor.reply(context, body, state).await
                }
            };
            let mut reply = match reply {
                Ok(reply) => reply,
                Err(fault) => {
                    return Err(attempt.end_with_rejection(lease, Rejection::Fault(fault)));
                }
            };
            let head = match reply.head(head).await {
                Ok(head) => head,
                Err(rejection) => return Err(attempt.end_with_rejection(lease, rejection)),
            };
            if !head.status.is_success() {
                let detail = format!("the response's head has the status {}", head.status);
                return Err(attempt.end_with_invalid_output(lease, detail));
            }
            let executor = Arc::clone(attempt.executor);
            let (context, negotiated) = (attempt.context, &attempt.negotiated);
            let stream = PluginStream::new(source, executor, context, reply, mode, negotiated);
            match stream.begin(attempt.context.memory()).await {
                Ok(FirstStep::Output(stream)) => {
                    return Ok(attempt.open(lease, head, AnyStream::Plugin(stream)));
                }
                Ok(FirstStep::NextRequest { plan, reply }) => {
                    let mut next_trip = round_trip + 1;
                    match plan.delay {
                        None => reused = Some(reply),
                        Some(delay) => {
                            // Its instance is free meanwhile. A new one gets the plan's state.
                            drop(reply);
                            if let Err(ended) = delayed.wait(delay, &attempt).await {
                                return Err(ended.of(&attempt, lease));
                            }
                            next_trip = 1;
                        }
                    }
                    responded = attempt.send(lease, (*plan).into(), next_trip).await?;
                }
                Err(error) => return Err(attempt.end_with_stream_error(lease, error)),
            }
        }
    }

    /// Chooses how the host itself hands the response on.
    async fn without_plugin(self) -> Result<OpenReply<'a>, AttemptError> {
        let Self {
            attempt,
            lease,
            head,
            mut source,
            ..
        } = self;
        let negotiated = &attempt.negotiated;
        let is_translated = negotiated.translation().is_some();
        // The plan requested the encoding: `send` refuses any other.
        let is_encoded = head.headers.contains_key(CONTENT_ENCODING);
        let mut events = negotiated.call().stream;
        if events.is_some() && !is_encoded {
            match is_stream(&mut source, &head).await {
                Ok(true) => {}
                Ok(false) => events = None,
                Err(error) => return Err(attempt.end_with_stream_error(lease, error.into())),
            }
        }
        let stream = match events {
            _ if is_encoded && is_translated => {
                let reason = "unexpected content-encoding in the provider's response";
                let failure = classify::invalid_response(reason);
                return Err(attempt.end_with_failure(lease, failure, None));
            }
            _ if is_encoded => AnyStream::Buffered(Box::new(BufferedStream::encoded(source))),
            None => {
                let stream = BufferedStream::checked(source, negotiated.clone());
                AnyStream::Buffered(Box::new(stream))
            }
            Some(StreamFraming::Events) if !is_translated => {
                let relay = Relay::new(source, negotiated.recorder().clone());
                AnyStream::Relay(Box::new(relay))
            }
            Some(framing) => {
                let writer = StreamWriter::new(negotiated, framing);
                AnyStream::Transcoded(Box::new(TranscodedStream::new(source, writer)))
            }
        };
        Ok(attempt.open(lease, head, stream))
    }
}

impl<'a> Attempt<'a> {
    fn open(self, lease: Lease, head: ResponseHead, stream: AnyStream) -> OpenReply<'a> {
        let mut headers = client_headers(head.headers);
        remove_headers_with_secrets(&lease, &mut headers);
        OpenReply {
            by_plugin: matches!(stream, AnyStream::Plugin(_)),
            reply: Reply::new(stream, lease, Arc::clone(self.context)),
            attempt: self,
            status: head.status,
            headers,
        }
    }
}

impl OpenReply<'_> {
    /// Commits the reply, and returns the client's response.
    ///
    /// # Errors
    /// When the stream fails before it has content.
    pub(super) async fn commit(self) -> Result<ClientResponse, AttemptError> {
        let Self {
            attempt,
            status,
            mut headers,
            by_plugin,
            reply,
        } = self;
        let body = match reply.commit().await {
            Ok(committed) => committed.into_body(),
            Err(FailedReply { error, lease }) => {
                return Err(attempt.end_with_stream_error(lease, error));
            }
        };
        let negotiated = &attempt.negotiated;
        let is_translated = negotiated.translation().is_some();
        let has_events_type = is_event_stream(&headers);
        // The provider's own content type stays where it can be true of the client's body.
        let content_type = match negotiated.call().stream {
            Some(StreamFraming::Events) if has_events_type && !is_translated => None,
            Some(framing) => Some(stream_content_type(framing)),
            // A plugin's provider may have a type of its own, which is not that of the dialect.
            None if is_translated || has_events_type || by_plugin => Some("application/json"),
            None => None,
        };
        if let Some(content_type) = content_type {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        }
        Ok(ClientResponse {
            status,
            headers,
            body,
            warnings: negotiated.warnings().to_vec(),
            estimated: false,
        })
    }
}

/// Returns whether a body is the requested stream of events. Some providers send one JSON body, and others
/// a stream under another content type: the first bytes decide, and only if they do not, the content type.
async fn is_stream(source: &mut Source, head: &ResponseHead) -> Result<bool, ReadError> {
    let has_events_type = is_event_stream(&head.headers);
    let decided = source
        .peek(STREAM_SNIFF_BYTES_MAX, |bytes| {
            match begins_like_stream(bytes)? {
                true => Some(true),
                false => Some(has_events_type && !begins_like_json(bytes)),
            }
        })
        .await?;
    Ok(decided.unwrap_or(has_events_type))
}
