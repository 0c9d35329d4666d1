//! A server with a good provider, a hostile one, and hostile plugins.

use std::fmt::Write;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt;

use jackfield_test_support::guest;
use tempfile::TempDir;

use crate::Result;
use crate::chat::{ALIAS, CLIENT_KEY, MODEL};
use crate::process::Server;

/// The client key of the attackers.
pub(crate) const HOSTILE_KEY: &str = "client-key-of-an-attacker";

/// The token of the admin API.
pub(crate) const ADMIN_TOKEN: &str = "an-admin-token-for-the-soak";

/// Hostile plugins. The provider of each has its name.
pub(crate) const GUESTS: [&str; 4] = ["spins", "traps", "hoards", "floods"];

/// Hostile plugins whose good plans are not remembered: a remembered plan would keep all later calls out of the plugin.
const NOT_REMEMBERED: [&str; 1] = ["spins"];

/// The models of the hostile provider, which it reads in a request.
pub(crate) const HOSTILE_MODELS: [&str; 5] =
    ["endless", "endless-line", "cut", "garbage", "silent"];

/// What a server needs while it runs.
pub(crate) struct Setup {
    pub(crate) jackfield: Server,
    pub(crate) admin: SocketAddr,
    _providers: [Server; 2],
    _folder: TempDir,
}

impl Setup {
    /// Starts the providers and the server. `more` is appended to the configuration.
    pub(crate) async fn start(more: &str) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let good = Server::role(&["upstream"]).await?;
        let hostile = Server::role(&["hostile-provider"]).await?;
        let admin = free_address()?;
        let config = folder.path().join("jackfield.yaml");
        let text = configuration(good.address, hostile.address, admin) + more + "\n";
        fs::write(&config, text)?;
        fs::set_permissions(&config, fs::Permissions::from_mode(0o600))?;
        let plugins = folder.path().join("plugins");
        fs::create_dir(&plugins)?;
        for name in GUESTS {
            fs::write(plugins.join(format!("{name}.wasm")), guest(name))?;
        }
        let jackfield = Server::jackfield(&config).await?;
        jackfield.ready().await?;
        jackfield.compiled().await?;
        Ok(Self {
            jackfield,
            admin,
            _providers: [good, hostile],
            _folder: folder,
        })
    }
}

/// Returns an address whose port is free now.
fn free_address() -> Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    Ok(listener.local_addr()?)
}

fn configuration(good: SocketAddr, hostile: SocketAddr, admin: SocketAddr) -> String {
    let mut text = format!(
        "listen: 127.0.0.1:0\n\
         admin: {{ listen: \"{admin}\", token: {ADMIN_TOKEN} }}\n\
         client-keys:\n\
         \x20 - {{ name: good, key: {CLIENT_KEY} }}\n\
         \x20 - {{ name: hostile, key: {HOSTILE_KEY} }}\n\
         timeouts: {{ client-stall: 5s, total: 60s }}\n\
         limits: {{ request-body: 8 MiB, memory: 128 MiB }}\n\
         routing: {{ selector: round-robin }}\n\
         plugins-not-remembered: [ {} ]\n\
         providers:\n\
         \x20 - name: acme\n\
         \x20   executor: openai-compatible\n\
         \x20   base-url: http://{good}/v1\n\
         \x20   credentials: [ {{ id: acme-a, api-key: key-a }}, {{ id: acme-b, api-key: key-b }} ]\n\
         \x20   models: [ {{ name: {MODEL}, alias: {ALIAS} }} ]\n",
        NOT_REMEMBERED.join(", ")
    );
    provider(
        &mut text,
        "hostile",
        "openai-compatible",
        hostile,
        &HOSTILE_MODELS,
    );
    for guest in GUESTS {
        // The name in front keeps models of different plugins apart; the plugin sees the name after it.
        let models = ["always", "one-of-20"];
        provider(&mut text, guest, guest, good, &models);
    }
    text
}

fn provider(text: &mut String, name: &str, executor: &str, address: SocketAddr, models: &[&str]) {
    let models: Vec<String> = models
        .iter()
        .map(|model| format!("{{ name: {model}, alias: {name}-{model} }}"))
        .collect();
    // Failures of the hostile provider must not make its calls fail early.
    let _ = write!(
        text,
        "\x20 - name: {name}\n\
         \x20   executor: {executor}\n\
         \x20   base-url: http://{address}/v1\n\
         \x20   disable-cooling: true\n\
         \x20   credentials: [ {{ id: {name}-a, api-key: key-of-{name} }} ]\n\
         \x20   models: [ {} ]\n",
        models.join(", ")
    );
}
