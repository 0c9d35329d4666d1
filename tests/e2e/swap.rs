//! Replaces plugins while calls and streams use them. No call fails, no stream is cut, and the old
//! versions are freed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use jackfield_runtime::limits::GENERATIONS_HELD_MAX;
use jackfield_test_support::{guest, plugin};
use serde_json::json;
use tokio::task::JoinSet;

use crate::harness::{Jackfield, TOKEN, Upstream, binary, chat, provider, wait_until};

/// The number of swaps of each plugin.
const SWAPS: u64 = 100;

/// The minimum of calls.
const CALLS: u64 = 2_000;

/// The number of open streams.
const STREAMS: usize = 50;

/// The number of concurrent callers without streaming.
const CALLERS: usize = 6;

/// The limit of memory growth in the second half of the swaps: memory that the allocator keeps, and noise.
/// A leaked generation costs half a MiB, so 50 of them exceed it.
const GROWTH_KIB_MAX: u64 = 16 << 10;

/// Returns another version of a component: the same code with one more custom section.
fn with_version(component: &[u8], number: u8) -> Vec<u8> {
    let mut bytes = component.to_vec();
    // A custom section: id 0, its size, the size of its name, the name, the content.
    bytes.extend_from_slice(&[0, 3, 1, b'v', number]);
    bytes
}

struct MixedLoad {
    jackfield: Arc<Jackfield>,
    stop: Arc<AtomicBool>,
    calls: Arc<AtomicU64>,
    tasks: JoinSet<()>,
}

impl MixedLoad {
    fn start(jackfield: &Arc<Jackfield>) -> Self {
        let mut load = Self {
            jackfield: Arc::clone(jackfield),
            stop: Arc::default(),
            calls: Arc::default(),
            tasks: JoinSet::new(),
        };
        (0..CALLERS).for_each(|caller| load.call(caller));
        (0..STREAMS).for_each(|_| load.stream());
        load
    }

    fn call(&mut self, caller: usize) {
        let (jackfield, stop) = (Arc::clone(&self.jackfield), Arc::clone(&self.stop));
        let calls = Arc::clone(&self.calls);
        let stream = caller.is_multiple_of(2);
        self.tasks.spawn(async move {
            while !stop.load(Ordering::Relaxed) {
                // Half of the callers use the executor that reads every frame.
                let model = if stream { "mock" } else { "guest" };
                let (status, response) = jackfield.call(&chat(model, false, &json!({}))).await;
                assert_eq!(status, 200, "{response}");
                calls.fetch_add(1, Ordering::Relaxed);
            }
        });
    }

    /// Starts a caller that opens one stream after the other.
    fn stream(&mut self) {
        let (jackfield, stop) = (Arc::clone(&self.jackfield), Arc::clone(&self.stop));
        let calls = Arc::clone(&self.calls);
        let model = if self.tasks.len().is_multiple_of(2) {
            "mock"
        } else {
            "guest"
        };
        self.tasks.spawn(async move {
            while !stop.load(Ordering::Relaxed) {
                let body = chat(model, true, &json!({ "words": 60, "pause_ms": 50 })).to_string();
                let request = jackfield.client.post(jackfield.url("/v1/chat/completions"));
                let response = request.body(body).send().await.unwrap();
                assert_eq!(response.status(), 200);
                let text = response.text().await.unwrap();
                // The role, 60 words, and the finish reason.
                let events = text.matches("data: {").count();
                assert_eq!(events, 62, "a stream was cut: {text}");
                assert!(
                    text.ends_with("data: [DONE]\n\n"),
                    "a stream has no end: {text}"
                );
                calls.fetch_add(1, Ordering::Relaxed);
            }
        });
    }

    async fn end(mut self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        while let Some(ended) = self.tasks.join_next().await {
            ended.expect("a call failed while plugins were replaced");
        }
        self.calls.load(Ordering::Relaxed)
    }
}

/// The replaced plugins: an executor that relays, an executor that reads every frame, a selector.
const REPLACED: [&str; 3] = ["openai-compatible", "practice-executor", "round-robin"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn swaps_under_load_fail_no_call_and_leak_nothing() {
    let upstream = Upstream::start(&[]).await;
    let jackfield = Arc::new(two_providers(&upstream).await);
    let components = [
        plugin("openai-compatible"),
        guest("example_executor"),
        plugin("round-robin"),
    ];

    let load = MixedLoad::start(&jackfield);
    let mut halfway_kib = 0;
    for swap in 0..SWAPS {
        for (name, component) in REPLACED.iter().zip(&components) {
            // Three versions in turn, so that each swap brings a different one.
            replace(
                &jackfield,
                name,
                &with_version(component, 1 + (swap % 3) as u8),
            )
            .await;
        }
        if swap == SWAPS / 2 {
            halfway_kib = jackfield.resident_kib();
        }
    }
    wait_until("there were enough calls", async || {
        load.calls.load(Ordering::Relaxed) >= CALLS
    })
    .await;
    let end_kib = jackfield.resident_kib();
    let calls = load.end().await;

    let leases = jackfield.admin("credentials").await["leases"].clone();
    println!("{calls} calls, {halfway_kib} KiB halfway, {end_kib} KiB at the end, {leases}");
    assert_eq!(leases["success"], calls, "{leases}");
    assert_eq!(leases["open"], 0, "{leases}");
    assert!(
        end_kib <= halfway_kib + GROWTH_KIB_MAX,
        "{halfway_kib} KiB -> {end_kib} KiB"
    );
    for name in REPLACED {
        let shown = jackfield.plugin(name).await;
        assert_eq!(shown["swaps"], SWAPS, "{shown}");
        // The one that serves, and those for a rollback.
        let alive = shown["generations_alive"].as_array().unwrap();
        assert_eq!(alive.len(), 1 + GENERATIONS_HELD_MAX, "{shown}");
    }
}

/// Starts a server with a provider whose responses are relayed, and one whose responses pass through a
/// guest.
async fn two_providers(upstream: &Upstream) -> Jackfield {
    let relayed = provider("mock", "openai-compatible", upstream, &["key-a", "key-b"]);
    let plugin_provider = provider("guest", "practice-executor", upstream, &["key-c", "key-d"]);
    let folder = tempfile::tempdir().unwrap();
    let jackfield =
        Jackfield::start_in(folder, &format!("providers:\n{relayed}{plugin_provider}")).await;
    replace(&jackfield, "practice-executor", &guest("example_executor")).await;
    jackfield
}

/// Installs a component, and waits until it serves.
async fn replace(jackfield: &Jackfield, name: &str, component: &[u8]) {
    let before = jackfield.generation(name).await;
    jackfield.install_plugin(name, component);
    wait_until("the new version serves", async || {
        jackfield.generation(name).await != before
    })
    .await;
}

#[tokio::test]
async fn rejects_a_bad_file_and_rolls_back() {
    let upstream = Upstream::start(&[]).await;
    let jackfield = Jackfield::start(&upstream, &["key-a", "key-b"], "").await;
    let built_in = jackfield.generation("round-robin").await;

    jackfield.install_plugin("round-robin", b"not a component");
    wait_until("the error is shown", async || {
        !jackfield.plugin("round-robin").await["problem"].is_null()
    })
    .await;
    assert_eq!(jackfield.generation("round-robin").await, built_in);

    jackfield.install_plugin("round-robin", &plugin("fill-first"));
    wait_until("the new one serves", async || {
        jackfield.generation("round-robin").await != built_in
    })
    .await;
    assert!(jackfield.plugin("round-robin").await["problem"].is_null());
    assert_eq!(
        served_keys(&jackfield).await,
        ["key-a", "key-a", "key-a", "key-a"]
    );

    assert_eq!(jackfield.roll_back("round-robin").await, 200);
    assert_eq!(jackfield.generation("round-robin").await, built_in);
    let mut order = served_keys(&jackfield).await;
    order.sort();
    assert_eq!(order, ["key-a", "key-a", "key-b", "key-b"]);

    assert_eq!(jackfield.roll_back("no-such-plugin").await, 404);
}

async fn served_keys(jackfield: &Jackfield) -> Vec<String> {
    let mut served = Vec::new();
    for _ in 0..4 {
        let (_, response) = jackfield.call(&chat("mock", false, &json!({}))).await;
        served.push(response["x_mock"]["served_by"].as_str().unwrap().to_owned());
    }
    served
}

/// Runs `jackfield plugin` against a server. Returns whether it succeeded, and its output.
async fn plugin_command(jackfield: &Jackfield, arguments: &[&str]) -> (bool, String) {
    let mut command = tokio::process::Command::new(binary());
    let url = format!("http://{}", jackfield.admin);
    command
        .arg("plugin")
        .args(arguments)
        .args(["--admin", &url]);
    command.env("JACKFIELD_ADMIN_TOKEN", TOKEN);
    let output = command.output().await.unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(text).unwrap())
}

/// Three bad versions come after a good one. A rollback by its number reaches it.
#[tokio::test]
async fn rolls_back_to_the_last_good_version() {
    let upstream = Upstream::start(&[]).await;
    let jackfield = two_providers(&upstream).await;
    let call = async || jackfield.call(&chat("guest", false, &json!({}))).await.0;
    assert_eq!(call().await, 200);
    for number in 1..=4 {
        let bad = with_version(&guest("traps"), number);
        replace(&jackfield, "practice-executor", &bad).await;
    }
    assert_eq!(call().await, 502);
    let shown = jackfield.plugin("practice-executor").await;
    let held = shown["held"].as_array().unwrap().iter();
    let held: Vec<&serde_json::Value> = held.map(|held| &held["generation"]).collect();
    assert_eq!(held, [1, 3, 4]);

    let roll_back = ["rollback", "practice-executor", "--to"];
    let refused = plugin_command(&jackfield, &[&roll_back[..], &["2"]].concat()).await;
    assert!(!refused.0);
    let message = "does not hold generation 2; it holds 1, 3, 4";
    assert!(refused.1.contains(message), "{}", refused.1);
    let rolled_back = plugin_command(&jackfield, &[&roll_back[..], &["1"]].concat()).await;
    let printed = "practice-executor: generation 1 is in use\n".to_owned();
    assert_eq!(rolled_back, (true, printed));
    assert_eq!(call().await, 200);
}

/// A plugin whose file was removed is unloaded by a command. The server then says that it is missing, until its file is
/// there again.
#[tokio::test]
async fn unloads_a_plugin_whose_file_was_removed() {
    let upstream = Upstream::start(&[]).await;
    let jackfield = two_providers(&upstream).await;
    let call = async || jackfield.call(&chat("guest", false, &json!({}))).await;
    assert_eq!(call().await.0, 200);
    let ready = async || {
        let response = jackfield.client.get(jackfield.url("/readyz")).send().await;
        response.unwrap().text().await.unwrap()
    };
    let unload = async || plugin_command(&jackfield, &["unload", "practice-executor"]).await;
    let refused = unload().await;
    assert!(refused.1.contains("remove the file first"), "{}", refused.1);

    let file = jackfield.plugins().join("practice-executor.wasm");
    std::fs::remove_file(file).unwrap();
    let printed = "practice-executor: unloaded\n".to_owned();
    assert_eq!(unload().await, (true, printed));
    let (status, response) = call().await;
    assert_eq!(
        (status, &response["error"]["code"]),
        (500, &json!("executor_not_found"))
    );
    let reported = ready().await;
    assert!(reported.contains("practice-executor"), "{reported}");

    jackfield.install_plugin("practice-executor", &guest("example_executor"));
    wait_until("it serves again", async || call().await.0 == 200).await;
    assert_eq!(jackfield.generation("practice-executor").await, 2);
    let reported = ready().await;
    assert!(!reported.contains("practice-executor"), "{reported}");
}

/// A new version that fails in each call is taken out of use within its proving time.
#[tokio::test]
async fn version_before_takes_over_from_a_bad_one() {
    let upstream = Upstream::start(&[]).await;
    let jackfield = two_providers(&upstream).await;
    let call = async || jackfield.call(&chat("guest", false, &json!({}))).await;
    for _ in 0..3 {
        let (status, response) = call().await;
        assert_eq!(status, 200, "{response}");
    }
    replace(&jackfield, "practice-executor", &guest("traps")).await;
    let shown = jackfield.plugin("practice-executor").await;
    assert!(shown["proving_until_ms"].is_u64(), "{shown}");
    let mut failed = 0;
    while call().await.0 == 502 {
        failed += 1;
        assert!(failed <= 10, "the bad version is still in use");
    }
    assert_eq!(failed, 10);
    let shown = jackfield.plugin("practice-executor").await;
    assert_eq!(shown["serving"]["generation"], 1, "{shown}");
    assert_eq!(shown["taken_back"]["generation"], 2, "{shown}");
    assert_eq!(
        shown["previous"]["suspended"]["why"],
        shown["taken_back"]["why"]
    );
    assert!(jackfield.has_logged("the version before is in use again"));
}
