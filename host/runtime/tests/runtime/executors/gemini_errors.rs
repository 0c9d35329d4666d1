//! The executor `gemini`: classification of error responses.

use jackfield_credential::Scope;

use super::{ERROR_CASE, ErrorCase, check_errors};

const ERROR_CASES: &[ErrorCase] = &[
    ErrorCase {
        name: "a limit per minute",
        status: 429,
        body: r#"{"error":{"code":429,"message":"You exceeded your current quota, please check your plan and billing details.\n* Quota exceeded for metric: x, limit: 250000","status":"RESOURCE_EXHAUSTED","details":[{"@type":"type.googleapis.com/google.rpc.QuotaFailure","violations":[{"quotaMetric":"x","quotaId":"GenerateContentInputTokensPerModelPerMinute-FreeTier","quotaValue":"250000"}]},{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"26.5s"}]}}"#,
        scope: Scope::Model,
        kind: "rate-limit",
        retry_after_ms: Some(26_500),
        ..ERROR_CASE
    },
    ErrorCase {
        name: "a daily limit, until midnight in winter",
        body: PER_DAY,
        retry_after_ms: Some(44_800_000),
        message_part: "GenerateRequestsPerDayPerProjectPerModel-FreeTier",
        ..DAILY
    },
    ErrorCase {
        name: "a daily limit for all models, in an array",
        body: r#"[{"error":{"code":429,"message":"m","status":"RESOURCE_EXHAUSTED","details":[{"violations":[{"quotaId":"GenerateRequestsPerDayPerProject"}]}]}}]"#,
        scope: Scope::Credential,
        retry_after_ms: Some(44_800_000),
        ..DAILY
    },
    ErrorCase {
        name: "half past eleven in the evening before summer time begins",
        now_ms: 1_772_955_000_000, // 8 March 2026, 07:30 UTC
        retry_after_ms: Some(30 * MINUTE),
        ..DAILY
    },
    ErrorCase {
        name: "the afternoon after summer time began",
        now_ms: 1_773_000_000_000, // 8 March 2026, 20:00 UTC
        retry_after_ms: Some(11 * HOUR),
        ..DAILY
    },
    ErrorCase {
        name: "the last second of a day in summer",
        now_ms: 1_782_889_199_000, // 1 July 2026, 06:59:59 UTC
        retry_after_ms: Some(1_000),
        ..DAILY
    },
    ErrorCase {
        name: "the first moment of a day in summer",
        now_ms: 1_782_889_200_000, // 1 July 2026, 07:00 UTC
        retry_after_ms: Some(24 * HOUR),
        ..DAILY
    },
    ErrorCase {
        name: "the evening before summer time ends",
        now_ms: 1_793_512_800_000, // 1 November 2026, 06:00 UTC
        retry_after_ms: Some(HOUR),
        ..DAILY
    },
    ErrorCase {
        name: "the morning after summer time ended",
        now_ms: 1_793_534_400_000, // 1 November 2026, 12:00 UTC
        retry_after_ms: Some(20 * HOUR),
        ..DAILY
    },
    ErrorCase {
        name: "a leap day",
        now_ms: 1_835_467_200_000, // 29 February 2028, 20:00 UTC
        retry_after_ms: Some(12 * HOUR),
        ..DAILY
    },
    ErrorCase {
        name: "the day that summer time begins in a leap year",
        now_ms: 1_836_475_200_000, // 12 March 2028, 12:00 UTC
        retry_after_ms: Some(19 * HOUR),
        ..DAILY
    },
    ErrorCase {
        name: "a model outside of the free tier",
        status: 429,
        body: r#"{"error":{"code":429,"message":"You exceeded your current quota.\n* Quota exceeded for metric: generate_content_free_tier_requests, limit: 0, model: gemini-3-pro\nPlease retry in 10.6s.","status":"RESOURCE_EXHAUSTED","details":[{"@type":"type.googleapis.com/google.rpc.QuotaFailure","violations":[{"quotaId":"GenerateRequestsPerDayPerProjectPerModel-FreeTier"}]},{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"10s"}]}}"#,
        scope: Scope::Model,
        kind: "billing",
        ..ERROR_CASE
    },
    ErrorCase {
        name: "an invalid key, by its reason only",
        body: r#"{"error":{"code":400,"message":"Der Schlüssel gilt nicht.","status":"INVALID_ARGUMENT","details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"API_KEY_INVALID","domain":"googleapis.com"}]}}"#,
        scope: Scope::Credential,
        kind: "authentication",
        ..ERROR_CASE
    },
    ErrorCase {
        name: "an invalid key",
        body: r#"{"error":{"code":400,"message":"API key not valid. Please pass a valid API key.","status":"INVALID_ARGUMENT"}}"#,
        scope: Scope::Credential,
        kind: "authentication",
        ..ERROR_CASE
    },
    ErrorCase {
        name: "a leaked key",
        status: 403,
        body: r#"{"error":{"code":403,"message":"Your API key was reported as leaked. Please use another API key.","status":"PERMISSION_DENIED"}}"#,
        scope: Scope::Credential,
        kind: "authentication",
        ..ERROR_CASE
    },
    ErrorCase {
        name: "an API that is not enabled",
        status: 403,
        body: r#"{"error":{"code":403,"message":"Generative Language API has not been used in project 1 before or it is disabled.","status":"PERMISSION_DENIED","details":[{"reason":"SERVICE_DISABLED"}]}}"#,
        scope: Scope::Credential,
        kind: "permission",
        ..ERROR_CASE
    },
    ErrorCase {
        name: "billing disabled",
        status: 403,
        body: r#"{"error":{"code":403,"message":"no","status":"PERMISSION_DENIED","details":[{"reason":"BILLING_DISABLED"}]}}"#,
        scope: Scope::Credential,
        kind: "billing",
        ..ERROR_CASE
    },
    ErrorCase {
        name: "no free tier in the country",
        body: r#"{"error":{"code":400,"message":"Gemini API free tier is not available in your country. Please enable billing on your project in Google AI Studio.","status":"FAILED_PRECONDITION"}}"#,
        scope: Scope::Credential,
        kind: "billing",
        ..ERROR_CASE
    },
    ErrorCase {
        name: "an unsupported location",
        body: r#"{"error":{"code":400,"message":"User location is not supported for the API use.","status":"FAILED_PRECONDITION"}}"#,
        scope: Scope::Credential,
        kind: "permission",
        ..ERROR_CASE
    },
    ErrorCase {
        name: "a forbidden model",
        status: 403,
        body: r#"{"error":{"code":403,"message":"The caller does not have permission","status":"PERMISSION_DENIED"}}"#,
        scope: Scope::Provider,
        kind: "permission",
        ..ERROR_CASE
    },
    ErrorCase {
        name: "a file of another project",
        status: 403,
        body: r#"{"error":{"code":403,"message":"You do not have permission to access the File abc or it may not exist.","status":"PERMISSION_DENIED"}}"#,
        ..ERROR_CASE
    },
    ErrorCase {
        name: "no such cache",
        status: 403,
        body: r#"{"error":{"code":403,"message":"CachedContent not found (or permission denied)","status":"PERMISSION_DENIED"}}"#,
        ..ERROR_CASE
    },
    ErrorCase {
        name: "no such model",
        status: 404,
        body: r#"{"error":{"code":404,"message":"models/x is not found for API version v1beta, or is not supported for generateContent.","status":"NOT_FOUND"}}"#,
        scope: Scope::Model,
        kind: "not-found",
        ..ERROR_CASE
    },
    ErrorCase {
        name: "too busy",
        status: 503,
        body: r#"{"error":{"code":503,"message":"The model is overloaded. Please try again later.","status":"UNAVAILABLE"}}"#,
        scope: Scope::Provider,
        kind: "overloaded",
        ..ERROR_CASE
    },
    ErrorCase {
        name: "too long",
        body: r#"{"error":{"code":400,"message":"The input token count (2000000) exceeds the maximum number of tokens allowed (1048576).","status":"INVALID_ARGUMENT"}}"#,
        kind: "context-length",
        ..ERROR_CASE
    },
    ErrorCase {
        name: "an invalid request",
        body: r#"{"error":{"code":400,"message":"contents is not specified","status":"INVALID_ARGUMENT"}}"#,
        ..ERROR_CASE
    },
];

const HOUR: u64 = 60 * MINUTE;
const MINUTE: u64 = 60_000;

const PER_DAY: &str = r#"{"error":{"code":429,"message":"You exceeded your current quota.","status":"RESOURCE_EXHAUSTED","details":[{"@type":"type.googleapis.com/google.rpc.QuotaFailure","violations":[{"quotaMetric":"generativelanguage.googleapis.com/generate_content_free_tier_requests","quotaId":"GenerateRequestsPerDayPerProjectPerModel-FreeTier","quotaDimensions":{"location":"global","model":"gemini-2.5-flash"},"quotaValue":"250"},{"quotaId":"GenerateRequestsPerMinutePerProjectPerModel-FreeTier"}]},{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"22s"}]}}"#;

const DAILY: ErrorCase = ErrorCase {
    status: 429,
    body: PER_DAY,
    scope: Scope::Model,
    kind: "quota",
    ..ERROR_CASE
};

#[tokio::test]
async fn gemini_classifies_documented_errors() {
    check_errors("gemini", "gemini", ERROR_CASES).await;
}
