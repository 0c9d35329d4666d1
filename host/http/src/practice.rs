//! A practice provider: it speaks OpenAI's chat completions on a loopback port, answers by rule,
//! and fails on command. The demo and the tests use it; nothing of it is on a request's path.

mod client;
mod oauth;

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode};
use axum::routing::{get, post};
use futures_util::stream::unfold;
use jackfield_dialect::ErrorBody;
use jackfield_dialect::openai_chat::{error_kind, render_error};
use parking_lot::Mutex;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

pub use client::{PracticeAnswer, PracticeClient, PracticeError};
pub use oauth::{
    PracticeOAuth, PracticeOAuthCounts, PracticeOAuthOptions, PracticeTokens, Rotation,
};

use crate::keys::bearer;

/// A practice provider. Give its [`router`](PracticeProvider::router) to a server.
#[derive(Default)]
pub struct PracticeProvider {
    /// The keys that it knows; any, if there is none.
    keys: Mutex<HashSet<String>>,
    /// The keys that get an error, and which.
    failing: Mutex<BTreeMap<String, PracticeFailure>>,
    /// Calls so far, by key.
    calls: Mutex<BTreeMap<String, u64>>,
    streams_open: AtomicU64,
    /// Its token endpoint: access tokens are keys then, and calls are counted by account.
    oauth: Option<PracticeOAuth>,
}

/// How a practice provider fails a call.
#[derive(Debug, Clone, Copy)]
pub struct PracticeFailure {
    /// The status.
    pub status: StatusCode,
    /// The `retry-after` header, in seconds.
    pub retry_after: Option<u64>,
}

impl PracticeFailure {
    /// The status of a rate limit.
    pub const TOO_MANY_REQUESTS: StatusCode = StatusCode::TOO_MANY_REQUESTS;
}

/// What a caller may ask for, beside what the dialect has: it passes through Jackfield like every
/// other field that nobody knows.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(default)]
struct Wishes {
    /// How many words the answer has.
    words: u32,
    /// The pause before each event of a stream.
    pause_ms: u64,
    /// The status to fail with.
    status: Option<u16>,
    /// After how many events to break off.
    break_after: Option<u32>,
}

impl Default for Wishes {
    fn default() -> Self {
        Self {
            words: 5,
            pause_ms: 0,
            status: None,
            break_after: None,
        }
    }
}

/// The part of a request that a practice provider looks at.
#[derive(Deserialize)]
struct Asked {
    model: String,
    messages: Option<Vec<Value>>,
    #[serde(default)]
    stream: bool,
    #[serde(default)]
    stream_options: Option<StreamOptions>,
    #[serde(default)]
    practice: Wishes,
}

#[derive(Deserialize)]
struct StreamOptions {
    #[serde(default)]
    include_usage: bool,
}

impl PracticeProvider {
    /// A provider that knows these keys; any key, if there is none.
    pub fn new(keys: impl IntoIterator<Item = String>) -> Arc<Self> {
        let provider = Self {
            keys: Mutex::new(keys.into_iter().collect()),
            ..Self::default()
        };
        Arc::new(provider)
    }

    /// A provider that takes access tokens, of accounts that are yet to be opened.
    pub fn with_oauth(options: PracticeOAuthOptions) -> Arc<Self> {
        let provider = Self {
            oauth: Some(PracticeOAuth::new(options)),
            ..Self::default()
        };
        Arc::new(provider)
    }

    /// Its token endpoint, if it has one.
    pub fn oauth(&self) -> Option<&PracticeOAuth> {
        self.oauth.as_ref()
    }

    /// Its routes: the chat, the token endpoint, and what it has counted.
    pub fn router(self: &Arc<Self>) -> Router {
        Router::new()
            .route("/v1/chat/completions", post(chat_completions))
            .route("/oauth/token", post(oauth::token))
            .route("/practice/counts", get(counts))
            .with_state(Arc::clone(self))
    }

    /// Has every call with this key fail, or succeed again.
    pub fn fail(&self, key: &str, failure: Option<PracticeFailure>) {
        let mut failing = self.failing.lock();
        match failure {
            Some(failure) => drop(failing.insert(key.to_owned(), failure)),
            None => drop(failing.remove(key)),
        }
    }

    /// Calls so far, by key.
    pub fn calls(&self) -> BTreeMap<String, u64> {
        self.calls.lock().clone()
    }

    /// Streams that have begun and not ended.
    pub fn streams_open(&self) -> u64 {
        self.streams_open.load(Ordering::Relaxed)
    }

    /// By which name a caller is known: its key, or the account of its access token.
    fn caller(&self, key: String) -> Result<String, String> {
        let Some(oauth) = &self.oauth else {
            return Ok(key);
        };
        oauth
            .accept(&key, Instant::now())
            .map_err(|refused| refused.to_string())
    }

    fn count(&self, key: &str) {
        *self.calls.lock().entry(key.to_owned()).or_default() += 1;
    }

    /// Whether this key gets an error.
    fn refusal(&self, key: &str) -> Option<PracticeFailure> {
        let keys = self.keys.lock();
        if !keys.is_empty() && !keys.contains(key) {
            return Some(PracticeFailure {
                status: StatusCode::UNAUTHORIZED,
                retry_after: None,
            });
        }
        self.failing.lock().get(key).copied()
    }
}

async fn chat_completions(
    State(provider): State<Arc<PracticeProvider>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let key = headers
        .get(AUTHORIZATION)
        .map(|value| bearer(value.as_bytes()))
        .unwrap_or_default();
    let key = match provider.caller(String::from_utf8_lossy(key).into_owned()) {
        Ok(key) => key,
        Err(message) => return error(StatusCode::UNAUTHORIZED, &message, None),
    };
    provider.count(&key);
    if let Some(failure) = provider.refusal(&key) {
        // As careless as some providers are: the key is repeated.
        let message = format!("the practice provider refuses the API key {key}");
        return error(failure.status, &message, failure.retry_after);
    }
    let asked: Asked = match serde_json::from_slice(&body) {
        Ok(asked) => asked,
        Err(wrong) => return error(StatusCode::BAD_REQUEST, &wrong.to_string(), None),
    };
    if let Some(status) = asked
        .practice
        .status
        .and_then(|status| StatusCode::from_u16(status).ok())
    {
        return error(status, "the request asked for this status", None);
    }
    if asked.messages.as_ref().is_none_or(Vec::is_empty) {
        return error(
            StatusCode::BAD_REQUEST,
            "messages: at least one is needed",
            None,
        );
    }
    if asked.stream {
        stream(&provider, &asked, &key)
    } else {
        whole(&asked, &key)
    }
}

/// What it has counted, for tests that see it from outside.
async fn counts(State(provider): State<Arc<PracticeProvider>>) -> Response<Body> {
    let counts = json!({
        "calls": provider.calls(),
        "streams_open": provider.streams_open(),
        "oauth": provider.oauth().map(PracticeOAuth::counts),
    });
    json_response(Body::from(counts.to_string()))
}

fn error(status: StatusCode, message: &str, retry_after: Option<u64>) -> Response<Body> {
    let (kind, code) = error_kind(status.as_u16());
    let body = render_error(&ErrorBody {
        message,
        kind,
        code,
        param: None,
        cooldown: None,
    });
    let mut response = json_response(Body::from(body));
    *response.status_mut() = status;
    if let Some(seconds) = retry_after {
        response
            .headers_mut()
            .insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

fn json_response(body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, json);
    response
}

/// Who answered shows in the answer: that is how rotation is seen from outside.
fn whole(asked: &Asked, key: &str) -> Response<Body> {
    let words: Vec<String> = (0..asked.practice.words)
        .map(|word| text(word, key))
        .collect();
    let answer = json!({
        "id": "practice-1",
        "object": "chat.completion",
        "created": 1,
        "model": asked.model,
        "choices": [{
            "index": 0,
            "message": { "role": "assistant", "content": words.concat() },
            "finish_reason": "stop",
        }],
        "usage": usage(asked),
        "x_practice": { "served_by": key },
    });
    json_response(Body::from(answer.to_string()))
}

fn text(word: u32, key: &str) -> String {
    if word == 0 {
        format!("{key} says:")
    } else {
        format!(" word-{word}")
    }
}

fn usage(asked: &Asked) -> Value {
    let words = asked.practice.words;
    json!({ "prompt_tokens": 3, "completion_tokens": words, "total_tokens": 3 + words })
}

fn stream(provider: &Arc<PracticeProvider>, asked: &Asked, key: &str) -> Response<Body> {
    let events = events(asked, key);
    let wishes = asked.practice;
    let open = OpenStream::new(provider);
    let start = (0_u32, events.into_iter(), open);
    let body = unfold(start, move |(sent, mut events, open)| async move {
        if wishes.pause_ms > 0 {
            sleep(Duration::from_millis(wishes.pause_ms)).await;
        }
        if wishes.break_after.is_some_and(|most| sent >= most) {
            return Some((Err(Cut), (u32::MAX, Vec::new().into_iter(), open)));
        }
        let event = events.next()?;
        Some((Ok(event), (sent.saturating_add(1), events, open)))
    });
    let mut response = Response::new(Body::from_stream(body));
    let kind = HeaderValue::from_static("text/event-stream; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

/// Ends a stream in the middle.
#[derive(Debug, thiserror::Error)]
#[error("the practice provider breaks off")]
struct Cut;

fn events(asked: &Asked, key: &str) -> Vec<Bytes> {
    let chunk = |delta: Value, reason: Option<&str>| {
        let choice = json!({ "index": 0, "delta": delta, "finish_reason": reason });
        event(&json!({
            "id": "practice-1",
            "object": "chat.completion.chunk",
            "created": 1,
            "model": asked.model,
            "choices": [choice],
        }))
    };
    let mut events = vec![chunk(json!({ "role": "assistant", "content": "" }), None)];
    events.extend(
        (0..asked.practice.words).map(|word| chunk(json!({ "content": text(word, key) }), None)),
    );
    events.push(chunk(json!({}), Some("stop")));
    if asked
        .stream_options
        .as_ref()
        .is_some_and(|options| options.include_usage)
    {
        events.push(event(&json!({
            "id": "practice-1",
            "object": "chat.completion.chunk",
            "created": 1,
            "model": asked.model,
            "choices": [],
            "usage": usage(asked),
        })));
    }
    events.push(Bytes::from_static(b"data: [DONE]\n\n"));
    events
}

fn event(data: &Value) -> Bytes {
    Bytes::from(format!("data: {data}\n\n"))
}

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
