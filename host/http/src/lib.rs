//! The HTTP edges: the server for clients and the upstream client.

mod admin_token;
mod api;
mod browser_guard;
mod client_keys;
mod content_coding;
mod cors;
mod errors;
pub mod limits;
mod proxies;
mod render;
mod server;
mod upstream;
mod wrong_keys;

pub use admin_token::AdminToken;
pub use api::{Api, ApiOptions, api_router};
pub use browser_guard::{BrowserGuard, BrowserRejection, GuardNames};
pub use client_keys::{ClientKeys, bearer};
pub use cors::Cors;
pub use jackfield_files::SocketError;
pub use proxies::{ClientAddressHeader, ProxyNetworks, TrustedProxies};
pub use server::{ConnectionPolicy, Drain, ListenError, Listener, serve, serve_by};
pub use upstream::{HttpUpstream, install_crypto_provider};
pub use wrong_keys::{PeerAddress, WrongKeys};
