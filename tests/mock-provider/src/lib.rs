//! A mock provider: it speaks the dialects of OpenAI, Anthropic and Gemini on a loopback port,
//! checks what it is sent as strictly as their references do, answers by rule, and fails on command.
//! The demo and the tests use it; nothing of it is on a request's path.
//!
//! `routes` has its paths. A dialect says what a request asks for (`asked`), `answer` what it is
//! answered, and the dialect again how that is written. What a caller may wish for is in `directives`.

mod anthropic_messages;
mod client;
mod directives;
mod embeddings;
mod errors;
mod gemini;
mod media;
mod models;
mod oauth;
mod openai_chat;
mod openai_common;
mod openai_completions;
mod openai_responses;
mod request;
mod request_log;
mod response;
mod routes;
mod schema;
mod schema_sample;
mod serve;
mod signature;
mod strict_schema;

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use axum::http::StatusCode;
use parking_lot::Mutex;
use tokio::time::Instant;

pub use client::{MockClient, MockClientError, MockResponse};
pub use oauth::{MockOAuth, MockOAuthCounts, MockOAuthOptions, MockTokens, Rotation};
pub use request_log::RecordedRequest;

use request_log::RequestLog;

/// A mock provider. Give its [`router`](MockProvider::router) to a server.
#[derive(Default)]
pub struct MockProvider {
    /// The keys that it knows; any, if there is none.
    keys: Mutex<HashSet<String>>,
    /// The keys that get an error, and which.
    failing: Mutex<BTreeMap<String, MockFailure>>,
    /// Calls so far, by key.
    calls: Mutex<BTreeMap<String, u64>>,
    streams_open: AtomicU64,
    /// What arrived lately.
    requests: RequestLog,
    /// Its token endpoint: access tokens are keys then, and calls are counted by account.
    oauth: Option<MockOAuth>,
}

/// How a mock provider fails a call.
#[derive(Debug, Clone, Copy)]
pub struct MockFailure {
    /// The status.
    pub status: StatusCode,
    /// The `retry-after` header, in seconds.
    pub retry_after: Option<u64>,
}

impl MockFailure {
    /// The status of a rate limit.
    pub const TOO_MANY_REQUESTS: StatusCode = StatusCode::TOO_MANY_REQUESTS;
}

impl MockProvider {
    /// A provider that knows these keys; any key, if there is none.
    pub fn new(keys: impl IntoIterator<Item = String>) -> Arc<Self> {
        let provider = Self {
            keys: Mutex::new(keys.into_iter().collect()),
            ..Self::default()
        };
        Arc::new(provider)
    }

    /// A provider that takes access tokens, of accounts that are yet to be opened.
    pub fn with_oauth(options: MockOAuthOptions) -> Arc<Self> {
        let provider = Self {
            oauth: Some(MockOAuth::new(options)),
            ..Self::default()
        };
        Arc::new(provider)
    }

    /// Its token endpoint, if it has one.
    pub fn oauth(&self) -> Option<&MockOAuth> {
        self.oauth.as_ref()
    }

    /// Its routes: the dialects, the token endpoint, and what it has counted and was sent.
    pub fn router(self: &Arc<Self>) -> Router {
        routes::router(Arc::clone(self))
    }

    /// Has every call with this key fail, or succeed again.
    pub fn fail(&self, key: &str, failure: Option<MockFailure>) {
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

    /// What arrived lately, the last at the end.
    pub fn requests(&self) -> Vec<RecordedRequest> {
        self.requests.all()
    }

    /// By which name a caller is known: its key, or the account of its access token.
    fn caller(&self, key: String) -> Result<String, String> {
        let Some(oauth) = &self.oauth else {
            return Ok(key);
        };
        oauth
            .accept(&key, Instant::now())
            .map_err(|error| error.to_string())
    }

    fn count(&self, key: &str) {
        *self.calls.lock().entry(key.to_owned()).or_default() += 1;
    }

    /// Whether this key gets an error.
    fn failure_of(&self, key: &str) -> Option<MockFailure> {
        let keys = self.keys.lock();
        if !keys.is_empty() && !keys.contains(key) {
            return Some(MockFailure {
                status: StatusCode::UNAUTHORIZED,
                retry_after: None,
            });
        }
        self.failing.lock().get(key).copied()
    }
}
