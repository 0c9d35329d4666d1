//! Tests of the dispatcher with scripted providers, executors and selectors. Time is tokio's,
//! paused: no test really waits.
#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod after_commit;
mod anthropic_fixtures;
mod availability;
mod call_log;
mod cancel;
mod chat_fixtures;
mod client_head;
mod client_headers;
mod cliproxyapi_compat;
mod commit;
mod config_reload;
mod content_types;
mod deadline;
mod declared_quotas;
mod failover;
mod fake_plugins;
mod fake_upstream;
mod fallback;
mod incompatible_executors;
mod keep_alive;
mod login_refresh;
mod memory;
mod model_lists;
mod pinned_calls;
mod plugin_fault;
mod plugin_jobs;
mod plugin_stream;
mod plugin_unavailable;
mod raw_requests;
mod recovery;
mod refresh_policy;
mod rejected_calls;
mod retry_budget;
mod retry_rounds;
mod schemes;
mod secret_redaction;
mod selection;
mod several_models;
mod signatures;
mod simulation;
mod slow_responses;
mod stage;
mod stream_end;
mod success;
mod thinking_suffix;
mod token_refresh;
mod translation;
mod unavailable;
mod usage;
