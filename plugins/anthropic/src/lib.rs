//! Executor for the Claude API of Anthropic.
//!
//! It never reads a body: the host sends the client's body, with the model's name replaced if necessary,
//! and relays the response.

mod errors;

use jackfield_plugin::executor::{
    Credential, Descriptor, Executor, Failure, HttpHead, HttpRequest, Judge, Payload, Plan,
    SecretPlace, Target, client,
};
use jackfield_plugin::{refresh, settings_json};
use serde::Deserialize;

struct Anthropic;

/// The provider's settings. Others are ignored.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
struct Settings {
    /// Whether the provider gets the client's betas and the headers that identify the client. Some providers
    /// with Anthropic's API refuse them, or never answer (router-for-me/CLIProxyAPI#2228).
    client_headers: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            client_headers: true,
        }
    }
}

impl Executor for Anthropic {
    fn describe() -> Descriptor {
        Descriptor::new(env!("CARGO_PKG_VERSION"), "anthropic-messages")
            .operation("count-tokens")
            .operation("list-models")
            .operation("http-request")
            .refreshes_tokens()
            .default_base_url("https://api.anthropic.com")
    }

    fn prepare(target: Target) -> Result<Plan, Failure> {
        let credential = target.require_credential()?;
        let base = &credential.base_url;
        let request = match target.operation.as_str() {
            "generate" => post(&target, format!("{base}/v1/messages")),
            "count-tokens" => post(&target, format!("{base}/v1/messages/count_tokens")),
            "list-models" => {
                let url = format!("{base}/v1/models?limit={MODELS_MAX}");
                HttpRequest::get(url).header("anthropic-version", VERSION)
            }
            "http-request" => target.raw_request()?,
            // Without `authorize`: the token endpoint must not get the access token or the API key.
            "refresh" => return refresh::plan(credential, &settings_json()),
            other => return Err(Failure::unsupported_operation(other)),
        };
        let is_raw = target.operation == "http-request";
        let passes_client_on = is_raw || settings()?.client_headers;
        let request = match passes_client_on && !is_raw {
            true => request
                .forward_headers(&CLIENT_HEADERS)
                .forward_query(&["beta"]),
            false => request,
        };
        Ok(authorize(request, credential, passes_client_on).relay())
    }
}

impl Judge for Anthropic {
    fn judge(_target: Target, head: HttpHead, body: Payload) -> Option<Failure> {
        Some(errors::classify(&head, body.as_bytes()))
    }
}

fn settings() -> Result<Settings, Failure> {
    serde_json::from_str(&settings_json()).map_err(|error| {
        Failure::invalid_request(format!("invalid settings of the provider: {error}"))
    })
}

/// Creates a POST request with the API version for clients that send none, such as those of another dialect.
fn post(target: &Target, url: String) -> HttpRequest {
    HttpRequest::post(url)
        .model_of(target)
        .header("anthropic-version", VERSION)
}

/// Adds the secret, and the client's betas. An access token needs a beta of its own, in one header with the
/// client's. Otherwise the host passes them on, and the plan depends on nothing of the client.
fn authorize(request: HttpRequest, credential: &Credential, passes_client_on: bool) -> HttpRequest {
    let key = credential.secret_name();
    if key != "access-token" {
        let place = SecretPlace::Header(("x-api-key".to_owned(), String::new()));
        let request = request.secret(key, place);
        return match passes_client_on {
            true => request.forward_headers(&[BETA]),
            false => request,
        };
    }
    let of_client = match passes_client_on {
        true => client::header(BETA),
        false => Vec::new(),
    };
    // A client may send several headers or one list: both mean the same (RFC 9110, section 5.3).
    let mut betas: Vec<&str> = of_client
        .iter()
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .filter(|beta| !beta.is_empty())
        .collect();
    if !betas.contains(&OAUTH_BETA) {
        betas.push(OAUTH_BETA);
    }
    request
        .header(BETA, betas.join(",").as_bytes())
        .secret(key, SecretPlace::Bearer)
}

/// Anthropic, API reference, beta headers.
const BETA: &str = "anthropic-beta";

/// The beta that makes the API accept an access token (Anthropic, authentication with OAuth).
const OAUTH_BETA: &str = "oauth-2025-04-20";

/// The client's API version, and the headers by which Claude Code and Anthropic's SDKs identify themselves.
/// The host lets the latter through only for clients of this API.
const CLIENT_HEADERS: [&str; 5] = [
    "anthropic-version",
    "user-agent",
    "x-app",
    "x-claude-code-session-id",
    "x-stainless-*",
];

/// The API version of the dialect `anthropic-messages` (Anthropic, API reference, versions).
const VERSION: &[u8] = b"2023-06-01";

/// Models on one page: all of them. The default is 20 (Anthropic, API reference, list models).
const MODELS_MAX: u32 = 1_000;

jackfield_plugin::export_executor!(Anthropic, judge);
