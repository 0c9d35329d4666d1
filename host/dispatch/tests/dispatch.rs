//! What a dispatcher promises, proved with providers, executors and selectors that follow a script.
//! Time is tokio's, paused: no test waits.
#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "what all tests stand on fails them where it is missing"
)]

mod after_commit;
mod anthropic_fixtures;
mod cancel;
mod commit;
mod deadline;
mod stream_end;
mod refresh_policy;
mod call_log;
mod failover;
mod fallback;
mod plugin_stream;
mod keep_alive;
mod incompatible_executors;
mod plugin_fault;
mod fake_plugins;
mod raw_requests;
mod config_reload;
mod rejected_calls;
mod token_refresh;
mod retry_rounds;
mod secret_redaction;
mod cliproxyapi_compat;
mod selection;
mod simulation;
mod stage;
mod success;
mod thinking_suffix;
mod translation;
mod fake_upstream;
mod usage;
mod chat_fixtures;
