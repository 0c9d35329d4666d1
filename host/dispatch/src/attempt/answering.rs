//! The second half of an attempt: its answer, judged and handed on, or led through its guest.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::BytesMut;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue};
use jackfield_credential::Outcome;

use super::{Attempt, Missed, for_client};
use crate::call::{Answer, AnswerBody, Framing};
use crate::classify;
use crate::error::CallError;
use crate::exchange::{Exchange, Pump};
use crate::guided::{Begun, Guided};
use crate::limits::{HELD_ANSWER_BYTES_MAX, WHOLE_ANSWER_BYTES_MAX};
use crate::plan::Response;
use crate::port::{Head, Reply};
use crate::raw::Raw;
use crate::relay::Relay;
use crate::retold::Retold;
use crate::source::Source;

impl Attempt<'_> {
    /// Hands an answer on without its guest.
    pub(super) async fn relay(&mut self, head: Head, mut source: Source) -> Result<Answer, Missed> {
        let encoded = head.headers.contains_key(CONTENT_ENCODING);
        if let Some(framing) = self.course.call.stream
            && is_event_stream(&head.headers)
            && !encoded
        {
            let pump = if self.told.is_relayed(framing) {
                Pump::Relay(Relay::new(source, self.told.spoken()))
            } else {
                Pump::Retold(Box::new(Retold::new(source, self.told.writer(framing))))
            };
            return self.commit(head, pump).await;
        }
        let translated = self.told.translated().is_some();
        if translated && encoded {
            let why = "the provider's answer is encoded, which nobody asked for";
            return Err(self.failed(classify::useless(why), None));
        }
        let most = if translated {
            WHOLE_ANSWER_BYTES_MAX
        } else {
            HELD_ANSWER_BYTES_MAX
        };
        let mut held = BytesMut::new();
        loop {
            match source.next().await {
                Ok(Some(chunk)) => held.extend_from_slice(&chunk),
                Ok(None) => break,
                Err(stopped) => return Err(self.broke(stopped.into())),
            }
            if held.len() > most && translated {
                let why = "the provider's answer is too large to be translated";
                return Err(self.failed(classify::useless(why), None));
            }
            if held.len() > most {
                let pump = Pump::Raw(Raw::new(source, held.freeze()));
                return self.commit(head, pump).await;
            }
        }
        let body = held.freeze();
        if encoded {
            self.settle(Outcome::Success, source.first_byte());
            return Ok(self.answer(head, AnswerBody::Whole(body)));
        }
        let stream = self.course.call.stream;
        let whole = self.told.told_whole(body, stream).await;
        let whole = whole.map_err(|broke| self.broke(broke))?;
        if let Some(usage) = whole.usage {
            self.course.trace.usage(usage);
        }
        self.settle(Outcome::Success, source.first_byte());
        Ok(self.answer(head, AnswerBody::Whole(whole.body)))
    }

    /// Leads an answer through its guest, over as many round trips as the guest asks for.
    pub(super) async fn guide(
        &mut self,
        mut head: Head,
        mut source: Source,
        mut response: Response,
        mut reply: Box<dyn Reply>,
    ) -> Result<Answer, Missed> {
        loop {
            head = reply
                .head(head)
                .await
                .map_err(|rejection| self.rejected(rejection))?;
            let owed = (&self.told, self.course.call.stream);
            let guided = Guided::new(source, Arc::clone(self.executor), reply, response, owed);
            let mut out = VecDeque::new();
            let begun = guided
                .begin(&mut out)
                .await
                .map_err(|broke| self.broke(broke))?;
            let plan = match begun {
                Begun::Answer(guided, step) => {
                    let exchange = self.exchange(Pump::Guided(*guided))?.begun(out, step);
                    return self.committed(head, exchange).await;
                }
                Begun::Next(plan, kept) => {
                    reply = kept;
                    plan
                }
            };
            response = plan.response;
            (head, source) = self.send(*plan).await?;
            if response == Response::Relay {
                return self.relay(head, source).await;
            }
        }
    }

    async fn commit(&mut self, head: Head, pump: Pump) -> Result<Answer, Missed> {
        let exchange = self.exchange(pump)?;
        self.committed(head, exchange).await
    }

    fn exchange(&mut self, pump: Pump) -> Result<Exchange, Missed> {
        let lease = self.lease.take().ok_or_else(|| {
            Missed::Fatal(Box::new(CallError::Misconfigured(
                "an attempt was begun twice".to_owned(),
            )))
        })?;
        Ok(Exchange::new(pump, lease, Arc::clone(self.course)))
    }

    async fn committed(&mut self, head: Head, exchange: Exchange) -> Result<Answer, Missed> {
        match exchange.commit().await {
            Ok(body) => Ok(self.answer(head, body)),
            Err((broke, lease)) => {
                self.lease = lease;
                Err(self.broke(broke))
            }
        }
    }

    /// The answer, with the provider's headers as far as they are the client's business.
    fn answer(&self, head: Head, body: AnswerBody) -> Answer {
        let mut headers = for_client(head.headers);
        let kind = match (self.told.translated(), self.course.call.stream) {
            (_, Some(Framing::Array)) | (Some(_), None) => Some("application/json"),
            (Some(_), Some(Framing::Events)) => Some("text/event-stream; charset=utf-8"),
            (None, _) => None,
        };
        if let Some(kind) = kind {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        }
        Answer {
            status: head.status,
            headers,
            body,
            warnings: self.told.warnings().to_vec(),
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
