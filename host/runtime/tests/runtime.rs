//! What the host promises about plugins, proved with guests that practise and guests that misbehave.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "what all tests stand on fails them where it is missing"
)]

#[path = "runtime/contract.rs"]
mod contract;
#[path = "runtime/executors.rs"]
mod executors;
#[path = "runtime/harness.rs"]
mod harness;
#[path = "runtime/hostile.rs"]
mod hostile;
#[path = "runtime/instances.rs"]
mod instances;
#[path = "runtime/plugin_dir.rs"]
mod plugin_dir;
#[path = "runtime/prepare.rs"]
mod prepare;
#[path = "runtime/refresh_policy.rs"]
mod refresh_policy;
#[path = "runtime/registry.rs"]
mod registry;
#[path = "runtime/selectors.rs"]
mod selectors;
