//! Rules for error responses of Vertex AI that the host's own rules would classify wrongly. Claude's models have errors of
//! their own, but those of access and quotas are Google's.

use jackfield_plugin::classify::{ProviderError, Rule};
use jackfield_plugin::encode::json_string;
use jackfield_plugin::executor::{Failure, HttpHead, Payload, Scope, Target};

use crate::ANTHROPIC;

pub(crate) fn classify(target: &Target, head: &HttpHead, body: &[u8]) -> Failure {
    let provider_error = ProviderError::parse(head, body);
    let mut failure = provider_error.classify(RULES);
    let is_google = provider_error.error["status"].is_string();
    if target.dialect == ANTHROPIC && is_google {
        failure.body = Some(anthropic_body(head.status, &failure.message));
    }
    failure
}

/// Writes Google's error as Anthropic's API would (Anthropic, API reference, errors).
fn anthropic_body(status: u16, message: &str) -> Payload {
    let kind = match status {
        401 => "authentication_error",
        403 => "permission_error",
        404 => "not_found_error",
        429 => "rate_limit_error",
        503 => "overloaded_error",
        500.. => "api_error",
        _ => "invalid_request_error",
    };
    let message = json_string(message);
    let error = format!(r#"{{"type":"{kind}","message":{message}}}"#);
    Payload::Text(format!(r#"{{"type":"error","error":{error}}}"#))
}

const RULES: &[Rule] = &[
    // The API is not enabled in the project, or the project has no billing.
    Rule {
        status: &[403],
        codes: &["SERVICE_DISABLED"],
        phrases: &[],
        scope: Scope::CREDENTIAL,
        kind: "permission",
        source: "google.api.ErrorReason",
    },
    Rule {
        status: &[400, 403],
        codes: &["BILLING_DISABLED"],
        phrases: &[],
        scope: Scope::CREDENTIAL,
        kind: "billing",
        source: "google.api.ErrorReason",
    },
    // The service account lacks the role `roles/aiplatform.user`.
    Rule {
        status: &[403],
        codes: &["IAM_PERMISSION_DENIED"],
        phrases: &[],
        scope: Scope::CREDENTIAL,
        kind: "permission",
        source: "google.api.ErrorReason; Vertex AI, access control with IAM",
    },
    Rule {
        status: &[403],
        codes: &[],
        phrases: &["permission '' denied on resource"],
        scope: Scope::CREDENTIAL,
        kind: "permission",
        source: "Vertex AI, access control with IAM; the permission is quoted",
    },
    // The model does not exist, not in this location, or is not enabled in the Model Garden.
    Rule {
        status: &[400, 404],
        codes: &[],
        phrases: &["was not found or your project does not have access to it"],
        scope: Scope::MODEL,
        kind: "not-found",
        source: "genkit-ai/genkit#4688; truefoundry/models#946",
    },
];
