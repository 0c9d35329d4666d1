//! Unix sockets, and the PROXY protocol, with the real binary.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use futures_util::StreamExt;
use jackfield_http::install_crypto_provider;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::harness::{
    Jackfield, TEST_TIMEOUT, TOKEN, Upstream, binary, chat, provider, share_compiled_code,
    wait_until, write_secret_file,
};

/// A server on two Unix sockets in a folder.
struct SocketServer {
    child: Child,
    config: PathBuf,
}

impl SocketServer {
    /// Starts a server on a folder, and waits until it listens.
    async fn start(folder: &Path) -> Self {
        let config = folder.join("jackfield.yaml");
        let mut child = Command::new(binary())
            .args(["serve", "--config"])
            .arg(&config)
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let listening = async {
            let mut count = 0;
            while count < 2 {
                let line = lines.next_line().await.unwrap().expect("it ended");
                eprintln!("{line}");
                count += usize::from(line.contains("listening address=unix:"));
            }
        };
        timeout(TEST_TIMEOUT, listening).await.expect("no listener");
        tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                eprintln!("{line}");
            }
        });
        Self { child, config }
    }

    fn client(&self) -> reqwest::Client {
        install_crypto_provider();
        let socket = self.config.with_file_name("api.sock");
        let builder = reqwest::Client::builder().no_proxy().unix_socket(socket);
        builder.build().unwrap()
    }

    async fn call(&self, stream: bool, directives: &Value) -> reqwest::Response {
        let url = "http://localhost/v1/chat/completions";
        let body = chat("mock", stream, directives).to_string();
        let response = self.client().post(url).body(body).send().await.unwrap();
        assert_eq!(response.status(), 200);
        response
    }

    fn signal(&self, name: &str) {
        let id = self.child.id().unwrap().to_string();
        let killed = std::process::Command::new("kill")
            .args([name, &id])
            .status();
        assert!(killed.unwrap().success());
    }
}

fn write_config(folder: &TempDir, upstream: &Upstream) {
    let head = format!(
        "listen: unix:api.sock\nsocket-mode: 660\nadmin: {{ listen: unix:admin.sock, token: {TOKEN} }}\ndata: data\n"
    );
    let providers = provider("mock", "openai-compatible", upstream, &["key-a"]);
    let config = format!("{head}providers:\n{providers}");
    write_secret_file(&folder.path().join("jackfield.yaml"), &config);
    share_compiled_code(folder.path());
}

#[tokio::test]
async fn unix_sockets_serve_clients_and_operators_and_pass_to_the_next_process() {
    let upstream = Upstream::start(&[]).await;
    let folder = tempfile::tempdir().unwrap();
    write_config(&folder, &upstream);
    let first = SocketServer::start(folder.path()).await;
    first.call(false, &json!({})).await;
    let listed = Command::new(binary())
        .args(["credential", "list", "--config"])
        .arg(&first.config)
        .output();
    let listed = listed.await.unwrap();
    let shown = String::from_utf8_lossy(&listed.stdout).into_owned();
    assert!(
        listed.status.success() && shown.contains("mock-key-a"),
        "{listed:?}"
    );

    // The next process serves while a stream of this one goes on, and this one leaves its socket alone.
    let long = json!({ "words": 2000, "pause_ms": 50 });
    let mut stream = first.call(true, &long).await.bytes_stream();
    stream.next().await.unwrap().unwrap();
    first.signal("-TERM");
    let second = SocketServer::start(folder.path()).await;
    second.call(false, &json!({})).await;
    stream.next().await.unwrap().expect("the stream was cut");
    drop(stream);
    let mut child = first.child;
    let ended = timeout(TEST_TIMEOUT, child.wait()).await.unwrap().unwrap();
    assert!(ended.success());
    second.call(false, &json!({})).await;

    // A process that was killed leaves its sockets behind.
    let SocketServer { mut child, .. } = second;
    child.kill().await.unwrap();
    assert!(folder.path().join("api.sock").exists());
    let third = SocketServer::start(folder.path()).await;
    third.call(false, &json!({})).await;
    third.signal("-TERM");
    let mut child = third.child;
    let ended = timeout(TEST_TIMEOUT, child.wait()).await.unwrap().unwrap();
    assert!(ended.success());
    assert!(!folder.path().join("api.sock").exists());
}

/// Sends a request with a wrong key, after what a proxy sends first; returns the begin of the response.
async fn wrong_key(jackfield: &Jackfield, begin: &str) -> String {
    let mut stream = TcpStream::connect(jackfield.address).await.unwrap();
    let request = format!(
        "{begin}GET /v1/models HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer wrong\r\nconnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut response = Vec::new();
    let _ = stream.read_to_end(&mut response).await;
    String::from_utf8_lossy(&response)
        .chars()
        .take(12)
        .collect()
}

#[tokio::test]
async fn clients_behind_a_proxy_are_known_by_the_proxy_protocol() {
    let upstream = Upstream::start(&[]).await;
    let keys = "client-keys: [ { name: team, key: a-client-key } ]\n";
    let on = format!("{keys}trusted-proxies: [ 127.0.0.1 ]\nproxy-protocol: true\n");
    let jackfield = Jackfield::start(&upstream, &["key-a"], &on).await;
    let named = "PROXY TCP4 192.0.2.7 127.0.0.1 5000 80\r\n";
    assert_eq!(wrong_key(&jackfield, named).await, "HTTP/1.1 401");
    wait_until("the client is logged", async || {
        jackfield.has_logged("address=\"192.0.2.7\"")
    })
    .await;
    assert_eq!(wrong_key(&jackfield, "").await, "");
    let providers = provider("mock", "openai-compatible", &upstream, &["key-a"]);
    jackfield.configure(&format!("providers:\n{providers}{keys}"));
    assert_eq!(jackfield.reload().await.0, 200);
    assert_eq!(wrong_key(&jackfield, "").await, "HTTP/1.1 401");
    assert_eq!(wrong_key(&jackfield, named).await, "HTTP/1.1 400");
}
