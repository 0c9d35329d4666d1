//! Executor for the OpenAI API, in its three dialects for content.
//!
//! It never reads a body: the host sends the client's body, with the model's name replaced if necessary,
//! and relays the response.

mod errors;

use jackfield_plugin::executor::{
    Context, Credential, Descriptor, Executor, Failure, HttpHead, HttpRequest, Plan, RelayReply,
    SecretPlace,
};
use jackfield_plugin::{refresh, settings_json};

struct OpenAi;

impl Executor for OpenAi {
    type Reply = RelayReply;

    fn describe() -> Descriptor {
        Descriptor::new(env!("CARGO_PKG_VERSION"), "openai-responses")
            .dialect("openai-chat")
            .dialect("openai-completions")
            .operation("embed")
            .operation("list-models")
            .operation("http-request")
            .refreshes_tokens()
            .judges_errors()
            .default_base_url("https://api.openai.com/v1")
    }

    fn prepare(context: Context) -> Result<Plan, Failure> {
        let credential = context.require_credential()?;
        let request = match context.operation.as_str() {
            "generate" => post(&context, credential, content_path(&context.dialect)?)?,
            "embed" => post(&context, credential, "/embeddings")?,
            "list-models" => {
                let url = format!("{}/models", credential.base_url);
                with_account_headers(HttpRequest::get(url), credential)?
            }
            "http-request" => context.raw_request()?,
            "refresh" => return refresh::plan(credential, &settings_json()),
            other => return Err(Failure::unsupported_operation(other)),
        };
        Ok(request
            .secret(credential.secret_name(), SecretPlace::Bearer)
            .relay())
    }

    fn judge(_context: Context, head: HttpHead, body: Vec<u8>) -> Failure {
        errors::classify(&head, &body)
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

fn post(context: &Context, credential: &Credential, path: &str) -> Result<HttpRequest, Failure> {
    // By name: the host may forward further headers in the future.
    let request = HttpRequest::post(format!("{}{path}", credential.base_url))
        .model_of(context)
        .headers_named(context, &["idempotency-key", "openai-beta"]);
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

jackfield_plugin::export_executor!(OpenAi);
