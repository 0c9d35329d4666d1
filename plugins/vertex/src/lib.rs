//! Executor for Vertex AI of Google Cloud: Google's models in Gemini's dialect, and Claude's models in Anthropic's.
//!
//! The host relays all responses. An account is a service account: its key signs an assertion, for which Google's token
//! endpoint returns an access token.

mod errors;

use jackfield_plugin::encode::{json_string, path_segment};
use jackfield_plugin::executor::{
    Body, Credential, Descriptor, Executor, Failure, HttpHead, HttpRequest, Judge, Patch, Payload,
    Plan, Scope, SecretPlace, Target, client,
};
use jackfield_plugin::{refresh, settings_json};
use serde::Deserialize;

struct Vertex;

/// The provider's settings. Others are ignored.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
struct Settings {
    /// The project, if the credential has no attribute `project`.
    project: Option<String>,
    /// The location, if the credential has no attribute `location`.
    location: Option<String>,
    /// The betas of clients that Claude's models get. Vertex AI refuses a request with one that it does not know
    /// (QuantumNous/new-api#3041), so by default they get none.
    betas: Vec<String>,
    /// The token endpoint for service accounts.
    token_url: Option<String>,
}

/// The dialects of the two publishers.
const GEMINI: &str = "gemini";
const ANTHROPIC: &str = "anthropic-messages";

impl Executor for Vertex {
    fn describe() -> Descriptor {
        let mut descriptor = Descriptor::new(env!("CARGO_PKG_VERSION"), GEMINI)
            .dialect(ANTHROPIC)
            .dialect_of_models("claude-*", ANTHROPIC)
            .dialect_of_models("*", GEMINI)
            .operation("count-tokens")
            .operation("http-request")
            .operation("refresh")
            .host("oauth2.googleapis.com")
            .default_base_url("https://aiplatform.googleapis.com");
        descriptor.refresh_lead_ms = Some(refresh::LEAD_MS);
        descriptor
    }

    fn prepare(target: Target) -> Result<Plan, Failure> {
        let credential = target.require_credential()?;
        let settings = settings()?;
        let request = match target.operation.as_str() {
            "refresh" => return refresh_plan(credential, &settings),
            "http-request" => target.raw_request()?,
            "generate" | "count-tokens" if target.dialect == ANTHROPIC => {
                claude_request(&target, credential, &settings)?
            }
            "generate" | "count-tokens" => gemini_request(&target, credential, &settings)?,
            other => return Err(Failure::unsupported_operation(other)),
        };
        if !credential.has_secret(ACCESS_TOKEN) {
            return Err(Failure {
                refresh_suggested: true,
                ..Failure::new(
                    Scope::CREDENTIAL,
                    "authentication",
                    "there is no access token yet",
                )
            });
        }
        Ok(request.secret(ACCESS_TOKEN, SecretPlace::Bearer).relay())
    }
}

impl Judge for Vertex {
    fn judge(target: Target, head: HttpHead, body: Payload) -> Option<Failure> {
        Some(errors::classify(&target, &head, body.as_bytes()))
    }
}

fn settings() -> Result<Settings, Failure> {
    serde_json::from_str(&settings_json()).map_err(|error| {
        Failure::invalid_request(format!("invalid settings of the provider: {error}"))
    })
}

/// A request for one of Google's models (Vertex AI, REST reference, `publishers.models`).
fn gemini_request(
    target: &Target,
    credential: &Credential,
    settings: &Settings,
) -> Result<HttpRequest, Failure> {
    let method = match (target.operation.as_str(), target.stream) {
        ("count-tokens", _) => "countTokens",
        (_, false) => "generateContent",
        (_, true) => "streamGenerateContent?alt=sse",
    };
    let model = target.model.strip_prefix("models/");
    let model = model.unwrap_or(&target.model);
    let url = url(credential, settings, "google", model, method)?;
    Ok(HttpRequest::post(url))
}

/// A request for one of Claude's models (Google Cloud, "Request predictions with Claude models"; "Count tokens for Claude
/// models"): the API's version is a member of the body, and the model is in the URL, but for token counts.
fn claude_request(
    target: &Target,
    credential: &Credential,
    settings: &Settings,
) -> Result<HttpRequest, Failure> {
    let version = Patch::Add(("/anthropic_version".to_owned(), json_string(VERSION)));
    let path = "/model".to_owned();
    let (model, method, of_model) = match (target.operation.as_str(), target.stream) {
        ("count-tokens", _) => (
            "count-tokens",
            "rawPredict",
            Patch::Replace((path, json_string(&target.model))),
        ),
        (_, false) => (target.model.as_str(), "rawPredict", Patch::Remove(path)),
        (_, true) => (
            target.model.as_str(),
            "streamRawPredict",
            Patch::Remove(path),
        ),
    };
    let url = url(credential, settings, "anthropic", model, method)?;
    let mut request = HttpRequest::post(url);
    request.body = Body::Patched(vec![of_model, version]);
    // Where none would pass, nothing is read: the plan is then remembered for all clients.
    let of_client = match settings.betas.is_empty() {
        true => Vec::new(),
        false => client::header(BETA),
    };
    let betas: Vec<&str> = of_client
        .iter()
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .filter(|beta| settings.betas.iter().any(|known| known == beta))
        .collect();
    if betas.is_empty() {
        return Ok(request);
    }
    Ok(request.header(BETA, betas.join(",").as_bytes()))
}

/// Returns the URL of a model's method. `method` is a constant, the other parts are encoded.
fn url(
    credential: &Credential,
    settings: &Settings,
    publisher: &str,
    model: &str,
    method: &str,
) -> Result<String, Failure> {
    let base = &credential.base_url;
    // The names of files of CLIProxyAPI.
    let project = credential
        .attribute("project")
        .or(credential.attribute("project_id"));
    let project = project.or(settings.project.as_deref());
    let location = credential
        .attribute("location")
        .or(settings.location.as_deref());
    let location = location
        .or_else(|| location_of_url(base))
        .unwrap_or("global");
    let project = project.ok_or_else(|| {
        Failure::invalid_request(
            "the project is not known: set `project` in the settings of the provider",
        )
    })?;
    let mut segments = Vec::new();
    for (what, value) in [
        ("project", project),
        ("location", location),
        ("model", model),
    ] {
        let segment = path_segment(value);
        segments.push(segment.ok_or_else(|| {
            Failure::invalid_request(format!("{value:?} is not a valid {what} name"))
        })?);
    }
    let [project, location, model] = segments.as_slice() else {
        return Err(Failure::invalid_request("the URL has three names"));
    };
    Ok(format!(
        "{base}/v1/projects/{project}/locations/{location}/publishers/{publisher}/models/{model}:{method}"
    ))
}

/// The location in `https://LOCATION-aiplatform.googleapis.com` (Vertex AI, locations).
fn location_of_url(base_url: &str) -> Option<&str> {
    let (_, host) = base_url.split_once("://")?;
    host.split_once("-aiplatform.")
        .map(|(location, _)| location)
}

/// Exchanges an assertion of the service account for an access token (Google Identity, "Using OAuth 2.0 for server to
/// server applications"). An account of a person has a refresh token instead.
fn refresh_plan(credential: &Credential, settings: &Settings) -> Result<Plan, Failure> {
    if !credential.has_secret(SERVICE_ACCOUNT_KEY) {
        return refresh::plan(credential, &settings_json());
    }
    let url = settings.token_url.as_deref().unwrap_or(TOKEN_URL);
    let place = SecretPlace::service_account_assertion(url, SCOPE);
    Ok(HttpRequest::form(url, &[("grant_type", GRANT_TYPE)])
        .secret(SERVICE_ACCOUNT_KEY, place)
        .relay()
        .capture("/access_token", ACCESS_TOKEN)
        .capture_expires_in("/expires_in"))
}

const ACCESS_TOKEN: &str = "access-token";
const SERVICE_ACCOUNT_KEY: &str = "service-account-key";

/// Google's token endpoint, which is also the audience of assertions.
const TOKEN_URL: &str = "https://oauth2.googleapis.com/token";

/// The scope of Vertex AI's methods.
const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";

/// RFC 7523, section 2.1.
const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/// The version of Claude's API on Vertex AI.
const VERSION: &str = "vertex-2023-10-16";

const BETA: &str = "anthropic-beta";

jackfield_plugin::export_executor!(Vertex, judge);
