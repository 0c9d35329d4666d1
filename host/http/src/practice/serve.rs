//! What every path of the practice provider has in common: a request is let in, checked, answered,
//! and sent whole or as a stream, with the failures that it wished for.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue, Response, Uri};
use futures_util::stream::unfold;
use serde_json::Value;
use tokio::time::sleep;

use super::PracticeProvider;
use super::answer::Answer;
use super::asked::{Asked, Wrong};
use super::voice::{Trouble, Voice, json_response};
use super::wishes::Wishes;

/// A request, as a path gets it.
pub(super) struct Received {
    pub(super) uri: Uri,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// Says what a request asks for, if it holds.
pub(super) type Check = Box<dyn Fn(Value) -> Result<Asked, Wrong> + Send + Sync>;

/// What a path does with a request that is let in.
pub(super) struct Path {
    pub(super) voice: Voice,
    /// What the request asks for, if it holds.
    pub(super) check: Check,
    /// The whole answer.
    pub(super) whole: fn(&Asked, &Answer) -> Value,
    /// The answer's events. The last is the one that says that it is whole.
    pub(super) events: fn(&Asked, &Answer) -> Vec<Bytes>,
    /// The content type of a stream.
    pub(super) stream_type: &'static str,
}

/// The content type of server-sent events.
pub(super) const EVENTS: &str = "text/event-stream; charset=utf-8";

impl Received {
    /// The key that came along, if it is where this API wants it.
    fn key(&self, voice: Voice) -> Option<String> {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let named = |name: &str| self.headers.get(name).map(|it| text(it.as_bytes()));
        let authorization = self.headers.get(AUTHORIZATION);
        // No provider takes the bare key there.
        let bearer = authorization
            .and_then(|it| it.as_bytes().split_at_checked(7))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case(b"bearer "))
            .map(|(_, token)| text(token.trim_ascii()));
        let key = match voice {
            // Azure's name for it.
            Voice::OpenAi | Voice::Responses => bearer.or_else(|| named("api-key")),
            Voice::Anthropic => named("x-api-key").or(bearer),
            Voice::Gemini | Voice::GeminiArray => named("x-goog-api-key")
                .or_else(|| self.query("key").map(str::to_owned))
                .or(bearer),
        };
        key.filter(|key| !key.is_empty())
    }

    /// A member of the query.
    pub(super) fn query(&self, name: &str) -> Option<&str> {
        let pairs = self.uri.query()?.split('&');
        let mut pairs = pairs.filter_map(|pair| pair.split_once('='));
        pairs
            .find(|(found, _)| *found == name)
            .map(|(_, value)| value)
    }
}

impl PracticeProvider {
    /// Lets a request in: who makes it, unless it gets an error.
    pub(super) fn admit(&self, voice: Voice, received: &Received) -> Result<String, Trouble> {
        let Received { uri, headers, body } = received;
        self.requests.keep(uri.path(), uri.query(), headers, body);
        let key = received
            .key(voice)
            .ok_or("no API key was provided".to_owned());
        let key = key
            .and_then(|key| self.caller(key))
            .map_err(Trouble::unauthorized)?;
        self.count(&key);
        let Some(failure) = self.refusal(&key) else {
            return Ok(key);
        };
        // As careless as some providers are: the key is repeated.
        let message = format!("the practice provider refuses the API key {key}");
        let status = failure.status.as_u16();
        Err(Trouble {
            status,
            message,
            code: (status == 401).then_some("invalid_api_key"),
            retry_after: failure.retry_after,
            field: None,
        })
    }

    /// Answers a request.
    pub(super) async fn serve(self: &Arc<Self>, path: Path, received: Received) -> Response<Body> {
        match self.asked(&path, &received) {
            Ok((asked, key)) => self.answer(&path, &asked, &key).await,
            Err(trouble) => path.voice.refuse(&trouble),
        }
    }

    /// Answers a request that is never a stream.
    pub(super) fn serve_small(
        &self,
        voice: Voice,
        received: &Received,
        answer: impl FnOnce(Value) -> Result<Value, Wrong>,
    ) -> Response<Body> {
        let answer = self
            .admit(voice, received)
            .and_then(|_| read(&received.body))
            .and_then(|body| answer(body).map_err(Trouble::from));
        match answer {
            Ok(body) => json_response(&body),
            Err(trouble) => voice.refuse(&trouble),
        }
    }

    /// What a request asks for, and who asks.
    fn asked(&self, path: &Path, received: &Received) -> Result<(Asked, String), Trouble> {
        let key = self.admit(path.voice, received)?;
        let asked = (path.check)(read(&received.body)?)?;
        match asked.wishes.status {
            Some(status) => Err(wished(status, asked.wishes.retry_after)),
            None => Ok((asked, key)),
        }
    }

    async fn answer(self: &Arc<Self>, path: &Path, asked: &Asked, key: &str) -> Response<Body> {
        let answer = Answer::to(asked, key);
        if asked.stream {
            return self.stream(path, asked, (path.events)(asked, &answer));
        }
        if asked.wishes.silent_ms > 0 {
            sleep(Duration::from_millis(asked.wishes.silent_ms)).await;
        }
        json_response(&(path.whole)(asked, &answer))
    }

    fn stream(
        self: &Arc<Self>,
        path: &Path,
        asked: &Asked,
        mut events: Vec<Bytes>,
    ) -> Response<Body> {
        let wishes = asked.wishes.clone();
        if wishes.omit_end {
            events.pop();
        }
        if let Some(after) = wishes.events_error_after {
            events.truncate(usize::try_from(after).unwrap_or(usize::MAX));
            events.push(
                path.voice
                    .event(&wished(path.voice.overloaded(), None), after),
            );
        }
        let start = (0_u32, events.into_iter(), OpenStream::new(self));
        let body = unfold(start, move |(sent, mut events, open)| {
            let wishes = wishes.clone();
            async move {
                pause(&wishes, sent).await;
                if wishes.break_after.is_some_and(|most| sent >= most) {
                    return Some((Err(Cut), (u32::MAX, Vec::new().into_iter(), open)));
                }
                let event = events.next()?;
                Some((Ok(event), (sent.saturating_add(1), events, open)))
            }
        });
        let mut response = Response::new(Body::from_stream(body));
        let kind = HeaderValue::from_static(path.stream_type);
        response.headers_mut().insert(CONTENT_TYPE, kind);
        response
    }
}

/// Reads a body, and fails with the status that it wishes for, whatever else is in it.
fn read(body: &[u8]) -> Result<Value, Trouble> {
    let body: Value =
        serde_json::from_slice(body).map_err(|wrong| Wrong::at("", wrong.to_string()))?;
    let wishes = Wishes::read(&body, "").map_err(|wrong| Wrong::at("practice", wrong))?;
    match wishes.status {
        Some(status) => Err(wished(status, wishes.retry_after)),
        None => Ok(body),
    }
}

fn wished(status: u16, retry_after: Option<u64>) -> Trouble {
    Trouble {
        status,
        message: "the request asked for this status".to_owned(),
        retry_after,
        ..Trouble::default()
    }
}

async fn pause(wishes: &Wishes, sent: u32) {
    let silent = if sent == wishes.silent_after {
        wishes.silent_ms
    } else {
        0
    };
    let pause = wishes.pause_ms.saturating_add(silent);
    if pause > 0 {
        sleep(Duration::from_millis(pause)).await;
    }
}

/// Ends a stream in the middle.
#[derive(Debug, thiserror::Error)]
#[error("the practice provider breaks off")]
struct Cut;

/// Counts a stream for as long as it lives.
struct OpenStream(Arc<PracticeProvider>);

impl OpenStream {
    fn new(provider: &Arc<PracticeProvider>) -> Self {
        provider.streams_open.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(provider))
    }
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        self.0.streams_open.fetch_sub(1, Ordering::Relaxed);
    }
}
