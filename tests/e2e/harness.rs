//! Starts the real binary with a configuration of its own, on free ports, and ends it.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use jackfield_http::{install_crypto_provider, serve as serve_http};
use jackfield_mock_provider::{MockOAuth, MockOAuthOptions, MockProvider};
use parking_lot::Mutex;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpListener;
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

/// How long anything here may take before a test is called failed. The machines are shared.
pub(crate) const TEST_TIMEOUT: Duration = Duration::from_secs(60);

/// How often a condition is looked at.
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
    /// Knows these keys; any, if there is none.
    pub(crate) async fn start(keys: &[&str]) -> Self {
        Self::serve(MockProvider::new(keys.iter().map(|key| (*key).to_owned()))).await
    }

    /// Knows access tokens.
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
    /// Where it is, as a URL without a path.
    pub(crate) fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Its token endpoint.
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
    /// Serves one provider `mock` with these credentials, whose keys are their ids. `more` is
    /// added to the configuration.
    pub(crate) async fn start(upstream: &Upstream, credentials: &[&str], more: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let providers = provider("mock", "openai-compatible", upstream, credentials);
        Self::start_in(folder, &format!("providers:\n{providers}{more}")).await
    }

    /// Serves a configuration, of which all but the listeners and folders is given. What it keeps is
    /// in the folder, so that it goes on there when it is started again; compiled code is shared by
    /// all tests.
    pub(crate) async fn start_in(folder: TempDir, config: &str) -> Self {
        fs::write(folder.path().join("jackfield.yaml"), config_head() + config).unwrap();
        share_compiled_code(folder.path());
        Self::restart(folder).await
    }

    /// Serves what a folder holds, as after a restart.
    pub(crate) async fn restart(folder: TempDir) -> Self {
        let path = folder.path().join("jackfield.yaml");
        let mut child = Command::new(binary())
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
            .expect("not serving");
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

    /// Writes another configuration, of which all but the listeners and folders is given.
    pub(crate) fn configure(&self, config: &str) {
        self.write_config(&(config_head() + config));
    }

    /// Writes another configuration, which is given whole.
    pub(crate) fn write_config(&self, whole: &str) {
        fs::write(self.folder.path().join("jackfield.yaml"), whole).unwrap();
    }

    /// Has the configuration read anew; answers the status and what is said.
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

    /// Whether a line of the log since it serves holds this.
    pub(crate) fn has_logged(&self, text: &str) -> bool {
        self.log.lock().contains(text)
    }

    /// The folder that plugins are dropped into.
    pub(crate) fn plugins(&self) -> PathBuf {
        self.folder.path().join("plugins")
    }

    /// Puts a file into the plugins folder as one should: whole.
    pub(crate) fn install_plugin(&self, name: &str, bytes: &[u8]) {
        let part = self.plugins().join(format!("{name}.part"));
        fs::write(&part, bytes).unwrap();
        fs::rename(part, self.plugins().join(format!("{name}.wasm"))).unwrap();
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// A call that is no stream: its status and its body.
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

    /// What the admin API shows.
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

    /// Rolls a plugin back; answers the status.
    pub(crate) async fn roll_back(&self, plugin: &str) -> u16 {
        let url = format!("http://{}/admin/v1/plugins/{plugin}/rollback", self.admin);
        let request = self.client.post(url).bearer_auth(TOKEN);
        request.send().await.unwrap().status().as_u16()
    }

    /// One plugin as the admin API shows it.
    pub(crate) async fn plugin(&self, name: &str) -> Value {
        let shown = self.admin("plugins").await;
        let plugins = shown["plugins"].as_array().unwrap();
        plugins
            .iter()
            .find(|plugin| plugin["name"] == name)
            .cloned()
            .unwrap_or(Value::Null)
    }

    /// The number of the generation that serves.
    pub(crate) async fn generation(&self, name: &str) -> u64 {
        self.plugin(name).await["serving"]["generation"]
            .as_u64()
            .unwrap_or(0)
    }

    /// Resident memory, in KiB.
    pub(crate) fn resident_kib(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id().unwrap()));
        let status = status.unwrap();
        let line = status
            .lines()
            .find(|line| line.starts_with("VmRSS:"))
            .unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    /// Kills the process as a power cut would; what it kept stays in the folder.
    pub(crate) async fn kill(mut self) -> TempDir {
        self.child.kill().await.unwrap();
        self.folder
    }

    /// Ends the process as a service manager does; what it kept stays in the folder.
    pub(crate) async fn stop(mut self) -> TempDir {
        self.signal("-TERM");
        let ended = timeout(TEST_TIMEOUT, self.child.wait()).await;
        assert!(ended.expect("it did not end").unwrap().success());
        self.folder
    }

    /// One credential as the admin API shows it.
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

/// What all configurations begin with.
pub(crate) fn config_head() -> String {
    format!("listen: 127.0.0.1:0\nadmin: {{ listen: 127.0.0.2:0, token: {TOKEN} }}\ndata: data\n")
}

/// A provider as the configuration has it.
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

/// A chat of one message, with what the mock provider is asked to do.
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
            "waited too long until {what}"
        );
        sleep(POLL).await;
    }
}

/// The binary under test.
pub(crate) fn binary() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_jackfield"))
}

/// Compiling each plugin for each test would take most of the time.
fn share_compiled_code(folder: &Path) {
    let shared = Path::new(env!("CARGO_TARGET_TMPDIR")).join("e2e-cache");
    fs::create_dir_all(&shared).unwrap();
    let data = folder.join("data");
    fs::create_dir_all(&data).unwrap();
    let cache = data.join("cache");
    if !cache.exists() {
        std::os::unix::fs::symlink(shared, cache).unwrap();
    }
}

/// Reads the addresses from the log, and the rest of it so that it never blocks.
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
