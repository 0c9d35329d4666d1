//! Executor for the Gemini API of Google.
//!
//! The model's name is in the URL, so the host sends the client's body unchanged, unless it repeats the
//! name. The host relays responses. Streams are always requested as server-sent events; the host
//! converts them if the client wants a JSON array.

mod body_patch;
mod errors;
mod pacific_time;

use jackfield_plugin::encode::path_segment;
use jackfield_plugin::executor::{
    Credential, Descriptor, Executor, Failure, HttpHead, HttpRequest, Judge, Payload, Plan,
    SecretPlace, Target, call,
};
use jackfield_plugin::{refresh, settings_json};

struct Gemini;

impl Executor for Gemini {
    fn describe() -> Descriptor {
        Descriptor::new(env!("CARGO_PKG_VERSION"), "gemini")
            .operation("count-tokens")
            .operation("embed")
            .operation("list-models")
            .operation("http-request")
            .refreshes_tokens()
            .default_base_url("https://generativelanguage.googleapis.com")
    }

    fn prepare(target: Target) -> Result<Plan, Failure> {
        let credential = target.require_credential()?;
        let mut request = match target.operation.as_str() {
            "generate" if target.stream => {
                post(&target, credential, "streamGenerateContent?alt=sse")?
            }
            "generate" => post(&target, credential, "generateContent")?,
            "count-tokens" => post(&target, credential, "countTokens")?,
            "embed" => post(&target, credential, embed_method(&target)?)?,
            "list-models" => {
                let url = format!(
                    "{}/v1beta/models?pageSize={MODELS_MAX}",
                    credential.base_url
                );
                HttpRequest::get(url)
            }
            "http-request" => target.raw_request()?,
            "refresh" => return refresh::plan(credential, &settings_json()),
            other => return Err(Failure::unsupported_operation(other)),
        };
        if matches!(target.operation.as_str(), "count-tokens" | "embed") {
            request.body = body_patch::patched_body(&target);
        }
        Ok(authorize(request, credential)?.relay())
    }
}

impl Judge for Gemini {
    fn judge(_target: Target, head: HttpHead, body: Payload) -> Option<Failure> {
        Some(errors::classify(&head, body.as_bytes(), call::now_ms()))
    }
}

/// Creates a POST request for a method of the model.
fn post(target: &Target, credential: &Credential, method: &str) -> Result<HttpRequest, Failure> {
    let name = model_id(&target.model);
    let Some(segment) = path_segment(name) else {
        return Err(Failure::invalid_request(format!(
            "{name:?} is not a valid model name"
        )));
    };
    let base = &credential.base_url;
    Ok(HttpRequest::post(format!(
        "{base}/v1beta/models/{segment}:{method}"
    )))
}

/// Removes the prefix `models/`, which Google writes before a model's name.
fn model_id(model: &str) -> &str {
    model.strip_prefix("models/").unwrap_or(model)
}

/// Returns the method that the client's body is for.
fn embed_method(target: &Target) -> Result<&'static str, Failure> {
    match target.option("method") {
        None | Some("batchEmbedContents") => Ok("batchEmbedContents"),
        Some("embedContent") => Ok("embedContent"),
        Some(other) => Err(Failure::invalid_request(format!(
            "the option `method` must be `embedContent` or `batchEmbedContents`, not `{other}`"
        ))),
    }
}

/// Adds the secret. With an access token it also adds the project to charge, because a user may have
/// several (Gemini API, authentication with OAuth).
fn authorize(request: HttpRequest, credential: &Credential) -> Result<HttpRequest, Failure> {
    let key = credential.secret_name();
    if key == "access-token" {
        let project = credential.attribute("project");
        let request = request.optional_header("x-goog-user-project", project)?;
        return Ok(request.secret(key, SecretPlace::Bearer));
    }
    let place = SecretPlace::Header(("x-goog-api-key".to_owned(), String::new()));
    Ok(request.secret(key, place))
}

/// Models on one page: all of them. The default is 50 (Gemini API, `models.list`).
const MODELS_MAX: u32 = 1_000;

jackfield_plugin::export_executor!(Gemini, judge);
