//! The configuration: one YAML file, read once into values that are all legal, and the credentials
//! that it, credential files and the admin API define.
//!
//! `host/docs/configuration.md` describes the keys for users.

mod base_urls;
mod catalog;
mod config;
pub mod credential_entry;
mod credential_files;
mod credentials;
mod diagnostics;
mod discovery;
mod environment;
mod key;
mod keys;
mod kinds;
mod limits;
mod load;
mod login;
mod mapping;
mod models;
mod pinned_plugins;
mod providers;
mod reader;
mod restart_only;
mod retry;
mod root;
mod routes;
mod routing;
mod schema;
pub mod snapshot;
mod yaml;

#[cfg(test)]
mod tests;

pub use base_urls::{DEFAULT_BASE_URLS, default_base_url};
pub use catalog::{Catalog, ListedModels};
pub use config::{
    AddressHeader, Admin, ClientKey, Config, Limits, ListenAddress, PluginRequirement, StoreKind,
    TrustedProxy,
};
pub use credential_files::CredentialFiles;
pub use credentials::CredentialEntry;
pub use diagnostics::ConfigErrors;
pub use discovery::ModelDiscovery;
pub use environment::{Environment, FileText, ProcessEnvironment};
pub use providers::Provider;
pub use restart_only::RestartOnly;
pub use schema::json_schema;
