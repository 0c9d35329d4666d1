//! Executor for the Claude API of Anthropic.
//!
//! It never reads a body: the host sends the client's body, with the model's name replaced if necessary,
//! and relays the response.

mod errors;

use jackfield_plugin::executor::{
    Context, Credential, Descriptor, Executor, Failure, HttpHead, HttpRequest, Plan, RelayReply,
    SecretPlace,
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
    type Reply = RelayReply;

    fn describe() -> Descriptor {
        Descriptor::new(env!("CARGO_PKG_VERSION"), "anthropic-messages")
            .operation("count-tokens")
            .operation("list-models")
            .operation("http-request")
            .refreshes_tokens()
            .judges_errors()
            .default_base_url("https://api.anthropic.com")
    }

    fn prepare(context: Context) -> Result<Plan, Failure> {
        let mut context = context;
        if !settings()?.client_headers && context.operation != "http-request" {
            context.headers.clear();
            context.options.clear();
        }
        let credential = context.require_credential()?;
        let base = &credential.base_url;
        let request = match context.operation.as_str() {
            "generate" => post(&context, format!("{base}/v1/messages")),
            "count-tokens" => post(&context, format!("{base}/v1/messages/count_tokens")),
            "list-models" => {
                let url = format!("{base}/v1/models?limit={MODELS_MAX}");
                with_version_header(HttpRequest::get(url), &context)
            }
            "http-request" => raw_request(&context)?,
            // Without `authorize`: the token endpoint must not get the access token or the API key.
            "refresh" => return refresh::plan(credential, &settings_json()),
            other => return Err(Failure::unsupported_operation(other)),
        };
        Ok(authorize(request, &context, credential).relay())
    }

    fn judge(_context: Context, head: HttpHead, body: Vec<u8>) -> Failure {
        errors::classify(&head, &body)
    }
}

fn settings() -> Result<Settings, Failure> {
    serde_json::from_str(&settings_json()).map_err(|error| {
        Failure::invalid_request(format!("invalid settings of the provider: {error}"))
    })
}

/// Creates a POST request that shows which client sends it, as the client's own request would.
fn post(context: &Context, mut url: String) -> HttpRequest {
    if context.option("beta") == Some("true") {
        url.push_str("?beta=true");
    }
    let request = HttpRequest::post(url).model_of(context);
    let mut request = with_version_header(request, context);
    let of_client = context.headers.iter();
    let of_client = of_client.filter(|header| {
        CLIENT_HEADERS.contains(&header.name.as_str()) || header.name.starts_with(SDK_HEADERS)
    });
    request.headers.extend(of_client.cloned());
    request
}

/// Returns the raw request without its beta header, which [`authorize`] adds again.
fn raw_request(context: &Context) -> Result<HttpRequest, Failure> {
    let mut request = context.raw_request()?;
    request.headers.retain(|header| header.name != BETA);
    Ok(request)
}

/// Adds the client's API version. A client of another dialect sends none and gets [`VERSION`].
fn with_version_header(request: HttpRequest, context: &Context) -> HttpRequest {
    let client_version = context.header("anthropic-version").next();
    request.header("anthropic-version", client_version.unwrap_or(VERSION))
}

/// Adds the secret, and one header with the client's betas and the beta that an access token needs.
fn authorize(request: HttpRequest, context: &Context, credential: &Credential) -> HttpRequest {
    // A client may send several headers or one list: both mean the same (RFC 9110, section 5.3).
    let mut betas: Vec<&[u8]> = context
        .header(BETA)
        .flat_map(|value| value.split(|byte| *byte == b','))
        .map(<[u8]>::trim_ascii)
        .filter(|beta| !beta.is_empty())
        .collect();
    let place = match credential.secret_name() {
        "access-token" => {
            if !betas.contains(&OAUTH_BETA) {
                betas.push(OAUTH_BETA);
            }
            SecretPlace::Bearer
        }
        _ => SecretPlace::Header(("x-api-key".to_owned(), String::new())),
    };
    let request = request.secret(credential.secret_name(), place);
    if betas.is_empty() {
        return request;
    }
    request.header(BETA, &betas.join(&b','))
}

/// Anthropic, API reference, beta headers.
const BETA: &str = "anthropic-beta";

/// The beta that makes the API accept an access token (Anthropic, authentication with OAuth).
const OAUTH_BETA: &[u8] = b"oauth-2025-04-20";

/// The headers by which Claude Code identifies itself. The host forwards them only for clients of this API.
const CLIENT_HEADERS: [&str; 3] = ["user-agent", "x-app", "x-claude-code-session-id"];

/// The beginning of the headers by which Anthropic's SDKs identify themselves.
const SDK_HEADERS: &str = "x-stainless-";

/// The API version of the dialect `anthropic-messages` (Anthropic, API reference, versions).
const VERSION: &[u8] = b"2023-06-01";

/// Models on one page: all of them. The default is 20 (Anthropic, API reference, list models).
const MODELS_MAX: u32 = 1_000;

jackfield_plugin::export_executor!(Anthropic);
