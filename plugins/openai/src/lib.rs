//! Executor for the OpenAI API, in its three dialects for content.
//!
//! It never reads a body: the host sends the client's body, with the model's name replaced if necessary,
//! and relays the response.

mod errors;

use jackfield_plugin::executor::{
    Credential, Descriptor, Executor, Failure, HttpHead, HttpRequest, Judge, Payload, Plan,
    SecretPlace, Target,
};
use jackfield_plugin::{refresh, settings_json};

struct OpenAi;

impl Executor for OpenAi {
    fn describe() -> Descriptor {
        Descriptor::new(env!("CARGO_PKG_VERSION"), "openai-responses")
            .dialect("openai-chat")
            .dialect("openai-completions")
            .operation("embed")
            .operation("list-models")
            .operation("http-request")
            .refreshes_tokens()
            .default_base_url("https://api.openai.com/v1")
    }

    fn prepare(target: Target) -> Result<Plan, Failure> {
        let credential = target.require_credential()?;
        let request = match target.operation.as_str() {
            "generate" => post(&target, credential, content_path(&target.dialect)?)?,
            "embed" => post(&target, credential, "/embeddings")?,
            "list-models" => {
                let url = format!("{}/models", credential.base_url);
                with_account_headers(HttpRequest::get(url), credential)?
            }
            "http-request" => target.raw_request()?,
            "refresh" => return refresh::plan(credential, &settings_json()),
            other => return Err(Failure::unsupported_operation(other)),
        };
        Ok(request
            .secret(credential.secret_name(), SecretPlace::Bearer)
            .relay())
    }
}

impl Judge for OpenAi {
    fn judge(_target: Target, head: HttpHead, body: Payload) -> Option<Failure> {
        Some(errors::classify(&head, body.as_bytes()))
    }
}

/// Returns the path for content in a dialect.
fn content_path(dialect: &str) -> Result<&'static str, Failure> {
    match dialect {
        "openai-responses" => Ok("/responses"),
        "openai-chat" => Ok("/chat/completions"),
        "openai-completions" => Ok("/completions"),
        other => Err(Failure::unsupported_dialect(other)),
    }
}

fn post(target: &Target, credential: &Credential, path: &str) -> Result<HttpRequest, Failure> {
    // By name: the host may forward further headers in the future.
    let request = HttpRequest::post(format!("{}{path}", credential.base_url))
        .model_of(target)
        .forward_headers(&["idempotency-key", "openai-beta"]);
    with_account_headers(request, credential)
}

/// Adds the organization and the project that the usage is billed to, if the credential has these
/// attributes. A key may belong to several (OpenAI, API reference, authentication).
fn with_account_headers(
    request: HttpRequest,
    credential: &Credential,
) -> Result<HttpRequest, Failure> {
    request
        .optional_header("openai-organization", credential.attribute("organization"))?
        .optional_header("openai-project", credential.attribute("project"))
}

jackfield_plugin::export_executor!(OpenAi, judge);
