//! The second half of an attempt: its answer, judged and handed on, or led through its guest.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::BytesMut;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue};
use jackfield_credential::Outcome;

use super::{Attempt, AttemptError, client_headers};
use crate::call::{ClientResponse, ResponseBody, StreamFraming};
use crate::classify;
use crate::error::CallError;
use crate::limits::{BUFFERED_RESPONSE_BYTES_MAX, WHOLE_RESPONSE_BYTES_MAX};
use crate::plan::ResponseMode;
use crate::port::{PluginReply, ResponseHead};
use crate::reply::passthrough::Passthrough;
use crate::reply::plugin::{FirstStep, PluginStream};
use crate::reply::relay::Relay;
use crate::reply::source::Source;
use crate::reply::transcode::TranscodedStream;
use crate::reply::{Exchange, ReplyStream};

impl Attempt<'_> {
    /// Hands an answer on without its guest.
    pub(super) async fn forward_response(
        &mut self,
        head: ResponseHead,
        mut source: Source,
    ) -> Result<ClientResponse, AttemptError> {
        let encoded = head.headers.contains_key(CONTENT_ENCODING);
        if let Some(framing) = self.context.call.stream
            && is_event_stream(&head.headers)
            && !encoded
        {
            let stream = if self.translation.is_relayed(framing) {
                ReplyStream::Relay(Relay::new(source, self.translation.upstream_dialect()))
            } else {
                ReplyStream::Transcoded(Box::new(TranscodedStream::new(
                    source,
                    self.translation.writer(framing),
                )))
            };
            return self.commit(head, stream).await;
        }
        let translated = self.translation.translated().is_some();
        if translated && encoded {
            let reason = "the provider's answer is encoded, which nobody asked for";
            return Err(self.settle_failure(classify::invalid_response(reason), None));
        }
        let limit = if translated {
            WHOLE_RESPONSE_BYTES_MAX
        } else {
            BUFFERED_RESPONSE_BYTES_MAX
        };
        let mut buffer = BytesMut::new();
        loop {
            match source.next().await {
                Ok(Some(chunk)) => buffer.extend_from_slice(&chunk),
                Ok(None) => break,
                Err(error) => return Err(self.settle_stream_error(error.into())),
            }
            if buffer.len() > limit && translated {
                let reason = "the provider's answer is too large to be translated";
                return Err(self.settle_failure(classify::invalid_response(reason), None));
            }
            if buffer.len() > limit {
                let stream = ReplyStream::Passthrough(Passthrough::new(source, buffer.freeze()));
                return self.commit(head, stream).await;
            }
        }
        let body = buffer.freeze();
        if encoded {
            self.settle(Outcome::Success, source.first_byte());
            return Ok(self.client_response(head, ResponseBody::Whole(body)));
        }
        let stream = self.context.call.stream;
        let whole = self.translation.translate_body(body, stream).await;
        let whole = whole.map_err(|error| self.settle_stream_error(error))?;
        if let Some(usage) = whole.usage {
            self.context.trace.usage(usage);
        }
        self.settle(Outcome::Success, source.first_byte());
        Ok(self.client_response(head, ResponseBody::Whole(whole.body)))
    }

    /// Leads an answer through its guest, over as many round trips as the guest asks for.
    pub(super) async fn run_reply(
        &mut self,
        mut head: ResponseHead,
        mut source: Source,
        mut mode: ResponseMode,
        mut reply: Box<dyn PluginReply>,
    ) -> Result<ClientResponse, AttemptError> {
        loop {
            head = reply
                .head(head)
                .await
                .map_err(|rejection| self.settle_rejection(rejection))?;
            let client_format = (&self.translation, self.context.call.stream);
            let plugin_stream = PluginStream::new(
                source,
                Arc::clone(self.executor),
                reply,
                mode,
                client_format,
            );
            let mut out = VecDeque::new();
            let first = plugin_stream
                .begin(&mut out)
                .await
                .map_err(|error| self.settle_stream_error(error))?;
            let plan = match first {
                FirstStep::Output(plugin_stream, polled) => {
                    let exchange = self
                        .new_exchange(ReplyStream::Plugin(*plugin_stream))?
                        .with_first_step(out, polled);
                    return self.commit_exchange(head, exchange).await;
                }
                FirstStep::NextRequest(plan, reused) => {
                    reply = reused;
                    plan
                }
            };
            mode = plan.response_mode;
            (head, source) = self.send(*plan).await?;
            if mode == ResponseMode::Relay {
                return self.forward_response(head, source).await;
            }
        }
    }

    async fn commit(
        &mut self,
        head: ResponseHead,
        stream: ReplyStream,
    ) -> Result<ClientResponse, AttemptError> {
        let exchange = self.new_exchange(stream)?;
        self.commit_exchange(head, exchange).await
    }

    fn new_exchange(&mut self, stream: ReplyStream) -> Result<Exchange, AttemptError> {
        let lease = self.lease.take().ok_or_else(|| {
            AttemptError::Fatal(Box::new(CallError::Misconfigured(
                "an attempt was begun twice".to_owned(),
            )))
        })?;
        Ok(Exchange::new(stream, lease, Arc::clone(self.context)))
    }

    async fn commit_exchange(
        &mut self,
        head: ResponseHead,
        exchange: Exchange,
    ) -> Result<ClientResponse, AttemptError> {
        match exchange.commit().await {
            Ok(body) => Ok(self.client_response(head, body)),
            Err((error, lease)) => {
                self.lease = lease;
                Err(self.settle_stream_error(error))
            }
        }
    }

    /// The answer, with the provider's headers as far as they are the client's business.
    fn client_response(&self, head: ResponseHead, body: ResponseBody) -> ClientResponse {
        let mut headers = client_headers(head.headers);
        let kind = match (self.translation.translated(), self.context.call.stream) {
            (_, Some(StreamFraming::Array)) | (Some(_), None) => Some("application/json"),
            (Some(_), Some(StreamFraming::Events)) => Some("text/event-stream; charset=utf-8"),
            (None, _) => None,
        };
        if let Some(kind) = kind {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        }
        ClientResponse {
            status: head.status,
            headers,
            body,
            warnings: self.translation.warnings().to_vec(),
            estimated: false,
        }
    }
}

fn is_event_stream(headers: &HeaderMap) -> bool {
    let value = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    value.is_some_and(|value| {
        value
            .trim_start()
            .to_ascii_lowercase()
            .starts_with("text/event-stream")
    })
}
