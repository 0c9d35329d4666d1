//! The HTTP edges: the server for clients, the upstream client, and a practice provider.

mod api;
mod client_keys;
mod errors;
pub mod limits;
pub mod practice;
mod render;
mod server;
mod upstream;

pub use api::{Api, api_router};
pub use client_keys::{ClientKeys, bearer};
pub use server::{Drain, serve};
pub use upstream::{HttpUpstream, install_crypto_provider};
