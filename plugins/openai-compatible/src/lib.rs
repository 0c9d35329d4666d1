//! Executor for every provider with `POST {base-url}/chat/completions`. Variants have the differences of
//! known providers.
//!
//! It never reads a body: the host sends the client's body, with the model's name replaced if necessary,
//! and relays the response.

mod variant;

use jackfield_plugin::executor::{
    Credential, Descriptor, Executor, Failure, HttpRequest, Plan, SecretPlace, Target,
};
use jackfield_plugin::{refresh, settings_json};

use crate::variant::Settings;

struct OpenAiCompatible;

impl Executor for OpenAiCompatible {
    fn describe() -> Descriptor {
        Descriptor::new(env!("CARGO_PKG_VERSION"), "openai-chat")
            .dialect("openai-completions")
            .operation("embed")
            .operation("list-models")
            .operation("http-request")
            .refreshes_tokens()
    }

    fn prepare(target: Target) -> Result<Plan, Failure> {
        let credential = target.require_credential()?;
        let settings = settings_json();
        if target.operation == "refresh" {
            return refresh::plan(credential, &settings);
        }
        let settings = Settings::parse(&settings)?;
        let request = match target.operation.as_str() {
            "generate" => post(&target, credential, &settings, content_path(&target)?)?,
            "embed" => post(&target, credential, &settings, "/embeddings")?,
            "list-models" => HttpRequest::get(settings.url(credential, "/models", None)?),
            "http-request" => target.raw_request()?,
            other => return Err(Failure::unsupported_operation(other)),
        };
        let key = credential.secret_name();
        let request = match settings.key_header() {
            // Azure accepts API keys in its own header, but access tokens only as bearer tokens.
            Some(header) if key == "api-key" => {
                request.secret(key, SecretPlace::Header((header.to_owned(), String::new())))
            }
            _ => request.secret(key, SecretPlace::Bearer),
        };
        Ok(request.relay())
    }
}

/// Returns the path for content in the target's dialect.
fn content_path(target: &Target) -> Result<&'static str, Failure> {
    match target.dialect.as_str() {
        "openai-chat" => Ok("/chat/completions"),
        "openai-completions" => Ok("/completions"),
        other => Err(Failure::unsupported_dialect(other)),
    }
}

fn post(
    target: &Target,
    credential: &Credential,
    settings: &Settings,
    path: &'static str,
) -> Result<HttpRequest, Failure> {
    let url = settings.url(credential, path, Some(&target.model))?;
    // By name: the others are for features of OpenAI itself.
    let request = HttpRequest::post(url)
        .model_of(target)
        .forward_headers(&["idempotency-key"]);
    settings.with_app_attribution(request)
}

jackfield_plugin::export_executor!(OpenAiCompatible);
