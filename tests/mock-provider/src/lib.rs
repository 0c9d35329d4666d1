//! A mock provider with the APIs of OpenAI, Anthropic and Gemini. It validates requests as strictly as
//! the API references do, generates responses by rule, and fails on command. The demo and the tests use
//! it; it must not depend on the code that they test.
//!
//! `routes` has the paths. A dialect's `parse` turns a body into a `ModelRequest`, `response` generates
//! the `ModelResponse`, and the dialect's `render` writes it. With `directives`, a request changes its
//! own response.

mod acme;
mod amazon_event_stream;
mod anthropic_messages;
mod bedrock;
mod client;
mod directives;
mod embeddings;
mod errors;
mod family;
mod family_routes;
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
mod unix_time;
mod vertex;

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use axum::Router;
use axum::http::StatusCode;
use parking_lot::Mutex;
use tokio::time::Instant;

pub use bedrock::MockAccessKey;
pub use client::{MockClient, MockClientError, MockResponse};
pub use family::{FamilyRule, FamilyServer, Refusal, ServerFamily};
pub use oauth::{
    MockConsent, MockOAuth, MockOAuthCounts, MockOAuthOptions, MockServiceAccount, MockTokens,
    Rotation,
};
pub use request_log::RecordedRequest;

use oauth::Unauthorized;
use request_log::RequestLog;

/// A mock provider. Pass its [`router`](MockProvider::router) to a server.
#[derive(Default)]
pub struct MockProvider {
    /// The accepted keys. If empty, every key is accepted.
    keys: Mutex<HashSet<String>>,
    /// The access keys whose signatures are accepted.
    access_keys: Mutex<Vec<MockAccessKey>>,
    /// The keys whose calls fail.
    failing: Mutex<BTreeMap<String, MockFailure>>,
    /// Returns the number of calls so far, by key.
    calls: Mutex<BTreeMap<String, u64>>,
    streams_open: AtomicU64,
    /// Whether only requested tools are called, in every response.
    only_requested_calls: AtomicBool,
    /// The last requests.
    requests: RequestLog,
    /// The token endpoint. With it, keys are access tokens, and calls are counted by account.
    oauth: Option<MockOAuth>,
}

/// How the mock provider fails a call.
#[derive(Debug, Clone, Copy)]
pub struct MockFailure {
    /// The response's status.
    pub status: StatusCode,
    /// The `retry-after` header, in seconds.
    pub retry_after: Option<u64>,
}

impl MockFailure {
    /// The status of a rate limit.
    pub const TOO_MANY_REQUESTS: StatusCode = StatusCode::TOO_MANY_REQUESTS;
}

impl MockProvider {
    /// Creates a provider that accepts these keys, or every key if there is none.
    pub fn new(keys: impl IntoIterator<Item = String>) -> Arc<Self> {
        let provider = Self {
            keys: Mutex::new(keys.into_iter().collect()),
            ..Self::default()
        };
        Arc::new(provider)
    }

    /// Creates a provider that accepts the access tokens of its own token endpoint. It has no accounts yet.
    pub fn with_oauth(options: MockOAuthOptions) -> Arc<Self> {
        let provider = Self {
            oauth: Some(MockOAuth::new(options)),
            ..Self::default()
        };
        Arc::new(provider)
    }

    /// Returns the token endpoint of a provider created with [`with_oauth`](Self::with_oauth).
    pub fn oauth(&self) -> Option<&MockOAuth> {
        self.oauth.as_ref()
    }

    /// Returns the routes: the dialects, the token endpoint, the counts and the recorded requests.
    pub fn router(self: &Arc<Self>) -> Router {
        routes::router(self)
    }

    /// Makes every call with this key fail; `None` makes them succeed again.
    pub fn fail(&self, key: &str, failure: Option<MockFailure>) {
        let mut failing = self.failing.lock();
        match failure {
            Some(failure) => drop(failing.insert(key.to_owned(), failure)),
            None => drop(failing.remove(key)),
        }
    }

    /// Makes every response call only tools that `mock:call` names. Coding tools put texts about tools into the user's
    /// turns.
    pub fn call_requested_tools_only(&self) {
        self.only_requested_calls.store(true, Ordering::Relaxed);
    }

    /// Calls so far, by key.
    pub fn calls(&self) -> BTreeMap<String, u64> {
        self.calls.lock().clone()
    }

    /// Returns the number of open streams.
    pub fn streams_open(&self) -> u64 {
        self.streams_open.load(Ordering::Relaxed)
    }

    /// Returns the last requests, oldest first.
    pub fn requests(&self) -> Vec<RecordedRequest> {
        self.requests.all()
    }

    /// Returns the name under which a caller is counted: its key, or the account of its access token.
    fn caller(&self, key: String) -> Result<String, Unauthorized> {
        match &self.oauth {
            Some(oauth) => oauth.accept(&key, Instant::now()),
            None => Ok(key),
        }
    }

    fn count(&self, key: &str) {
        *self.calls.lock().entry(key.to_owned()).or_default() += 1;
    }

    /// Returns the failure of this key, if its calls fail.
    fn failure_of(&self, key: &str) -> Option<MockFailure> {
        let keys = self.keys.lock();
        let is_known = |key| {
            keys.contains(key)
                || self
                    .access_keys
                    .lock()
                    .iter()
                    .any(|access| access.id == key)
        };
        if !keys.is_empty() && !is_known(key) {
            return Some(MockFailure {
                status: StatusCode::UNAUTHORIZED,
                retry_after: None,
            });
        }
        self.failing.lock().get(key).copied()
    }
}
