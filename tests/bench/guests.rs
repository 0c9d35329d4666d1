//! The measured components, prepared as the host prepares them, and the input of their calls.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use jackfield_dispatch::ClientDigest;
use jackfield_dispatch::plan::{Context, Frame};
use jackfield_dispatch::port::{Executor, PickContext, Selector};
use jackfield_dispatch::snapshot::Plugins;
use jackfield_runtime::{Engine, EngineOptions, Origin, PluginPolicies, Registry};
use jackfield_test_support::{guest, plugin, with_marker};
use parking_lot::Mutex;

use crate::Result;
use crate::credentials::{MODEL, NOW, credential};

/// The components.
pub(crate) struct Guests {
    /// The built-in executor that relays. Its plans are not remembered.
    pub(crate) relaying: Arc<dyn Executor>,
    /// The same executor. Its plans are remembered.
    pub(crate) remembering: Arc<dyn Executor>,
    /// An executor that reads two headers of the client. Its plans are remembered.
    pub(crate) two_headers: Arc<dyn Executor>,
    /// The same executor in a retired generation: it keeps no instance, so each call creates one.
    pub(crate) replaced: Arc<dyn Executor>,
    /// An executor whose reply gets every frame.
    pub(crate) replying: Arc<dyn Executor>,
    /// The built-in selector that reads no column.
    pub(crate) round_robin: Arc<dyn Selector>,
    /// Keeps the generations in use alive.
    _registry: Registry,
}

impl Guests {
    pub(crate) async fn load() -> Result<Self> {
        let (registry, serving) = registry("relaying")?;
        let relaying = plugin("openai-compatible");
        let load = async |name: &str, bytes| registry.load(name, bytes, Origin::BuiltIn).await;
        load("round-robin", plugin("round-robin")).await?;
        load("replying", guest("example_executor")).await?;
        load("two-headers", guest("remembers")).await?;
        load("remembering", relaying.clone()).await?;
        load("relaying", relaying.clone()).await?;
        let replaced = executor(&serving.lock(), "relaying")?;
        load("relaying", with_marker(relaying, "another")).await?;
        let serving = Arc::clone(&serving.lock());
        let round_robin = serving.selectors.get("round-robin");
        Ok(Self {
            relaying: executor(&serving, "relaying")?,
            remembering: executor(&serving, "remembering")?,
            two_headers: executor(&serving, "two-headers")?,
            replaced,
            replying: executor(&serving, "replying")?,
            round_robin: Arc::clone(round_robin.ok_or("no selector")?),
            _registry: registry,
        })
    }
}

/// Creates a registry that does not remember the plans of one executor, and where its latest plugins are.
pub(crate) fn registry(calling: &str) -> Result<(Registry, Arc<Mutex<Arc<Plugins>>>)> {
    let policies = PluginPolicies {
        remember_off: [calling.to_owned()].into(),
        ..PluginPolicies::default()
    };
    let registry = Registry::with_policies(Engine::new(EngineOptions::default())?, policies);
    let serving = Arc::new(Mutex::new(Arc::<Plugins>::default()));
    let latest = Arc::clone(&serving);
    registry.on_change(Box::new(move |now| *latest.lock() = Arc::clone(now)));
    Ok((registry, serving))
}

pub(crate) fn executor(serving: &Plugins, name: &str) -> Result<Arc<dyn Executor>> {
    let executor = serving.executors.get(name);
    Ok(Arc::clone(executor.ok_or("no executor")?))
}

/// Returns the context of an attempt, with the client's name of the model.
pub(crate) fn context(client_model: &str) -> Context {
    Context {
        operation: "generate",
        dialect: "openai-chat",
        model: Arc::from(MODEL),
        client_model: Arc::from(client_model),
        stream: true,
        credential: Arc::new(credential(0)),
        settings: Arc::from("{}"),
        options: Vec::new(),
        attempt: 0,
        now_ms: NOW.as_millis(),
        headers: Arc::new(headers()),
        query: Vec::new(),
        principal: Some(Arc::from("client")),
        session: Some(1),
        conversation: None,
        client: ClientDigest::new(1),
        call: Some(Arc::from("call")),
    }
}

fn headers() -> HeaderMap {
    let names = ["user-agent", "x-a", "x-b"];
    let value = HeaderValue::from_static("some-client/1.2.3 (with words)");
    let header = |name| (HeaderName::from_static(name), value.clone());
    names.into_iter().map(header).collect()
}

/// Returns the context of a pick.
pub(crate) fn pick_context(sequence: u64) -> PickContext {
    PickContext {
        model: Arc::from(MODEL),
        dialect: "openai-chat",
        operation: "generate",
        stream: true,
        attempt: 0,
        sequence,
        affinity: None,
        random: 1,
        now_ms: NOW.as_millis(),
        settings: Arc::from("{}"),
        client: ClientDigest::new(1),
        call: Arc::from("call"),
    }
}

/// Returns a request body of this number of bytes.
pub(crate) fn body(length: usize) -> Bytes {
    let begin =
        format!(r#"{{"model":"{MODEL}","stream":true,"messages":[{{"role":"user","content":""#);
    let end = r#""}]}"#;
    let padding = length.saturating_sub(begin.len() + end.len());
    let text: String = "some words of a prompt, "
        .chars()
        .cycle()
        .take(padding)
        .collect();
    Bytes::from(format!("{begin}{text}{end}"))
}

/// Returns a typical event of a stream.
pub(crate) fn frame() -> Frame {
    let data = r#"{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"gpt-test","choices":[{"index":0,"delta":{"content":" word"},"finish_reason":null}]}"#;
    Frame {
        name: String::new(),
        data: Bytes::from_static(data.as_bytes()),
    }
}
