//! What a dispatcher promises, proved with providers, executors and selectors that follow a script.
//! Time is tokio's, paused: no test waits.
#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "what all tests stand on fails them where it is missing"
)]

mod after_commit;
mod anthropic;
mod cancel;
mod commit;
mod deadline;
mod done;
mod evaluated;
mod explained;
mod failover;
mod fallback;
mod guided;
mod keep_alive;
mod passed_over;
mod plugin_fault;
mod plugins;
mod raw_requests;
mod reconfigured;
mod refused;
mod renewed;
mod rounds;
mod secrets;
mod seed_rules;
mod selection;
mod simulation;
mod stage;
mod success;
mod suffixes;
mod translated;
mod upstream;
mod usage;
mod wire;
