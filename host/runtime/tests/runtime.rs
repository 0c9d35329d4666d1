//! What the host promises about plugins, proved with guests that practise and guests that misbehave.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "what all tests stand on fails them where it is missing"
)]

#[path = "runtime/contract.rs"]
mod contract;
#[path = "runtime/evaluation.rs"]
mod evaluation;
#[path = "runtime/executors.rs"]
mod executors;
#[path = "runtime/folder.rs"]
mod folder;
#[path = "runtime/hostile.rs"]
mod hostile;
#[path = "runtime/instances.rs"]
mod instances;
#[path = "runtime/prepare.rs"]
mod prepare;
#[path = "runtime/registry.rs"]
mod registry;
#[path = "runtime/selectors.rs"]
mod selectors;
#[path = "runtime/stage.rs"]
mod stage;
