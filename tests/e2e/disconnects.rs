//! Clients disconnect in the middle of a stream. No stream, lease or instance may leak.

use futures_util::StreamExt;
use serde_json::json;

use crate::harness::{Jackfield, Upstream, chat, provider, wait_until};

/// The number of clients.
const CLIENTS: u64 = 1_000;

/// The number of concurrent clients.
const AT_A_TIME: usize = 40;

async fn disconnect_clients(executor: &str, guest: Option<Vec<u8>>) {
    let upstream = Upstream::start(&[]).await;
    let folder = tempfile::tempdir().unwrap();
    let providers = provider("mock", executor, &upstream, &["key-a", "key-b"]);
    let jackfield = Jackfield::start_in(folder, &format!("providers:\n{providers}")).await;
    if let Some(guest) = guest {
        jackfield.install_plugin(executor, &guest);
        wait_until("the guest serves", async || {
            jackfield.generation(executor).await > 0
        })
        .await;
    }
    let before = jackfield.admin("plugins").await["instances_alive"]
        .as_u64()
        .unwrap();

    let body = chat("mock", true, &json!({ "words": 1000, "pause_ms": 50 })).to_string();
    let clients =
        futures_util::stream::iter(0..CLIENTS).for_each_concurrent(AT_A_TIME, |_| async {
            let request = jackfield.client.post(jackfield.url("/v1/chat/completions"));
            let response = request.body(body.clone()).send().await.unwrap();
            assert_eq!(response.status(), 200);
            let mut stream = response.bytes_stream();
            stream.next().await.unwrap().unwrap();
            // The stream is dropped here, which closes the connection.
        });
    clients.await;

    wait_until("the provider's streams are closed", async || {
        upstream.provider.streams_open() == 0
    })
    .await;
    wait_until("every lease is settled", async || {
        jackfield.admin("credentials").await["leases"]["open"] == 0
    })
    .await;
    let leases = &jackfield.admin("credentials").await["leases"];
    assert_eq!(leases["cancelled"], CLIENTS, "{leases}");
    assert_eq!(
        leases["failed"], 0,
        "a disconnect must not count as a failure: {leases}"
    );
    wait_until("instances are given back", async || {
        let alive = jackfield.admin("plugins").await["instances_alive"]
            .as_u64()
            .unwrap();
        alive <= before + IDLE_MAX
    })
    .await;
    let (status, _) = jackfield.call(&chat("mock", false, &json!({}))).await;
    assert_eq!(status, 200);
}

/// The limit of idle instances: 16 for each of two plugins.
const IDLE_MAX: u64 = 2 * 16;

#[tokio::test]
async fn client_disconnects_release_relayed_streams() {
    disconnect_clients("openai-compatible", None).await;
}

#[tokio::test]
async fn client_disconnects_release_plugin_streams() {
    let guest = jackfield_test_support::guest("example_executor");
    disconnect_clients("practice-executor", Some(guest)).await;
}
