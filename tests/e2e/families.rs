//! The strict families of the mock provider behind the names of the real servers. Jackfield is configured as for the
//! real ones, and a proxy answers in their place, so that the rows for their hosts apply.

#[path = "families/interruptions.rs"]
mod interruptions;
#[path = "families/sessions.rs"]
mod sessions;
#[path = "families/tool_sessions.rs"]
mod tool_sessions;
#[path = "families/tools.rs"]
mod tools;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::HOST;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use jackfield_http::serve as serve_http;
use jackfield_mock_provider::MockProvider;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::harness::Jackfield;

/// A family of servers.
#[derive(Debug, Clone)]
struct Family {
    name: String,
    dialect: String,
    authority: String,
    model: String,
}

impl Family {
    /// Reads the families of the mock provider, each with its first server.
    fn all() -> Vec<Self> {
        let folder =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/mock-provider/families");
        let mut paths: Vec<_> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        paths.retain(|path| path.extension().is_some_and(|it| it == "json"));
        paths.sort();
        let read = |path: &std::path::PathBuf| {
            let family: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
            let text = |value: &Value| value.as_str().unwrap().to_owned();
            let server = &family["servers"][0];
            Self {
                name: text(&family["family"]),
                dialect: text(&family["dialect"]),
                authority: text(&server["authority"]),
                model: text(&server["model"]),
            }
        };
        paths.iter().map(read).collect()
    }

    fn has_responses(&self) -> bool {
        self.dialect == "openai-responses"
    }

    /// Returns the provider of the configuration.
    fn provider(&self, proxy: SocketAddr) -> String {
        let (executor, path) = match &*self.dialect {
            "anthropic-messages" => ("anthropic", ""),
            "gemini" => ("gemini", ""),
            "openai-chat" if self.name == "azure" => ("openai-compatible", ""),
            "openai-chat" => ("openai-compatible", "/v1"),
            "openai-responses" => ("openai", "/v1"),
            other => panic!("{}: no executor for {other}", self.name),
        };
        let settings = match &*self.name {
            "azure" => "    settings: { variant: azure, api-version: 2024-10-21 }\n",
            _ => "",
        };
        let Self {
            name,
            authority,
            model,
            ..
        } = self;
        format!(
            "  - name: {name}\n    executor: {executor}\n    base-url: \"http://{authority}{path}\"\n{settings}    \
             credentials: [ {{ id: {name}-1, api-key: key-of-{name}, proxy-url: \"http://{proxy}\" }} ]\n    \
             models: [ {{ name: {model:?}, alias: at-{name} }} ]\n"
        )
    }
}

/// The families, with a server in front of all of them.
struct Families {
    families: Vec<Family>,
    jackfield: Jackfield,
    provider: Arc<MockProvider>,
    proxy: JoinHandle<()>,
}

impl Families {
    /// Starts the families with these names, or all if there is none. A model `PREFIX-FAMILY` is the family's for
    /// each of these prefixes.
    async fn start(names: &[&str], prefixes: &[&str]) -> Self {
        let mut families = Family::all();
        families.retain(|family| names.is_empty() || names.contains(&&*family.name));
        assert!(!families.is_empty(), "no such families: {names:?}");
        let provider = MockProvider::new([]);
        let by_server: FamiliesByServer = families
            .iter()
            .map(|family| {
                let server = (family.authority.clone(), family.has_responses());
                (server, family.name.clone())
            })
            .collect();
        let routes = Router::new()
            .fallback_service(provider.router())
            .layer(from_fn_with_state(Arc::new(by_server), to_family));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let proxy = tokio::spawn(async move {
            serve_http(listener, routes, std::future::pending(), Duration::ZERO).await;
        });
        // A refusal must reach the test, not another attempt.
        let mut config = "retry: { rounds: 1, max-credentials: 1 }\nproviders:\n".to_owned();
        for family in &families {
            config += &family.provider(address);
        }
        if !prefixes.is_empty() {
            config += "models:\n";
        }
        for (family, prefix) in families
            .iter()
            .flat_map(|it| prefixes.iter().map(move |prefix| (it, prefix)))
        {
            let Family { name, model, .. } = family;
            writeln!(
                config,
                "  - {{ name: {prefix}-{name}, targets: [ {{ provider: {name}, model: {model:?} }} ] }}"
            )
            .unwrap();
        }
        let jackfield = Jackfield::start_in(tempfile::tempdir().unwrap(), &config).await;
        Self {
            families,
            jackfield,
            provider,
            proxy,
        }
    }

    fn origin(&self) -> String {
        format!("http://{}", self.jackfield.address)
    }
}

impl Drop for Families {
    fn drop(&mut self) {
        self.proxy.abort();
    }
}

/// The names of families by their authority, and by whether it is the one with OpenAI's Responses API.
type FamiliesByServer = BTreeMap<(String, bool), String>;

/// Leads a request for a family's host to the strict paths of the mock provider.
async fn to_family(
    State(families): State<Arc<FamiliesByServer>>,
    mut request: Request,
    next: Next,
) -> Response {
    let host = request
        .headers()
        .get(HOST)
        .and_then(|host| host.to_str().ok());
    let authority = request.uri().authority().map(|it| it.as_str()).or(host);
    let authority = authority.unwrap_or_default().to_owned();
    let path = request.uri().path_and_query().map_or("", |it| it.as_str());
    let server = (authority, path.ends_with("/responses"));
    let family = families.get(&server);
    let family = family.unwrap_or_else(|| panic!("no family for {server:?}"));
    let path = format!("/families/{family}{path}");
    *request.uri_mut() = path.parse().unwrap();
    next.run(request).await
}
