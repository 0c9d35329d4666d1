//! Test support: a dispatcher with fakes around it, and paused time.

use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use arc_swap::ArcSwap;
use bytes::Bytes;
use futures_util::StreamExt;
use http::HeaderMap;
use jackfield_auth::{AuthManager, AuthParts, LeaseCounts, Registration};
use jackfield_credential::{
    Availability, CooldownPolicy, Credential, PoolOptions, ProviderName, Served, Timestamp,
};
use jackfield_dialect::Dialect;
use jackfield_dispatch::port::{Executor, Selector};
use jackfield_dispatch::snapshot::{Plugins, Provider, RetryPolicy, Routing, Snapshot, Timeouts};
use jackfield_dispatch::{
    BodyError, Call, CallError, ClientResponse, Clock, Dispatcher, DispatcherParts, Operation,
    ResponseBody, StreamFraming, UpstreamFailure,
};
use proptest::test_runner::Config as ProptestConfig;
use secrecy::SecretString;
use tokio::time::Instant;
use url::Url;

use crate::fake_plugins::{FakeExecutor, FakeSelector};
use crate::fake_upstream::FakeUpstream;

/// The settings of a [`Stage`].
pub(crate) struct Setting {
    /// Credentials named `a`, `b` and so on.
    pub(crate) credentials: usize,
    pub(crate) executor: FakeExecutor,
    /// `None`: the selector that the routing names is not loaded.
    pub(crate) selector: Option<FakeSelector>,
    /// A selector of the name `other-selector`, to which the first may delegate.
    pub(crate) other_selector: Option<FakeSelector>,
    pub(crate) retry: RetryPolicy,
    pub(crate) timeouts: Timeouts,
    pub(crate) policy: CooldownPolicy,
    /// A change of each registration.
    pub(crate) registered: fn(&mut Registration),
}

impl Setting {
    /// Settings with this many credentials, selected in the order of their ids, a relaying
    /// executor and defaults.
    pub(crate) fn new(credentials: usize) -> Self {
        Self {
            credentials,
            executor: FakeExecutor::relaying(),
            selector: Some(FakeSelector::first()),
            other_selector: None,
            retry: RetryPolicy::default(),
            timeouts: Timeouts {
                // Most tests are about the result of a call, and some of those take long.
                client_head: Duration::from_hours(1),
                ..Timeouts::default()
            },
            policy: CooldownPolicy::default(),
            registered: |_| {},
        }
    }

    /// The same, with this executor.
    pub(crate) fn executor(mut self, executor: FakeExecutor) -> Self {
        self.executor = executor;
        self
    }

    /// The same, with this selector.
    pub(crate) fn selector(mut self, selector: FakeSelector) -> Self {
        self.selector = Some(selector);
        self
    }

    /// The same, with one round.
    pub(crate) fn one_round(mut self) -> Self {
        self.retry.rounds = 1;
        self
    }

    /// The same, with each registration changed.
    pub(crate) fn registered(mut self, change: fn(&mut Registration)) -> Self {
        self.registered = change;
        self
    }

    /// Builds the dispatcher with this provider.
    pub(crate) fn stage(self, upstream: FakeUpstream) -> Stage {
        let start = Instant::now();
        let clock = Clock::new(move || EPOCH + start.elapsed());
        let mut registrations: Vec<_> = (0..self.credentials).map(registration).collect();
        registrations.iter_mut().for_each(self.registered);
        let options = PoolOptions {
            policy: self.policy,
            ..PoolOptions::default()
        };
        let auth = AuthManager::new(AuthParts {
            options,
            ..AuthParts::new(registrations, clock.shared())
        })
        .unwrap();
        let executor = Arc::new(self.executor);
        let serving: Arc<dyn Executor> = Arc::<FakeExecutor>::clone(&executor);
        let selectors = [
            ("fake-selector", self.selector),
            ("other-selector", self.other_selector),
        ];
        let selectors = selectors.into_iter().filter_map(|(name, selector)| {
            let selector: Arc<dyn Selector> = Arc::new(selector?);
            Some((Arc::from(name), selector))
        });
        let snapshot = Arc::new(ArcSwap::from_pointee(Snapshot {
            generation: 1,
            configuration: 0,
            providers: BTreeMap::from([(ProviderName::new("provider"), provider())]),
            plugins: Arc::new(Plugins {
                executors: BTreeMap::from([(Arc::from("fake-executor"), serving)]),
                selectors: selectors.collect(),
                ..Plugins::default()
            }),
            routing: Routing {
                selector: Arc::from("fake-selector"),
                settings: Arc::from("{}"),
                ..Routing::default()
            },
            retry: self.retry,
            timeouts: self.timeouts,
        }));
        let upstream = Arc::new(upstream);
        let dispatcher = Arc::new(Dispatcher::new(DispatcherParts {
            snapshot: Arc::clone(&snapshot),
            auth,
            upstream: Arc::<FakeUpstream>::clone(&upstream),
            clock,
            seed: 0,
        }));
        Stage {
            dispatcher,
            snapshot,
            upstream,
            executor,
        }
    }
}

fn provider() -> Provider {
    Provider {
        executor: Arc::from("fake-executor"),
        base_url: Arc::new(Url::parse("https://provider.test/v1").unwrap()),
        settings: Arc::from("{}"),
        grants: Vec::new(),
        client_headers: Vec::new(),
        traits: Arc::default(),
        login: None,
    }
}

/// Returns one of the credentials of [`Setting::new`].
pub(crate) fn registration(index: usize) -> Registration {
    let id = char::from(b'a' + u8::try_from(index).unwrap()).to_string();
    let key = SecretString::from(format!("sk-of-{id}"));
    let credential = Credential {
        serves: vec![Served::new("upstream-model", vec![Arc::from("model")])],
        ..Credential::new(id, "provider", "https://provider.test/v1")
    };
    Registration::new(credential, BTreeMap::from([("api-key".to_owned(), key)]))
}

/// A day in 2026.
pub(crate) const EPOCH: Timestamp = Timestamp::from_millis(1_780_000_000_000);

/// A dispatcher with the fakes around it.
pub(crate) struct Stage {
    pub(crate) dispatcher: Arc<Dispatcher>,
    pub(crate) snapshot: Arc<ArcSwap<Snapshot>>,
    pub(crate) upstream: Arc<FakeUpstream>,
    pub(crate) executor: Arc<FakeExecutor>,
}

impl Stage {
    /// Returns a call that begins now.
    pub(crate) fn call(&self, stream: bool) -> Call {
        Call {
            id: Arc::from("call-1"),
            dialect: Dialect::OpenaiChat,
            operation: Operation::Generate,
            model: Arc::from("model"),
            stream: stream.then_some(StreamFraming::Events),
            body: Bytes::from_static(br#"{"model":"model","messages":[]}"#),
            headers: Arc::new(HeaderMap::new()),
            beta: false,
            principal: Arc::from("tests"),
            network: None,
            affinity: None,
            pinned: None,
            deadline: self.dispatcher.deadline(),
        }
    }

    /// Calls for a stream.
    pub(crate) async fn stream(&self) -> Result<ClientResponse, CallError> {
        self.dispatcher.call(self.call(true)).await
    }

    /// Calls for a whole response.
    pub(crate) async fn whole(&self) -> Result<ClientResponse, CallError> {
        self.dispatcher.call(self.call(false)).await
    }

    /// Returns how leases were settled.
    pub(crate) fn counts(&self) -> LeaseCounts {
        self.dispatcher.auth().lease_counts()
    }

    /// Returns the credentials that are not ready, as a whole or with a model.
    pub(crate) fn cooling(&self) -> Vec<String> {
        let status = self.dispatcher.auth().status(self.dispatcher.clock().now());
        let cooling = status.into_iter().filter(|credential| {
            let mut health = vec![&credential.account];
            health.extend(credential.models.iter().map(|model| &model.health));
            let lanes = credential.models.iter().flat_map(|model| &model.lanes);
            health.extend(lanes.map(|lane| &lane.health));
            health
                .iter()
                .any(|health| health.availability != Availability::Ready)
        });
        cooling
            .map(|credential| credential.id.to_string())
            .collect()
    }

    /// Returns the credentials with a recorded failure.
    pub(crate) fn failed_credentials(&self) -> Vec<String> {
        let status = self.dispatcher.auth().status(self.dispatcher.clock().now());
        let blamed = status.into_iter().filter(|one| one.last_failure.is_some());
        blamed.map(|credential| credential.id.to_string()).collect()
    }

    /// Returns the call log's record of the call.
    pub(crate) fn record(&self) -> serde_json::Value {
        let record = self.dispatcher.call_log().get("call-1");
        serde_json::to_value(record.unwrap()).unwrap()
    }

    /// Fails if anything is still open: leases, requests or bodies.
    pub(crate) fn assert_closed(&self) {
        assert_eq!(self.counts().open, 0, "leases");
        assert_eq!(self.upstream.open(), 0, "requests and bodies");
        let status = self.dispatcher.auth().status(self.dispatcher.clock().now());
        assert!(status.iter().all(|credential| credential.in_flight == 0));
    }
}

/// Returns all bytes of a response, and the error it ended with, if any.
pub(crate) async fn read_body(response: ClientResponse) -> (Bytes, Option<BodyError>) {
    let mut stream = match response.body {
        ResponseBody::Whole(body) => return (body, None),
        ResponseBody::Stream(stream) => stream,
    };
    let mut bytes = Vec::new();
    while let Some(piece) = stream.next().await {
        match piece {
            Ok(piece) => bytes.extend_from_slice(&piece),
            Err(body_error) => return (bytes.into(), Some(body_error)),
        }
    }
    (bytes.into(), None)
}

/// Returns all bytes of a response, which must not end with an error.
pub(crate) async fn text(response: Result<ClientResponse, CallError>) -> String {
    let (bytes, body_error) = read_body(response.unwrap()).await;
    assert!(body_error.is_none(), "{body_error:?}");
    String::from_utf8(bytes.into()).unwrap()
}

/// Returns the provider's failure, which the call must have ended with. The client may get another error
/// in its place.
pub(crate) fn failure(response: Result<ClientResponse, CallError>) -> UpstreamFailure {
    match response {
        Err(CallError::Upstream(failure)) => *failure,
        Err(CallError::NoCredentialAvailable(none)) if none.failure.is_some() => {
            none.failure.unwrap()
        }
        other => panic!("not a provider's failure: {other:?}"),
    }
}

/// Polls a future at most `times` times, then drops it.
pub(crate) async fn poll_at_most<T>(future: impl Future<Output = T>, times: usize) -> Option<T> {
    let mut future = Box::pin(future);
    let mut left = times;
    poll_fn(move |context| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        match future.as_mut().poll(context) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending if left == 0 => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

/// Runs a future on a runtime of its own, with paused time.
pub(crate) fn run_paused<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build();
    runtime.unwrap().block_on(future)
}

pub(crate) const SECOND: Duration = Duration::from_secs(1);

/// For properties: a failing case is printed, to become a test of its own, and is not written to a
/// file.
pub(crate) fn property_config() -> ProptestConfig {
    ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}
