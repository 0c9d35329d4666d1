//! Rules for error responses of the Gemini API that the host's own rules would classify wrongly.

use jackfield_plugin::classify::{ProviderError, Rule};
use jackfield_plugin::executor::{Failure, HttpHead, Scope};

use crate::pacific_time::until_midnight_ms;

pub(crate) fn classify(head: &HttpHead, body: &[u8], now_ms: u64) -> Failure {
    let provider_error = ProviderError::parse(head, body);
    let failure = provider_error.classify(RULES);
    // Only after the rules: a daily limit of 0 is a matter of billing, and does not end at midnight.
    if head.status == 429 && failure.kind == Failure::UNCLASSIFIED {
        return daily_quota_failure(&provider_error, now_ms).unwrap_or(failure);
    }
    failure
}

/// Returns the failure for a daily limit. The response suggests a retry after seconds, as for a limit per
/// minute, but a daily limit is reset at midnight, Pacific time (Gemini API, rate limits).
fn daily_quota_failure(provider_error: &ProviderError, now_ms: u64) -> Option<Failure> {
    let details = provider_error.error["details"].as_array()?;
    let violations = details
        .iter()
        .filter_map(|detail| detail["violations"].as_array())
        .flatten();
    let limits: Vec<&str> = violations
        .filter_map(|violation| violation["quotaId"].as_str())
        .filter(|limit| limit.contains("PerDay"))
        .collect();
    let first = limits.first()?;
    // Google's ids name their scope, such as `GenerateRequestsPerDayPerProjectPerModel-FreeTier`.
    let every_model = limits.iter().any(|limit| !limit.contains("PerModel"));
    let scope = if every_model {
        Scope::CREDENTIAL
    } else {
        Scope::MODEL
    };
    let failure = provider_error.failure(scope, "quota");
    Some(Failure {
        message: format!("{} ({first})", failure.message),
        retry_after_ms: Some(until_midnight_ms(now_ms)),
        ..failure
    })
}

const RULES: &[Rule] = &[
    // An invalid key. The status is that of an invalid or forbidden request.
    Rule {
        status: &[400],
        codes: &["API_KEY_INVALID"],
        phrases: &[],
        scope: Scope::CREDENTIAL,
        kind: "authentication",
        source: "google.api.ErrorReason",
    },
    Rule {
        status: &[403],
        codes: &[],
        phrases: &["reported as leaked", "unregistered callers"],
        scope: Scope::CREDENTIAL,
        kind: "authentication",
        source: "Gemini API, troubleshooting, 403 and leaked keys",
    },
    Rule {
        status: &[400, 403],
        codes: &["BILLING_DISABLED"],
        phrases: &[],
        scope: Scope::CREDENTIAL,
        kind: "billing",
        source: "google.api.ErrorReason",
    },
    Rule {
        status: &[400, 401, 403],
        codes: &[
            "ACCESS_TOKEN_SCOPE_INSUFFICIENT",
            "API_KEY_ANDROID_APP_BLOCKED",
            "API_KEY_HTTP_REFERRER_BLOCKED",
            "API_KEY_IOS_APP_BLOCKED",
            "API_KEY_IP_ADDRESS_BLOCKED",
            "API_KEY_SERVICE_BLOCKED",
            "CONSUMER_INVALID",
            "CONSUMER_SUSPENDED",
            "SERVICE_DISABLED",
            "USER_PROJECT_DENIED",
        ],
        phrases: &[],
        scope: Scope::CREDENTIAL,
        kind: "permission",
        source: "google.api.ErrorReason",
    },
    // A restriction of the project. The status is that of an invalid request.
    Rule {
        status: &[400],
        codes: &["FAILED_PRECONDITION"],
        phrases: &["enable billing"],
        scope: Scope::CREDENTIAL,
        kind: "billing",
        source: "Gemini API, troubleshooting, 400 FAILED_PRECONDITION",
    },
    Rule {
        status: &[400],
        codes: &["FAILED_PRECONDITION"],
        phrases: &["location is not supported"],
        scope: Scope::CREDENTIAL,
        kind: "permission",
        source: "Gemini API, available regions",
    },
    // A limit of 0: waiting does not help, but a paid plan does.
    Rule {
        status: &[429],
        codes: &["RESOURCE_EXHAUSTED"],
        phrases: &["have a free quota tier", "limit: 0,", "limit: 0\n"],
        scope: Scope::MODEL,
        kind: "billing",
        source: "Gemini API, rate limits: models outside of the free tier",
    },
    // An object in the client's request belongs to another project or does not exist. The model does: it
    // must not cool.
    Rule {
        status: &[403, 404],
        codes: &["PERMISSION_DENIED", "NOT_FOUND"],
        phrases: &["access the file", "cachedcontent", "cached content"],
        scope: Scope::REQUEST,
        kind: "invalid",
        source: "Gemini API, Files API and context caching",
    },
];
