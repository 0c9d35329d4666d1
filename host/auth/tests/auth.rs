//! Tests of the auth manager with a store in memory, a fake provider and paused time.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

#[path = "auth/cliproxyapi_compat.rs"]
mod cliproxyapi_compat;
#[path = "auth/durable.rs"]
mod durable;
#[path = "auth/events.rs"]
mod events;
#[path = "auth/new_secrets.rs"]
mod new_secrets;
#[path = "auth/reconfigured.rs"]
mod reconfigured;
#[path = "auth/refresh.rs"]
mod refresh;
#[path = "auth/refresh_limits.rs"]
mod refresh_limits;
#[path = "auth/refresh_policy.rs"]
mod refresh_policy;
#[path = "auth/renewal.rs"]
mod renewal;
#[path = "auth/rules.rs"]
mod rules;
#[path = "auth/shown.rs"]
mod shown;
#[path = "auth/support.rs"]
mod support;
#[path = "auth/wait_queue.rs"]
mod wait_queue;
