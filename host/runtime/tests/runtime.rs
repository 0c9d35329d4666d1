//! The promises of the host about plugins, tested with example plugins and hostile plugins.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails if what it needs is missing"
)]

#[path = "runtime/contract.rs"]
mod contract;
#[path = "runtime/contract_0_1.rs"]
mod contract_0_1;
#[path = "runtime/executors.rs"]
mod executors;
#[path = "runtime/harness.rs"]
mod harness;
#[path = "runtime/health_cases.rs"]
mod health_cases;
#[path = "runtime/hostile.rs"]
mod hostile;
#[path = "runtime/instances.rs"]
mod instances;
#[path = "runtime/plugin_dir.rs"]
mod plugin_dir;
#[path = "runtime/prepare.rs"]
mod prepare;
#[path = "runtime/quotas.rs"]
mod quotas;
#[path = "runtime/refresh_policy.rs"]
mod refresh_policy;
#[path = "runtime/registry.rs"]
mod registry;
#[path = "runtime/remembering.rs"]
mod remembering;
#[path = "runtime/sees.rs"]
mod sees;
#[path = "runtime/selectors.rs"]
mod selectors;
#[path = "runtime/suspension.rs"]
mod suspension;
#[path = "runtime/typed.rs"]
mod typed;
