//! Shared by the tests: engines, loaded plugins, contexts, candidates, and the log.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use jackfield_credential::Credential;
use jackfield_dispatch::plan::{Context, Frame, Planned};
use jackfield_dispatch::port::{
    Columns, Executor, FaultKind, PickContext, PluginFault, PluginId, Rejection, ResponseHead,
    Selector,
};
use jackfield_dispatch::{ClientDigest, Clock};
use jackfield_runtime::{CodeCacheOptions, Engine, EngineOptions, Origin, Plugin, PluginPolicy};
use jackfield_test_support::{guest, target};
use parking_lot::Mutex;
use tokio::sync::MutexGuard;
use tokio::time::{Instant, sleep};

/// The engine that most tests share, because each engine reserves terabytes of address space.
pub(crate) fn engine() -> Engine {
    static SHARED: OnceLock<Engine> = OnceLock::new();
    SHARED.get_or_init(new_engine).clone()
}

/// A new engine, for a test that counts all instances. Only one test at a time has one.
pub(crate) async fn exclusive_engine() -> (Engine, MutexGuard<'static, ()>) {
    let turn = turn().await;
    (new_engine(), turn)
}

/// Waits for the turn of a test with an engine of its own.
pub(crate) async fn turn() -> MutexGuard<'static, ()> {
    static ONE_AT_A_TIME: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
    ONE_AT_A_TIME.lock().await
}

/// The same, with a clock of the test.
pub(crate) async fn exclusive_engine_at(clock: Clock) -> (Engine, MutexGuard<'static, ()>) {
    let turn = turn().await;
    (engine_with(Some(clock)), turn)
}

fn new_engine() -> Engine {
    engine_with(None)
}

fn engine_with(clock: Option<Clock>) -> Engine {
    let cache = code_cache(target().join("test-code-cache"));
    let options = EngineOptions {
        cache: Some(&cache),
        clock,
        ..EngineOptions::default()
    };
    Engine::new(options).expect("an engine")
}

/// A code cache. The next run of the tests uses that of all tests again, so they share a key.
pub(crate) fn code_cache(folder: PathBuf) -> CodeCacheOptions {
    CodeCacheOptions {
        folder,
        key: [7; 32],
    }
}

/// Loads a plugin in the shared engine. Its plans are not remembered, so that each call reaches the guest.
pub(crate) async fn load(name: &str, component: Vec<u8>) -> Plugin {
    load_in(&engine(), name, component).await
}

pub(crate) async fn load_in(engine: &Engine, name: &str, component: Vec<u8>) -> Plugin {
    let policy = PluginPolicy {
        remember: false,
        ..PluginPolicy::default()
    };
    load_with(engine, name, component, &policy).await
}

/// Loads a plugin in the shared engine. Its plans are remembered.
pub(crate) async fn load_remembering(name: &str, component: Vec<u8>) -> Plugin {
    load_with(&engine(), name, component, &PluginPolicy::default()).await
}

async fn load_with(
    engine: &Engine,
    name: &str,
    component: Vec<u8>,
    policy: &PluginPolicy,
) -> Plugin {
    let prepared = Plugin::prepare_with(engine, id(name), component, Origin::BuiltIn, policy).await;
    prepared.unwrap_or_else(|error| panic!("{name} was refused: {error}"))
}

pub(crate) fn id(name: &str) -> PluginId {
    PluginId {
        name: Arc::from(name),
        generation: 1,
    }
}

/// Loads an executor of `tests/components/rust` in the shared engine.
pub(crate) async fn executor(name: &str) -> Arc<dyn Executor> {
    as_executor(&load(name, guest(name)).await)
}

pub(crate) fn as_executor(plugin: &Plugin) -> Arc<dyn Executor> {
    plugin.executor().expect("an executor")
}

pub(crate) fn as_selector(plugin: &Plugin) -> Arc<dyn Selector> {
    plugin.selector().expect("a selector")
}

/// The context of an attempt. The client's name of the model is the provider's.
pub(crate) fn context(model: &str) -> Context {
    Context {
        operation: "generate",
        dialect: "openai-chat",
        model: Arc::from(model),
        client_model: Arc::from(model),
        stream: false,
        credential: Arc::new(credential()),
        settings: Arc::from("{}"),
        options: Vec::new(),
        attempt: 0,
        now_ms: 1_766_000_000_000,
        headers: Arc::new(HeaderMap::new()),
        query: Vec::new(),
        principal: Some(Arc::from("client")),
        session: None,
        conversation: None,
        client: ClientDigest::new(1),
        call: Some(Arc::from("call-7")),
    }
}

fn credential() -> Credential {
    Credential {
        secret_fields: vec!["api-key".to_owned()],
        ..Credential::new("acme-a", "acme", "https://acme.invalid/v1")
    }
}

/// The context of a pick.
pub(crate) fn pick_context(model: &str, sequence: u64) -> PickContext {
    PickContext {
        model: Arc::from(model),
        dialect: "openai-chat",
        operation: "generate",
        stream: false,
        attempt: 0,
        sequence,
        affinity: Some((1 << 53) - 1),
        random: (1 << 53) - 1,
        now_ms: 1_766_000_000_000,
        settings: Arc::from("{}"),
        client: ClientDigest::new(1),
        call: Arc::from("call-7"),
    }
}

pub(crate) fn head(status: u16, headers: &[(&'static str, &'static [u8])]) -> ResponseHead {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.append(*name, value.to_vec().try_into().expect("a header value"));
    }
    ResponseHead {
        status: StatusCode::from_u16(status).expect("a status"),
        headers: map,
    }
}

pub(crate) fn frame(name: &str, data: &'static [u8]) -> Frame {
    Frame {
        name: name.to_owned(),
        data: Bytes::from_static(data),
    }
}

/// Plans an attempt with an empty body.
pub(crate) async fn plan(executor: &dyn Executor, model: &str) -> Planned {
    let planned = executor.prepare(&context(model), &Bytes::new()).await;
    planned.unwrap_or_else(|rejection| panic!("no plan for {model}: {rejection:?}"))
}

/// A header of a planned request, as text.
pub(crate) fn header<'a>(plan: &'a Planned, name: &str) -> &'a str {
    let value = plan.request.headers.get(name);
    let value = value.unwrap_or_else(|| panic!("the plan has no header {name}"));
    value.to_str().expect("text")
}

/// Returns the fault in a result, and panics without one.
pub(crate) fn expect_fault<T: std::fmt::Debug>(result: Result<T, Rejection>) -> PluginFault {
    match result {
        Err(Rejection::Fault(fault)) => fault,
        other => panic!("no fault, but {other:?}"),
    }
}

/// Asserts the plugin, the kind and the detail of a fault.
pub(crate) fn assert_fault(fault: &PluginFault, plugin: &str, kind: FaultKind, detail: &str) {
    assert_eq!(&*fault.plugin.name, plugin, "{fault}");
    assert_eq!(fault.kind, kind, "{fault}");
    assert_eq!(fault.detail, detail);
}

/// Candidates of a test, and the columns that were read.
#[derive(Default)]
pub(crate) struct TestCandidates {
    pub(crate) identities: Vec<u64>,
    pub(crate) weights: Vec<u32>,
    pub(crate) in_flight: Vec<u32>,
    pub(crate) regions: Vec<Option<&'static str>>,
    pub(crate) read: Mutex<Vec<String>>,
}

impl TestCandidates {
    /// Creates candidates that do not differ.
    pub(crate) fn uniform(count: usize) -> Self {
        Self {
            weights: vec![1; count],
            in_flight: vec![0; count],
            regions: vec![None; count],
            ..Self::default()
        }
    }

    fn record_read(&self, column: &str) {
        self.read.lock().push(column.to_owned());
    }

    /// The columns that were read, by name, each once.
    pub(crate) fn columns_read(&self) -> Vec<String> {
        let mut read = self.read.lock().clone();
        read.sort();
        read.dedup();
        read
    }
}

impl Columns for TestCandidates {
    fn len(&self) -> usize {
        self.weights.len()
    }

    fn identities(&self) -> Vec<u64> {
        self.record_read("identities");
        match self.identities.len() {
            0 => vec![(1 << 53) - 1; self.len()],
            _ => self.identities.clone(),
        }
    }

    fn weights(&self) -> Vec<u32> {
        self.record_read("weights");
        self.weights.clone()
    }

    fn in_flight(&self) -> Vec<u32> {
        self.record_read("in-flight");
        self.in_flight.clone()
    }

    fn error_permille(&self) -> Vec<u16> {
        self.record_read("error-permille");
        vec![1_000; self.len()]
    }

    fn latency_ms(&self) -> Vec<u32> {
        self.record_read("latency-ms");
        vec![u32::MAX; self.len()]
    }

    fn quota_left_permille(&self) -> Vec<u16> {
        self.record_read("quota-left-permille");
        vec![999; self.len()]
    }

    fn quota_reset_ms(&self) -> Vec<u64> {
        self.record_read("quota-reset-ms");
        vec![u64::MAX; self.len()]
    }

    fn last_used_ms(&self) -> Vec<u64> {
        self.record_read("last-used-ms");
        vec![1_766_000_000_001; self.len()]
    }

    fn attribute(&self, name: &str) -> Vec<Option<String>> {
        self.record_read(&format!("attribute {name}"));
        match name {
            "region" => self
                .regions
                .iter()
                .map(|region| region.map(str::to_owned))
                .collect(),
            _ => vec![None; self.len()],
        }
    }
}

/// Waits until another task has made a condition true.
pub(crate) async fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + TEST_TIMEOUT;
    while !holds() {
        assert!(Instant::now() < deadline, "never: {what}");
        sleep(Duration::from_millis(5)).await;
    }
}

/// Far longer than any test takes, on a busy machine too.
pub(crate) const TEST_TIMEOUT: Duration = Duration::from_secs(30);

/// The log of one thread, until its guard is dropped.
#[derive(Clone, Default)]
pub(crate) struct CapturedLog(Arc<Mutex<Vec<u8>>>);

impl CapturedLog {
    pub(crate) fn capture() -> (Self, impl Drop) {
        let log = Self::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::TRACE)
            .with_ansi(false)
            .with_writer(move || writer.clone())
            .finish();
        (log, tracing::subscriber::set_default(subscriber))
    }

    /// The lines that contain a text.
    pub(crate) fn lines_with(&self, text: &str) -> Vec<String> {
        let bytes = self.0.lock();
        let all = String::from_utf8_lossy(&bytes).into_owned();
        let with = |line: &&str| line.contains(text);
        all.lines().filter(with).map(str::to_owned).collect()
    }
}

impl io::Write for CapturedLog {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut all = self.0.lock();
        all.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
