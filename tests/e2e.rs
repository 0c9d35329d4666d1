//! End-to-end tests: the real binary as a process, real clients over HTTP, and a mock provider that the
//! tests control.

#![expect(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "a test fails if anything it needs is missing, and its tasks end with it"
)]

#[path = "e2e/admin.rs"]
mod admin;
#[path = "e2e/any_to_any.rs"]
mod any_to_any;
#[path = "e2e/attacks.rs"]
mod attacks;
#[path = "e2e/browser.rs"]
mod browser;
#[path = "e2e/case_record.rs"]
mod case_record;
#[path = "e2e/clouds.rs"]
mod clouds;
#[path = "e2e/coding_tools.rs"]
mod coding_tools;
#[path = "e2e/command_line.rs"]
mod command_line;
#[path = "e2e/crash.rs"]
mod crash;
#[path = "e2e/credentials.rs"]
mod credentials;
#[path = "e2e/disconnects.rs"]
mod disconnects;
#[path = "e2e/drain.rs"]
mod drain;
#[path = "e2e/events.rs"]
mod events;
#[path = "e2e/examples.rs"]
mod examples;
#[path = "e2e/fallback.rs"]
mod fallback;
#[path = "e2e/families.rs"]
mod families;
#[path = "e2e/files.rs"]
mod files;
#[path = "e2e/full_disk.rs"]
mod full_disk;
#[path = "e2e/harness.rs"]
mod harness;
#[path = "e2e/health.rs"]
mod health;
#[path = "e2e/hostile.rs"]
mod hostile;
#[path = "e2e/listeners.rs"]
mod listeners;
#[path = "e2e/logins.rs"]
mod logins;
#[path = "e2e/mock_provider.rs"]
mod mock_provider;
#[path = "e2e/model_lists.rs"]
mod model_lists;
#[path = "e2e/oauth.rs"]
mod oauth;
#[path = "e2e/openai_sdk.rs"]
mod openai_sdk;
#[path = "e2e/passthrough.rs"]
mod passthrough;
#[path = "e2e/provider_errors.rs"]
mod provider_errors;
#[path = "e2e/proxies.rs"]
mod proxies;
#[path = "e2e/reload.rs"]
mod reload;
#[path = "e2e/sdks.rs"]
mod sdks;
#[path = "e2e/selectors.rs"]
mod selectors;
#[path = "e2e/settings.rs"]
mod settings;
#[path = "e2e/signatures.rs"]
mod signatures;
#[path = "e2e/stored_data.rs"]
mod stored_data;
#[path = "e2e/swap.rs"]
mod swap;
#[path = "e2e/typed.rs"]
mod typed;
