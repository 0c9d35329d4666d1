//! The auth manager with a store and a provider that play, and paused time.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

#[path = "auth/durable.rs"]
mod durable;
#[path = "auth/evaluation.rs"]
mod refresh_policy;
#[path = "auth/events.rs"]
mod events;
#[path = "auth/reconfigured.rs"]
mod reconfigured;
#[path = "auth/renewal.rs"]
mod refresh;
#[path = "auth/room.rs"]
mod wait_queue;
#[path = "auth/rules.rs"]
mod rules;
#[path = "auth/seed_rules.rs"]
mod cliproxyapi_compat;
#[path = "auth/stage.rs"]
mod support;
