//! Executor for every provider with `POST {base-url}/chat/completions`. Variants have the differences of
//! known providers.
//!
//! It never reads a body: the host sends the client's body, with the model's name replaced if necessary,
//! and relays the response.

mod variant;

use jackfield_plugin::executor::{
    Context, Credential, Descriptor, Executor, Failure, HttpRequest, Plan, RelayReply, SecretPlace,
};
use jackfield_plugin::{refresh, settings_json};

use crate::variant::Settings;

struct OpenAiCompatible;

impl Executor for OpenAiCompatible {
    type Reply = RelayReply;

    fn describe() -> Descriptor {
        Descriptor::new(env!("CARGO_PKG_VERSION"), "openai-chat")
            .dialect("openai-completions")
            .operation("embed")
            .operation("list-models")
            .operation("http-request")
            .refreshes_tokens()
    }

    fn prepare(context: Context) -> Result<Plan, Failure> {
        let credential = context.require_credential()?;
        let settings = settings_json();
        if context.operation == "refresh" {
            return refresh::plan(credential, &settings);
        }
        let settings = Settings::parse(&settings)?;
        let request = match context.operation.as_str() {
            "generate" => post(&context, credential, &settings, content_path(&context)?)?,
            "embed" => post(&context, credential, &settings, "/embeddings")?,
            "list-models" => HttpRequest::get(settings.url(credential, "/models", None)?),
            "http-request" => context.raw_request()?,
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

/// Returns the path for content in the context's dialect.
fn content_path(context: &Context) -> Result<&'static str, Failure> {
    match context.dialect.as_str() {
        "openai-chat" => Ok("/chat/completions"),
        "openai-completions" => Ok("/completions"),
        other => Err(Failure::unsupported_dialect(other)),
    }
}

fn post(
    context: &Context,
    credential: &Credential,
    settings: &Settings,
    path: &'static str,
) -> Result<HttpRequest, Failure> {
    let url = settings.url(credential, path, Some(&context.model))?;
    // By name: the others are for features of OpenAI itself.
    let request = HttpRequest::post(url)
        .model_of(context)
        .headers_named(context, &["idempotency-key"]);
    settings.with_app_attribution(request)
}

jackfield_plugin::export_executor!(OpenAiCompatible);
