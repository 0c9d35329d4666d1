//! Starts the real binary with a configuration of its own, on free ports, and stops it.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use jackfield_http::{install_crypto_provider, serve as serve_http};
use jackfield_mock_provider::{MockOAuth, MockOAuthOptions, MockProvider};
use parking_lot::Mutex;
use reqwest::header::HeaderMap;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpListener;
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

/// The timeout of every wait. It is long, because machines may be slow.
pub(crate) const TEST_TIMEOUT: Duration = Duration::from_secs(60);

/// The interval between two checks of a condition.
const POLL: Duration = Duration::from_millis(10);

/// The token of the admin API.
pub(crate) const TOKEN: &str = "an-admin-token-for-tests";

/// A mock provider on a loopback port.
pub(crate) struct Upstream {
    pub(crate) provider: Arc<MockProvider>,
    pub(crate) address: SocketAddr,
    server: JoinHandle<()>,
}

impl Upstream {
    /// Starts a provider that accepts these keys, or every key if there is none.
    pub(crate) async fn start(keys: &[&str]) -> Self {
        Self::serve(MockProvider::new(keys.iter().map(|key| (*key).to_owned()))).await
    }

    /// Starts a provider with a token endpoint, which accepts its access tokens.
    pub(crate) async fn with_oauth(options: MockOAuthOptions) -> Self {
        Self::serve(MockProvider::with_oauth(options)).await
    }

    async fn serve(provider: Arc<MockProvider>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = provider.router();
        let server = tokio::spawn(async move {
            serve_http(listener, router, std::future::pending(), Duration::ZERO).await;
        });
        Self {
            provider,
            address,
            server,
        }
    }
}

impl Upstream {
    /// Returns the URL without a path.
    pub(crate) fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Returns the token endpoint of a provider that was started with one.
    pub(crate) fn oauth(&self) -> &MockOAuth {
        self.provider.oauth().unwrap()
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// A running Jackfield.
pub(crate) struct Jackfield {
    pub(crate) child: Child,
    pub(crate) address: SocketAddr,
    pub(crate) admin: SocketAddr,
    pub(crate) folder: TempDir,
    pub(crate) client: reqwest::Client,
    log: Arc<Mutex<String>>,
}

impl Jackfield {
    /// Starts a server with one provider `mock` and these credentials, whose keys are their ids. `more` is
    /// appended to the configuration.
    pub(crate) async fn start(upstream: &Upstream, credentials: &[&str], more: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let providers = provider("mock", "openai-compatible", upstream, credentials);
        Self::start_in(folder, &format!("providers:\n{providers}{more}")).await
    }

    /// Starts a server. `config` is the configuration without the listeners and folders. The data is in the
    /// folder, so that a restart finds it; all tests share compiled code.
    pub(crate) async fn start_in(folder: TempDir, config: &str) -> Self {
        write_config_in(folder.path(), config);
        share_compiled_code(folder.path());
        Self::restart(folder).await
    }

    /// Starts a server on a folder with a configuration and data, and waits until its plugins are loaded.
    pub(crate) async fn restart(folder: TempDir) -> Self {
        Self::restart_by(Command::new(binary()), folder).await
    }

    /// The same, by a command that runs the binary with the arguments that are added.
    pub(crate) async fn restart_by(command: Command, folder: TempDir) -> Self {
        let jackfield = Self::start_without_waiting(command, folder).await;
        wait_until("the plugins are compiled", async || {
            let shown = jackfield.admin("plugins").await;
            let plugins = shown["plugins"].as_array().unwrap();
            plugins.iter().all(|plugin| plugin["compiling"] == false)
        })
        .await;
        jackfield
    }

    /// Starts a server on a folder by a command, and waits until it listens.
    pub(crate) async fn start_without_waiting(mut command: Command, folder: TempDir) -> Self {
        let path = folder.path().join("jackfield.yaml");
        let mut child = command
            .args(["serve", "--config"])
            .arg(&path)
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let log = Arc::default();
        let (address, admin) = timeout(TEST_TIMEOUT, read_addresses(stderr, &log))
            .await
            .expect("the server did not start");
        install_crypto_provider();
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        Self {
            child,
            address,
            admin,
            folder,
            client,
            log,
        }
    }

    /// Replaces the configuration. `config` has no listeners and folders.
    pub(crate) fn configure(&self, config: &str) {
        self.write_config(&(config_head() + config));
    }

    /// Replaces the whole configuration.
    pub(crate) fn write_config(&self, whole: &str) {
        write_secret_file(&self.folder.path().join("jackfield.yaml"), whole);
    }

    /// Reloads the configuration; returns the status and the body of the response.
    pub(crate) async fn reload(&self) -> (u16, Value) {
        let url = format!("http://{}/admin/v1/reload", self.admin);
        let response = self.client.post(url).bearer_auth(TOKEN).send().await;
        let response = response.unwrap();
        let status = response.status().as_u16();
        (
            status,
            serde_json::from_str(&response.text().await.unwrap()).unwrap(),
        )
    }

    /// Returns whether the log since the start contains this text.
    pub(crate) fn has_logged(&self, text: &str) -> bool {
        self.log.lock().contains(text)
    }

    /// Returns the plugins folder.
    pub(crate) fn plugins(&self) -> PathBuf {
        self.folder.path().join("plugins")
    }

    /// Writes a file into the plugins folder with a rename, so that the server never loads a part of it.
    pub(crate) fn install_plugin(&self, name: &str, bytes: &[u8]) {
        let part = self.plugins().join(format!("{name}.part"));
        fs::write(&part, bytes).unwrap();
        fs::rename(part, self.plugins().join(format!("{name}.wasm"))).unwrap();
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Makes a call without streaming; returns the status and the body.
    pub(crate) async fn call(&self, body: &Value) -> (u16, Value) {
        let request = self
            .client
            .post(self.url("/v1/chat/completions"))
            .body(body.to_string());
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        let text = response.text().await.unwrap();
        (
            status,
            serde_json::from_str(&text).unwrap_or(Value::String(text)),
        )
    }

    /// Makes a call with a client key; returns the status, the headers and the body.
    pub(crate) async fn call_as(&self, key: &str, body: &Value) -> (u16, HeaderMap, Value) {
        let request = self
            .client
            .post(self.url("/v1/chat/completions"))
            .bearer_auth(key)
            .body(body.to_string());
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await.unwrap();
        let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
        (status, headers, body)
    }

    /// Gets a path of the admin API.
    pub(crate) async fn admin(&self, path: &str) -> Value {
        let url = format!("http://{}/admin/v1/{path}", self.admin);
        let response = self
            .client
            .get(url)
            .bearer_auth(TOKEN)
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), 200);
        serde_json::from_str(&response.text().await.unwrap()).unwrap()
    }

    /// Rolls a plugin back; returns the status.
    pub(crate) async fn roll_back(&self, plugin: &str) -> u16 {
        let url = format!("http://{}/admin/v1/plugins/{plugin}/rollback", self.admin);
        let request = self.client.post(url).bearer_auth(TOKEN);
        request.send().await.unwrap().status().as_u16()
    }

    /// Returns one plugin from the admin API.
    pub(crate) async fn plugin(&self, name: &str) -> Value {
        let shown = self.admin("plugins").await;
        let plugins = shown["plugins"].as_array().unwrap();
        plugins
            .iter()
            .find(|plugin| plugin["name"] == name)
            .cloned()
            .unwrap_or(Value::Null)
    }

    /// Returns the number of the generation that serves.
    pub(crate) async fn generation(&self, name: &str) -> u64 {
        self.plugin(name).await["serving"]["generation"]
            .as_u64()
            .unwrap_or(0)
    }

    /// Returns the resident memory, in KiB.
    pub(crate) fn resident_kib(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id().unwrap()));
        let status = status.unwrap();
        let line = status
            .lines()
            .find(|line| line.starts_with("VmRSS:"))
            .unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    /// Kills the process; returns the folder with its data.
    pub(crate) async fn kill(mut self) -> TempDir {
        self.child.kill().await.unwrap();
        self.folder
    }

    /// Stops the process with SIGTERM; returns the folder with its data.
    pub(crate) async fn stop(mut self) -> TempDir {
        self.signal("-TERM");
        let ended = timeout(TEST_TIMEOUT, self.child.wait()).await;
        assert!(ended.expect("the server did not stop").unwrap().success());
        self.folder
    }

    /// Returns one credential from the admin API.
    pub(crate) async fn credential(&self, id: &str) -> Value {
        let shown = self.admin("credentials").await;
        let credentials = shown["credentials"].as_array().unwrap();
        let found = credentials.iter().find(|credential| credential["id"] == id);
        found.cloned().unwrap_or(Value::Null)
    }

    /// Sends a signal to the process.
    pub(crate) fn signal(&self, name: &str) {
        let id = self.child.id().unwrap().to_string();
        let killed = std::process::Command::new("kill")
            .args([name, &id])
            .status()
            .unwrap();
        assert!(killed.success());
    }
}

/// Writes the configuration of a server that is not started yet. `config` has no listeners and folders.
pub(crate) fn write_config_in(folder: &Path, config: &str) {
    write_secret_file(&folder.join("jackfield.yaml"), &(config_head() + config));
}

/// Writes a file with secrets, which only its owner may read: the server warns of others.
pub(crate) fn write_secret_file(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

/// Returns the listeners and folders of every configuration.
pub(crate) fn config_head() -> String {
    format!("listen: 127.0.0.1:0\nadmin: {{ listen: 127.0.0.2:0, token: {TOKEN} }}\ndata: data\n")
}

/// Returns the configuration of one provider.
pub(crate) fn provider(
    name: &str,
    executor: &str,
    upstream: &Upstream,
    credentials: &[&str],
) -> String {
    let credentials: Vec<String> = credentials
        .iter()
        .map(|id| format!("{{ id: {name}-{id}, api-key: {id} }}"))
        .collect();
    format!(
        "  - name: {name}\n    executor: {executor}\n    base-url: http://{}/v1\n    \
         credentials: [ {} ]\n    models: [ {{ name: gpt-{name}, alias: {name} }} ]\n",
        upstream.address,
        credentials.join(", ")
    )
}

/// Returns a chat request with one message, and directives for the mock provider.
pub(crate) fn chat(model: &str, stream: bool, directives: &Value) -> Value {
    json!({
        "model": model,
        "messages": [{ "role": "user", "content": "hello" }],
        "stream": stream,
        "mock": directives,
    })
}

/// Waits until a condition holds.
pub(crate) async fn wait_until<F: Future<Output = bool>>(what: &str, mut holds: impl FnMut() -> F) {
    let began = Instant::now();
    while !holds().await {
        assert!(
            began.elapsed() < TEST_TIMEOUT,
            "timed out waiting until {what}"
        );
        sleep(POLL).await;
    }
}

/// The binary under test.
pub(crate) fn binary() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_jackfield"))
}

/// Shares the cache of compiled plugins; compilation would take most of a test's time.
pub(crate) fn share_compiled_code(folder: &Path) {
    let shared = Path::new(env!("CARGO_TARGET_TMPDIR")).join("e2e-cache");
    fs::create_dir_all(&shared).unwrap();
    let data = folder.join("data");
    fs::create_dir_all(&data).unwrap();
    let cache = data.join("cache");
    if !cache.exists() {
        std::os::unix::fs::symlink(shared, cache).unwrap();
    }
}

/// Reads the addresses from the log. A task reads the rest, so that the process never blocks on a full pipe.
async fn read_addresses(
    mut stderr: BufReader<tokio::process::ChildStderr>,
    log: &Arc<Mutex<String>>,
) -> (SocketAddr, SocketAddr) {
    let mut found = Vec::new();
    let mut line = String::new();
    while found.len() < 2 {
        line.clear();
        let read = stderr.read_line(&mut line).await.unwrap();
        assert_ne!(read, 0, "the server ended before it was serving");
        if let Some((_, address)) = line.split_once("listening address=") {
            found.push(address.trim().parse().unwrap());
        } else {
            eprint!("{line}");
        }
    }
    let log = Arc::clone(log);
    tokio::spawn(async move {
        let mut line = String::new();
        while stderr.read_line(&mut line).await.is_ok_and(|read| read > 0) {
            eprint!("{line}");
            log.lock().push_str(&line);
            line.clear();
        }
    });
    (found[0], found[1])
}
