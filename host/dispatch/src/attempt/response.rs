//! The later steps of an attempt: the response of good status, its reply, and the commit.

use std::sync::Arc;

use bytes::Bytes;
use http::HeaderValue;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use jackfield_auth::Lease;

use super::{Attempt, AttemptError};
use crate::call::{ClientResponse, StreamFraming};
use crate::classify;
use crate::plan::ResponseMode;
use crate::port::{PluginReply, Rejection, ResponseHead};
use crate::reply::buffered::BufferedStream;
use crate::reply::headers::{client_headers, is_event_stream};
use crate::reply::plugin::{FirstStep, PluginStream};
use crate::reply::relay::Relay;
use crate::reply::source::Source;
use crate::reply::transcode::TranscodedStream;
use crate::reply::{AnyStream, FailedReply, Open, Reply, StreamWriter};

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

/// The third step: a reply of which nothing was sent.
pub(super) struct OpenReply<'a> {
    attempt: Attempt<'a>,
    head: ResponseHead,
    reply: Reply<Open>,
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
        loop {
            if responded.mode == ResponseMode::Relay {
                return responded.without_plugin();
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
            let executor = Arc::clone(attempt.executor);
            let stream = PluginStream::new(source, executor, reply, mode, &attempt.negotiated);
            match stream.begin().await {
                Ok(FirstStep::Output(stream)) => {
                    return Ok(attempt.open(lease, head, AnyStream::Plugin(stream)));
                }
                Ok(FirstStep::NextRequest { plan, reply }) => {
                    reused = Some(reply);
                    responded = attempt.send(lease, *plan, round_trip + 1).await?;
                }
                Err(error) => return Err(attempt.end_with_stream_error(lease, error)),
            }
        }
    }

    /// Chooses how the host itself hands the response on.
    fn without_plugin(self) -> Result<OpenReply<'a>, AttemptError> {
        let Self {
            attempt,
            lease,
            head,
            source,
            ..
        } = self;
        let negotiated = &attempt.negotiated;
        let is_translated = negotiated.translation().is_some();
        let is_encoded = head.headers.contains_key(CONTENT_ENCODING);
        // Some providers send one JSON body although a stream was requested: the content type decides.
        let events = negotiated
            .call()
            .stream
            .filter(|_| is_event_stream(&head.headers));
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
                let relay = Relay::new(source, negotiated.upstream_dialect());
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
        OpenReply {
            reply: Reply::new(stream, lease, Arc::clone(self.context)),
            attempt: self,
            head,
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
            head,
            reply,
        } = self;
        let body = match reply.commit().await {
            Ok(committed) => committed.into_body(),
            Err(FailedReply { error, lease }) => {
                return Err(attempt.end_with_stream_error(lease, error));
            }
        };
        let negotiated = &attempt.negotiated;
        let mut headers = client_headers(head.headers);
        let content_type = match (negotiated.translation(), negotiated.call().stream) {
            (_, Some(StreamFraming::Array)) | (Some(_), None) => Some("application/json"),
            (Some(_), Some(StreamFraming::Events)) => Some("text/event-stream; charset=utf-8"),
            // The body has the provider's format, and so the provider's content type.
            (None, _) => None,
        };
        if let Some(content_type) = content_type {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        }
        Ok(ClientResponse {
            status: head.status,
            headers,
            body,
            warnings: negotiated.warnings().to_vec(),
            estimated: false,
        })
    }
}
