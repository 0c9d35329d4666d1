//! The errors of Amazon Bedrock: exceptions by name, as responses and in streams (Amazon Bedrock API reference, common
//! errors and the errors of each operation; user guide, troubleshooting).

use jackfield_plugin::executor::{Failure, Frame, HttpHead, Payload, Scope};
use serde_json::{Value, json};

/// Classifies an error response.
pub(crate) fn classify(head: &HttpHead, body: &[u8]) -> Failure {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let header = head.headers.iter().find(|it| it.name == "x-amzn-errortype");
    let header = header.map(|header| String::from_utf8_lossy(&header.value).into_owned());
    let name = header.or_else(|| body["__type"].as_str().map(str::to_owned));
    let name = name.unwrap_or_default();
    let message = message_of(&body);
    let mut failure = match exception(short_name(&name), message) {
        Some((scope, kind)) => Failure::new(scope, kind, shown(message, &name)),
        None => Failure::new(Scope::MODEL, Failure::UNCLASSIFIED, shown(message, &name)),
    };
    failure.status = Some(head.status);
    failure.body = Some(error_body(&failure));
    failure
}

/// Returns the failure in a stream, if the frame is one.
pub(crate) fn of_frame(frame: &Frame) -> Option<Failure> {
    let (kind, name) = frame.name.split_once(':')?;
    let body: Value = serde_json::from_slice(frame.data.as_bytes()).unwrap_or_default();
    let text = String::from_utf8_lossy(frame.data.as_bytes());
    let message = match kind {
        "error" => text.as_ref(),
        _ => message_of(&body),
    };
    let (scope, kind) = exception(name, message).unwrap_or((Scope::PROVIDER, "transient"));
    let mut failure = Failure::new(scope, kind, shown(message, name));
    failure.body = Some(error_body(&failure));
    Some(failure)
}

/// The message, whose member has a capital letter in errors of access control.
fn message_of(body: &Value) -> &str {
    let text = body["message"]
        .as_str()
        .or_else(|| body["Message"].as_str());
    text.unwrap_or_default()
}

/// A message for people; the exception's name where there is none.
fn shown(message: &str, name: &str) -> String {
    if message.is_empty() {
        return format!("the provider returned {}", short_name(name));
    }
    message.to_owned()
}

/// The name without its namespace before `#`, and without the address after `:` (Smithy, AWS restJson1 protocol,
/// operation error serialization).
fn short_name(name: &str) -> &str {
    let name = name.split(':').next().unwrap_or_default();
    name.rsplit('#').next().unwrap_or_default()
}

/// Returns what an exception speaks of. In streams the names begin with a small letter.
fn exception(name: &str, message: &str) -> Option<(&'static str, &'static str)> {
    let contains = |part: &str| message.to_lowercase().contains(part);
    let name = name.to_ascii_lowercase();
    let name = name.strip_suffix("exception").unwrap_or(&name);
    // Bedrock's API keys (anomalyco/opencode#47073).
    if contains("make sure your api key is valid") {
        return Some((Scope::CREDENTIAL, "authentication"));
    }
    Some(match name {
        "throttling" if contains("per day") => (Scope::MODEL, "quota"),
        "throttling" | "toomanyrequests" => (Scope::MODEL, "rate-limit"),
        "servicequotaexceeded" => (Scope::MODEL, "quota"),
        "serviceunavailable" | "modelnotready" => (Scope::MODEL, "overloaded"),
        "modeltimeout" | "modelerror" | "modelstreamerror" => (Scope::MODEL, "transient"),
        "internalserver" | "internalfailure" => (Scope::PROVIDER, "transient"),
        // Our clock and Amazon's differ by more than 5 minutes: no credential is to blame.
        "invalidsignature"
            if contains("signature expired") || contains("signature not yet current") =>
        {
            (Scope::PROVIDER, "transient")
        }
        "unrecognizedclient"
        | "invalidsignature"
        | "expiredtoken"
        | "missingauthenticationtoken"
        | "incompletesignature"
        | "invalidclienttokenid" => (Scope::CREDENTIAL, "authentication"),
        "accessdenied" => (Scope::MODEL, "permission"),
        "resourcenotfound" => (Scope::MODEL, "not-found"),
        // The model needs an inference profile.
        "validation" if contains("on-demand throughput isn") => (Scope::MODEL, "unsupported"),
        "validation" if MODEL_PHRASES.iter().any(|part| contains(part)) => {
            (Scope::MODEL, "not-found")
        }
        "validation" => (Scope::REQUEST, "invalid"),
        _ => return None,
    })
}

/// Parts of the messages by which an invalid request is one for a model that this account or region does not have
/// (Amazon Bedrock user guide, inference profiles and model lifecycle).
const MODEL_PHRASES: [&str; 2] = ["model identifier is invalid", "end of its life"];

/// Writes the error as Anthropic's API would (Anthropic, API reference, errors).
fn error_body(failure: &Failure) -> Payload {
    let kind = match failure.kind.as_str() {
        "rate-limit" | "quota" => "rate_limit_error",
        "overloaded" => "overloaded_error",
        "authentication" => "authentication_error",
        "permission" => "permission_error",
        "not-found" => "not_found_error",
        "invalid" | "unsupported" => "invalid_request_error",
        _ => "api_error",
    };
    let error = json!({ "type": kind, "message": failure.message });
    Payload::Text(json!({ "type": "error", "error": error }).to_string())
}
