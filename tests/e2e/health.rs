//! Tests health end to end: no client's mistake may become the outage of all, guesses heal in seconds,
//! hints are obeyed, and clients learn the truth. The provider is scripted byte by byte.
//!
//! Most cases are public bug reports of other gateways; a test names its source where there is one.

/// Runs cases at the same time: they wait most of the time. Each one is an `async fn`.
macro_rules! together {
    ($($case:ident),+ $(,)?) => {
        super::run_together(vec![$((stringify!($case), Box::pin($case()) as super::Case)),+]).await
    };
}

#[path = "health/client.rs"]
mod client;
#[path = "health/replies.rs"]
mod replies;
#[path = "health/scripted.rs"]
pub(crate) mod scripted;

#[path = "health/blips.rs"]
mod blips;
#[path = "health/bodies.rs"]
mod bodies;
#[path = "health/headers.rs"]
mod headers;
#[path = "health/matrix.rs"]
mod matrix;
#[path = "health/names.rs"]
mod names;
#[path = "health/operator.rs"]
mod operator;
#[path = "health/poison.rs"]
mod poison;
#[path = "health/pools.rs"]
mod pools;
#[path = "health/refresh.rs"]
mod refresh;
#[path = "health/time.rs"]
mod time;
#[path = "health/tools.rs"]
mod tools;
#[path = "health/ways.rs"]
mod ways;
#[path = "health/windows.rs"]
mod windows;

use std::pin::Pin;
use std::time::Duration;

use serde_json::Value;
use tokio::time::{Instant, sleep};

use self::client::{ClientRequest, ClientResponse};
use crate::harness::Jackfield;

/// The keys of two clients.
const CLIENTS: &str = "client-keys: [ { name: one, key: client-one }, { name: two, key: client-two }, { name: three, key: client-three } ]\n";

const ONE: &str = "client-one";
const TWO: &str = "client-two";
const THREE: &str = "client-three";

/// Returns the configuration of one provider with two models. A key is the id of its credential.
fn pool(name: &str, executor: &str, base_url: &str, keys: &[&str]) -> String {
    pool_with(name, executor, base_url, keys, "")
}

/// The same; `more` has further keys of each credential.
fn pool_with(name: &str, executor: &str, base_url: &str, keys: &[&str], more: &str) -> String {
    let credential = |key: &&str| format!("{{ id: {key}, api-key: {key}{more} }}");
    let credentials: Vec<String> = keys.iter().map(credential).collect();
    format!(
        "  - name: {name}\n    executor: {executor}\n    base-url: {base_url}\n    \
         credentials: [ {} ]\n    models: [ {{ name: m1 }}, {{ name: m2 }} ]\n",
        credentials.join(", ")
    )
}

/// Starts a server with these providers; `more` are further keys of the configuration.
async fn start(providers: &str, more: &str) -> Jackfield {
    let config = config(providers, more);
    Jackfield::start_in(tempfile::tempdir().unwrap(), &config).await
}

fn config(providers: &str, more: &str) -> String {
    let routing = if more.contains("routing:") {
        ""
    } else {
        "routing: { selector: fill-first }\n"
    };
    format!("{CLIENTS}{routing}{more}providers:\n{providers}")
}

/// Repeats a request until it is served; returns the time that this took. Fails after `limit`.
async fn time_until_served(
    jackfield: &Jackfield,
    request: &ClientRequest,
    limit: Duration,
) -> Duration {
    let began = Instant::now();
    loop {
        let response = request.send(jackfield).await;
        if response.is_served(request.api) {
            return began.elapsed();
        }
        assert!(
            began.elapsed() < limit,
            "no service after {limit:?}: {}",
            response.summary()
        );
        sleep(Duration::from_millis(100)).await;
    }
}

/// Returns the health of a credential, or of one of its models.
async fn health_of(jackfield: &Jackfield, id: &str, model: Option<&str>) -> Value {
    let credential = jackfield.credential(id).await;
    let Some(model) = model else {
        return credential["health"].clone();
    };
    let models = credential["models"].as_array().cloned().unwrap_or_default();
    let found = models.into_iter().find(|found| found["model"] == model);
    found.map_or(Value::Null, |mut found| found["health"].take())
}

/// Sends the same request `count` times, at most `width` of them at once.
async fn burst(
    jackfield: &std::sync::Arc<Jackfield>,
    request: &ClientRequest,
    count: usize,
    width: usize,
) -> Vec<ClientResponse> {
    let mut open = tokio::task::JoinSet::new();
    let mut responses = Vec::new();
    for _ in 0..count {
        if open.len() >= width {
            responses.push(open.join_next().await.unwrap().unwrap());
        }
        let (jackfield, request) = (std::sync::Arc::clone(jackfield), request.clone());
        open.spawn(async move { request.send(&jackfield).await });
    }
    while let Some(response) = open.join_next().await {
        responses.push(response.unwrap());
    }
    responses
}

/// A case of a test.
type Case = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Runs cases at the same time. Fails with the names of those that failed.
async fn run_together(cases: Vec<(&'static str, Case)>) {
    let mut failed = Vec::new();
    let cases: Vec<_> = cases
        .into_iter()
        .map(|(name, case)| (name, tokio::spawn(case)))
        .collect();
    for (name, case) in cases {
        if case.await.is_err() {
            failed.push(name);
        }
    }
    assert!(failed.is_empty(), "failed: {}", failed.join(", "));
}
