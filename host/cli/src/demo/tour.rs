//! The tour: seven steps. Each prints what came back, and fails if it is not as expected.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jackfield_credential::Availability;
use jackfield_dispatch::{Dispatcher, error_chain};
use jackfield_mock_provider::{MockClient, MockFailure, MockProvider, MockResponse};
use jackfield_runtime::Registry;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, timeout};

use super::{KEYS, drop_file};
use crate::built_in::BUILT_IN;
use crate::plugins;
use crate::terminal::print;

/// The parts of the running host that the tour calls and inspects.
pub(crate) struct Tour {
    pub(crate) provider: Arc<MockProvider>,
    pub(crate) registry: Arc<Registry>,
    pub(crate) dispatcher: Arc<Dispatcher>,
    pub(crate) plugins: PathBuf,
    pub(crate) address: SocketAddr,
}

impl Tour {
    /// Runs all steps. The first step that fails ends the tour.
    pub(crate) async fn run(&self) -> Result<(), String> {
        let client = MockClient::new(&format!("http://{}/v1", self.address), None);
        let client = client.map_err(|error| error_chain(&error))?;
        print("A tour of Jackfield. All output below comes from real calls.\n");
        self.call(&client).await?;
        self.streamed_call(&client).await?;
        self.any_client(&client).await?;
        self.rotation(&client).await?;
        self.failover(&client).await?;
        self.hot_swap(&client).await?;
        self.versions();
        print("\nAll steps passed.");
        Ok(())
    }

    async fn call(&self, client: &MockClient) -> Result<(), String> {
        step(
            1,
            "a call: client -> selector -> credential -> executor -> provider",
        );
        let began = Instant::now();
        let response = send_chat(client, false).await?;
        print(&format!("  {} in {:?}", response.status, began.elapsed()));
        print(&format!("  {}", content(&response)?));
        Ok(())
    }

    async fn streamed_call(&self, client: &MockClient) -> Result<(), String> {
        step(
            2,
            "a streamed call: each event is relayed as soon as it arrives",
        );
        let response = send_chat(client, true).await?;
        let events: Vec<&str> = response
            .body
            .lines()
            .filter_map(|line| line.strip_prefix("data: "))
            .collect();
        print(&format!(
            "  {} events in {} chunks",
            events.len(),
            response.chunks
        ));
        print(&format!("  first: {}", events.first().unwrap_or(&"none")));
        print(&format!("  last:  {}", events.last().unwrap_or(&"none")));
        check(
            events.last() == Some(&"[DONE]"),
            "the stream did not end with [DONE]",
        )
    }

    async fn any_client(&self, client: &MockClient) -> Result<(), String> {
        step(
            3,
            "any client: the same model through the Anthropic and the Gemini API",
        );
        let hello = "Say a few words.";
        let requests = [
            (
                "/messages",
                json!({ "model": "fast", "max_tokens": 99, "messages": [{ "role": "user", "content": hello }] }),
                "/content/0/text",
            ),
            (
                "/models/fast:generateContent",
                json!({ "contents": [{ "role": "user", "parts": [{ "text": hello }] }] }),
                "/candidates/0/content/parts/0/text",
            ),
        ];
        for (path, body, place) in requests {
            let response = post(client, path, &body).await?;
            let response = parse(&response)?;
            let text = response.pointer(place).and_then(Value::as_str);
            let text = text.ok_or_else(|| format!("the response has no text at {place}"))?;
            print(&format!("  POST /v1{path}: {text}"));
        }
        Ok(())
    }

    async fn rotation(&self, client: &MockClient) -> Result<(), String> {
        step(
            4,
            "rotation: the selector `round-robin` alternates between both credentials",
        );
        let served = self.served(client, 6).await?;
        check(
            KEYS.iter().all(|key| served.get(*key) == Some(&3)),
            "the credentials did not serve three calls each",
        )
    }

    async fn failover(&self, client: &MockClient) -> Result<(), String> {
        let [failing, other] = KEYS;
        step(
            5,
            &format!("failover: the provider returns 429 for `{failing}`, clients see no error"),
        );
        let failure = MockFailure {
            status: MockFailure::TOO_MANY_REQUESTS,
            retry_after: Some(COOLDOWN.as_secs()),
        };
        self.provider.fail(failing, Some(failure));
        let served = self.served(client, 4).await?;
        self.provider.fail(failing, None);
        let cooling = self.cooling();
        print(&format!("  cooling down: {}", cooling.join(", ")));
        check(
            cooling == [failing],
            "the failing credential is not the only one that cools down",
        )?;
        check(
            served.get(other) == Some(&4),
            "not every call used the other credential",
        )
    }

    async fn hot_swap(&self, client: &MockClient) -> Result<(), String> {
        step(
            6,
            "hot swap: a file in the plugins folder replaces a selector while calls run",
        );
        self.wait_until_ready().await?;
        let Some((_, fill_first)) = BUILT_IN.iter().find(|(name, _)| *name == "fill-first") else {
            return Err("the binary has no built-in selector `fill-first`".to_owned());
        };
        let before = self.generation();
        let path = drop_file(&self.plugins, "round-robin.wasm", fill_first);
        let path = path.map_err(|error| error_chain(&error))?;
        print(&format!(
            "  {} is now the component of `fill-first`",
            path.display()
        ));
        let calls = self.calls_until_swapped(client, before).await?;
        print(&format!("  {calls} calls during the swap, all successful"));
        let served = self.served(client, 6).await?;
        check(
            served.len() == 1,
            "the new selector did not use one credential only",
        )
    }

    fn versions(&self) {
        step(7, "the plugins that serve now");
        plugins::show(&self.registry.status());
    }

    /// Makes calls, and returns how many each credential served.
    async fn served(
        &self,
        client: &MockClient,
        calls: u32,
    ) -> Result<BTreeMap<String, u32>, String> {
        let mut served = BTreeMap::new();
        let mut order = Vec::new();
        for _ in 0..calls {
            let response = parse(&send_chat(client, false).await?)?;
            let key = response["x_mock"]["served_by"]
                .as_str()
                .unwrap_or("unknown")
                .to_owned();
            order.push(key.clone());
            *served.entry(key).or_default() += 1;
        }
        print(&format!("  served by: {}", order.join(", ")));
        Ok(served)
    }

    fn cooling(&self) -> Vec<String> {
        let status = self.dispatcher.auth().status(self.dispatcher.clock().now());
        let cools = |availability: Availability| availability != Availability::Ready;
        let cooling = status.into_iter().filter(|credential| {
            cools(credential.account.availability)
                || credential
                    .models
                    .iter()
                    .any(|model| cools(model.worst().availability))
        });
        cooling
            .map(|credential| credential.id.to_string())
            .collect()
    }

    async fn wait_until_ready(&self) -> Result<(), String> {
        let ready = async {
            while !self.cooling().is_empty() {
                sleep(POLL).await;
            }
        };
        let waited = timeout(WAIT_MAX, ready).await;
        waited.map_err(|_| {
            format!(
                "the credential is still cooling down after {} s",
                WAIT_MAX.as_secs()
            )
        })
    }

    fn generation(&self) -> u64 {
        let status = self.registry.status();
        let selector = status.iter().find(|plugin| &*plugin.name == "round-robin");
        selector
            .and_then(|plugin| plugin.serving.as_ref())
            .map_or(0, |serving| serving.generation)
    }

    async fn calls_until_swapped(&self, client: &MockClient, before: u64) -> Result<u32, String> {
        let calls = async {
            let mut calls = 0;
            while self.generation() == before {
                send_chat(client, false).await?;
                calls += 1;
            }
            Ok(calls)
        };
        let calls = timeout(WAIT_MAX, calls).await;
        calls.map_err(|_| {
            format!(
                "the new selector did not load within {} s",
                WAIT_MAX.as_secs()
            )
        })?
    }
}

fn step(number: u32, title: &str) {
    print(&format!(
        "{}{number}. {title}",
        if number == 1 { "" } else { "\n" }
    ));
}

fn check(condition: bool, problem: &str) -> Result<(), String> {
    if condition {
        Ok(())
    } else {
        Err(format!("the step failed: {problem}"))
    }
}

async fn send_chat(client: &MockClient, stream: bool) -> Result<MockResponse, String> {
    let body = json!({
        "model": "fast",
        "messages": [{ "role": "user", "content": "Say a few words." }],
        "stream": stream,
    });
    post(client, "/chat/completions", &body).await
}

async fn post(client: &MockClient, path: &str, body: &Value) -> Result<MockResponse, String> {
    let response = client.post(path, body).await;
    let response = response.map_err(|error| error_chain(&error))?;
    if response.status == 200 {
        return Ok(response);
    }
    Err(format!(
        "a call failed with status {}: {}",
        response.status, response.body
    ))
}

fn content(response: &MockResponse) -> Result<String, String> {
    let response = parse(response)?;
    let content = response["choices"][0]["message"]["content"].as_str();
    content
        .map(str::to_owned)
        .ok_or_else(|| "the response has no content".to_owned())
}

fn parse(response: &MockResponse) -> Result<Value, String> {
    serde_json::from_str(&response.body)
        .map_err(|error| format!("the response is not JSON: {error}"))
}

/// The cooldown of the failing credential.
const COOLDOWN: Duration = Duration::from_secs(2);

/// The interval between two checks of a state that the tour waits for.
const POLL: Duration = Duration::from_millis(20);

/// How long the tour waits for a state.
const WAIT_MAX: Duration = Duration::from_secs(30);
