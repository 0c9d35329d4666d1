//! The demo: a mock provider in this process, a server with two credentials for it, and a tour of the
//! server's features.

mod tour;

use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jackfield_config::{Config, Environment, FileText};
use jackfield_dispatch::error_chain;
use jackfield_http::serve as serve_http;
use jackfield_mock_provider::MockProvider;
use jackfield_runtime::Compiling;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::demo::tour::Tour;
use crate::serve::{hangups, run as run_host, stop_signal};
use crate::terminal::print;
use crate::wire::Host;

/// Runs the tour, then serves until Ctrl-C; with `exit`, it ends after the tour.
pub(crate) async fn run(address: SocketAddr, exit: bool) -> Result<(), String> {
    let folder = tempfile::tempdir().map_err(|error| error_chain(&error))?;
    let provider = MockProvider::new(KEYS.map(str::to_owned));
    let (provider_listener, provider_address) =
        bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await?;
    let (listener, address) = bind(address).await?;
    let file = folder.path().join("demo.yaml");
    let config = Arc::new(config(&file, address, provider_address)?);
    let hangups = hangups()?;
    let host = Host::new(Arc::clone(&config), &file, Compiling::InPlace).await?;

    let (stop, stopped) = watch::channel(false);
    let tour = Tour {
        provider: Arc::clone(&provider),
        registry: Arc::clone(&host.registry),
        dispatcher: Arc::clone(&host.dispatcher),
        plugins: config.plugins.clone(),
        address,
    };
    let run_tour = async {
        let mut result = tour.run().await;
        if result.is_ok() && !exit {
            result = serve_on(address, provider_address).await;
        }
        // Also after an error: the others wait for it.
        let _ = stop.send(true);
        result
    };
    let mock_provider = serve_provider(provider_listener, &provider, stopped.clone());
    let serving = Box::pin(run_host(host, listener.into(), None, stopped, hangups));
    let (served, (), toured) = tokio::join!(serving, mock_provider, run_tour);
    served.and(toured)
}

/// Listens on an address; returns it as well, since the system replaces port 0.
async fn bind(address: SocketAddr) -> Result<(TcpListener, SocketAddr), String> {
    let listener = TcpListener::bind(address).await;
    let listener = listener.map_err(|error| {
        format!("cannot listen on {address}: {error}; use another address, or stop the process that listens there")
    })?;
    let address = listener.local_addr().map_err(|error| error_chain(&error))?;
    tracing::info!(%address, "listening");
    Ok((listener, address))
}

async fn serve_on(address: SocketAddr, provider: SocketAddr) -> Result<(), String> {
    print(&format!(
        "\nServing on http://{address}/v1 until Ctrl-C. Try:\n"
    ));
    print(&format!(
        "  curl http://{address}/v1/chat/completions -H 'content-type: application/json' \\\n    \
         -d '{{\"model\": \"fast\", \"messages\": [{{\"role\": \"user\", \"content\": \"hello\"}}]}}'\n"
    ));
    print(&format!("The mock provider is at http://{provider}/v1."));
    let _ = stop_signal()?.wait_for(|stop| *stop).await;
    Ok(())
}

async fn serve_provider(
    listener: TcpListener,
    provider: &Arc<MockProvider>,
    mut stop: watch::Receiver<bool>,
) {
    let stopped = async { drop(stop.wait_for(|stop| *stop).await) };
    serve_http(
        listener,
        provider.router(),
        stopped,
        std::time::Duration::ZERO,
    )
    .await;
}

/// Writes the demo's configuration to `file`, and loads it like any other.
fn config(file: &Path, address: SocketAddr, provider: SocketAddr) -> Result<Config, String> {
    let [first, second] = KEYS;
    let text = format!(
        "listen: {address}\n\
         store: none\n\
         providers:\n\
         \x20 - name: mock\n\
         \x20   executor: openai-compatible\n\
         \x20   base-url: http://{provider}/v1\n\
         \x20   credentials: [ {{ id: {first}, api-key: {first} }}, {{ id: {second}, api-key: {second} }} ]\n\
         \x20   models: [ {{ name: gpt-mock, alias: fast }} ]\n"
    );
    fs::write(file, text).map_err(|error| format!("writing {}: {error}", file.display()))?;
    Config::load(file, &FileEnvironment).map_err(|errors| errors.to_string())
}

/// An environment without variables: the demo must not depend on the user's.
struct FileEnvironment;

impl Environment for FileEnvironment {
    fn var(&self, _name: &str) -> Option<String> {
        None
    }

    fn file(&self, path: &Path) -> io::Result<FileText> {
        Ok(FileText {
            text: fs::read_to_string(path)?,
            is_world_readable: false,
        })
    }
}

/// The keys of the credentials, which are also their ids. Responses show the key, and so the credential.
const KEYS: [&str; 2] = ["demo-a", "demo-b"];

/// Writes a file into a folder with a rename, so that the folder never has a partial file.
fn drop_file(folder: &Path, name: &str, bytes: &[u8]) -> io::Result<PathBuf> {
    let (part, whole) = (folder.join(format!("{name}.part")), folder.join(name));
    fs::write(&part, bytes)?;
    fs::rename(part, &whole)?;
    Ok(whole)
}
