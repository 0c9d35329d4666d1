//! The HTTP edges: the server for clients, the upstream client and the admin API. The only host crate
//! that knows axum and reqwest.

mod admin;
mod admin_client;
mod api;
mod client_keys;
pub mod limits;
mod render;
mod server;
mod upstream;

pub use admin::{
    Admin, AdminParts, AdminToken, ConfigAdmin, ConfigAdminError, CredentialAdmin, PluginAdmin,
    PluginAdminError, admin_router,
};
pub use admin_client::{AdminClient, AdminClientError};
pub use api::{Api, api_router};
pub use client_keys::ClientKeys;
pub use server::{Drain, serve};
pub use upstream::{HttpUpstream, install_crypto_provider};
