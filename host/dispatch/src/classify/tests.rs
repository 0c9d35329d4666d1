//! The rules, by status, header and body: documented responses of providers, and their classification.

use http::{HeaderName, HeaderValue};

use super::*;

/// The classification of one response.
pub(super) fn failure_for(
    status: u16,
    headers: &[(&'static str, &'static str)],
    body: &str,
) -> Failure {
    let status = StatusCode::from_u16(status).unwrap();
    response(status, &map(headers), body.as_bytes(), NOW)
}

pub(super) fn map(headers: &[(&'static str, &'static str)]) -> HeaderMap {
    let header = |(name, value): &(&'static str, &'static str)| {
        (
            HeaderName::from_static(name),
            HeaderValue::from_static(value),
        )
    };
    headers.iter().map(header).collect()
}

fn classified(status: u16, body: &str) -> (Scope, String) {
    let failure = failure_for(status, &[], body);
    (failure.scope, failure.kind.into_owned())
}

/// 6 November 1994, 08:49:37 GMT.
pub(super) const NOW: Timestamp = Timestamp::from_millis(784_111_777_000);

/// Responses of providers as their documentation shows them, by status and body.
const RESPONSES: &[(&str, u16, &str, Scope, &str)] = &[
    (
        "OpenAI, a wrong key",
        401,
        r#"{"error":{"message":"Incorrect API key provided: sk-x.","type":"invalid_request_error","param":null,"code":"invalid_api_key"}}"#,
        Scope::Credential,
        "authentication",
    ),
    (
        "OpenAI, an empty account",
        429,
        r#"{"error":{"message":"You exceeded your current quota","type":"insufficient_quota","param":null,"code":"insufficient_quota"}}"#,
        Scope::Credential,
        "quota",
    ),
    (
        "OpenAI, too fast",
        429,
        r#"{"error":{"message":"Rate limit reached for gpt-4o","type":"tokens","param":null,"code":"rate_limit_exceeded"}}"#,
        Scope::Model,
        "rate-limit",
    ),
    (
        "OpenAI, too long",
        400,
        r#"{"error":{"message":"This model's maximum context length is 8192 tokens.","type":"invalid_request_error","param":"messages","code":"context_length_exceeded"}}"#,
        Scope::Request,
        "context-length",
    ),
    (
        "OpenAI, no such model",
        404,
        r#"{"error":{"message":"The model `x` does not exist or you do not have access to it.","type":"invalid_request_error","code":"model_not_found"}}"#,
        Scope::Model,
        "not-found",
    ),
    (
        "OpenAI, an item that was not stored",
        404,
        r#"{"error":{"message":"Item with id 'rs_1' not found. Items are not persisted when `store` is set to false.","type":"invalid_request_error"}}"#,
        Scope::Request,
        "invalid",
    ),
    (
        "Codex, a model outside the subscription",
        400,
        r#"{"detail":"The 'x' model is not supported when using Codex with a ChatGPT account."}"#,
        Scope::Model,
        "unsupported",
    ),
    (
        "Anthropic, no money",
        400,
        r#"{"type":"error","error":{"type":"invalid_request_error","message":"Your credit balance is too low to access the Anthropic API."}}"#,
        Scope::Credential,
        "billing",
    ),
    (
        "Anthropic, a wrong request",
        400,
        r#"{"type":"error","error":{"type":"invalid_request_error","message":"messages: at least one message is required"}}"#,
        Scope::Request,
        "invalid",
    ),
    (
        "Anthropic, too long",
        400,
        r#"{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 210000 tokens > 200000 maximum"}}"#,
        Scope::Request,
        "context-length",
    ),
    (
        "Anthropic, too long with its response",
        400,
        r#"{"type":"error","error":{"type":"invalid_request_error","message":"input length and `max_tokens` exceed context limit: 190000 + 21333 > 200000, decrease input length or `max_tokens` and try again"}}"#,
        Scope::Request,
        "context-length",
    ),
    (
        "Anthropic, too large",
        413,
        r#"{"type":"error","error":{"type":"request_too_large","message":"Request exceeds the maximum size"}}"#,
        Scope::Request,
        "invalid",
    ),
    (
        "Anthropic, overloaded",
        529,
        r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#,
        Scope::Provider,
        "overloaded",
    ),
    (
        "Gemini, a wrong key",
        400,
        r#"{"error":{"code":400,"message":"API key not valid. Please pass a valid API key.","status":"INVALID_ARGUMENT"}}"#,
        Scope::Credential,
        "authentication",
    ),
    (
        "Gemini, a wrong request, in an array",
        400,
        r#"[{"error":{"code":400,"message":"contents is not specified","status":"INVALID_ARGUMENT"}}]"#,
        Scope::Request,
        "invalid",
    ),
    (
        "Gemini, too long",
        400,
        r#"{"error":{"code":400,"message":"The input token count (2000000) exceeds the maximum number of tokens allowed (1048576).","status":"INVALID_ARGUMENT"}}"#,
        Scope::Request,
        "context-length",
    ),
    (
        "Gemini, the free tier's pace",
        429,
        r#"{"error":{"code":429,"message":"You exceeded your current quota, please check your plan and billing details.","status":"RESOURCE_EXHAUSTED"}}"#,
        Scope::Model,
        "rate-limit",
    ),
    (
        "Gemini, billing is off",
        403,
        r#"{"error":{"code":403,"message":"This API method requires billing to be enabled.","status":"PERMISSION_DENIED"}}"#,
        Scope::Credential,
        "billing",
    ),
    (
        "Azure, no such deployment",
        404,
        r#"{"error":{"code":"DeploymentNotFound","message":"The API deployment for this resource does not exist."}}"#,
        Scope::Model,
        "not-found",
    ),
    (
        "Azure, the wrong operation",
        400,
        r#"{"error":{"code":"OperationNotSupported","message":"The chatCompletion operation does not work with the specified model."}}"#,
        Scope::Model,
        "unsupported",
    ),
    (
        "Azure, filtered",
        400,
        r#"{"error":{"code":"content_filter","message":"The response was filtered","status":400}}"#,
        Scope::Request,
        "invalid",
    ),
    (
        "Groq, a model that is gone",
        400,
        r#"{"error":{"message":"The model `x` has been decommissioned","type":"invalid_request_error","code":"model_decommissioned"}}"#,
        Scope::Model,
        "not-found",
    ),
    (
        "Groq, flex is full",
        498,
        r#"{"error":{"message":"Flex tier capacity exceeded","type":"capacity"}}"#,
        Scope::Model,
        "overloaded",
    ),
    (
        "OpenRouter, no credits",
        402,
        r#"{"error":{"code":402,"message":"Insufficient credits"}}"#,
        Scope::Credential,
        "billing",
    ),
    (
        "OpenRouter, moderated",
        403,
        r#"{"error":{"code":403,"message":"Your chosen model requires moderation and your input was flagged"}}"#,
        Scope::Request,
        "invalid",
    ),
    (
        "OpenRouter, no such model",
        400,
        r#"{"error":{"code":400,"message":"x/y is not a valid model ID"}}"#,
        Scope::Model,
        "not-found",
    ),
    (
        "DeepSeek, no money",
        402,
        r#"{"error":{"message":"Insufficient Balance","type":"unknown_error","code":"invalid_request_error"}}"#,
        Scope::Credential,
        "billing",
    ),
    (
        "OAuth, a grant that is over",
        400,
        r#"{"error":"invalid_grant","error_description":"Token has been revoked."}"#,
        Scope::Credential,
        "authentication",
    ),
];

#[test]
fn classifies_documented_error_responses() {
    for (name, status, body, scope, kind) in RESPONSES {
        assert_eq!(
            classified(*status, body),
            (*scope, (*kind).to_owned()),
            "{name}"
        );
    }
}

#[test]
fn every_rule_has_a_source_and_is_reachable() {
    let lower = |phrases: &[&str]| {
        phrases
            .iter()
            .all(|phrase| *phrase == phrase.to_ascii_lowercase())
    };
    for (index, rule) in RULES.iter().enumerate() {
        assert!(!rule.source.is_empty(), "rule {index}");
        let example = |text: &str| match rule.matcher {
            Matcher::Code(_) => ProviderError {
                kind: Some(text.to_owned()),
                message: "a sentence".to_owned(),
                ..ProviderError::default()
            },
            _ => ProviderError {
                message: format!("a {text} b"),
                ..ProviderError::default()
            },
        };
        let texts: Vec<&str> = match rule.matcher {
            Matcher::Code(phrases) | Matcher::Phrase(phrases) => {
                assert!(lower(phrases), "rule {index}");
                phrases.to_vec()
            }
            Matcher::Anything | Matcher::Challenge => vec![""],
        };
        for text in texts {
            let error = example(text);
            let challenge = matches!(rule.matcher, Matcher::Challenge);
            let reached = rule.status.iter().flat_map(Clone::clone).any(|status| {
                let error_text = ErrorText::of(Some(&error).filter(|_| !challenge), challenge);
                let first = RULES.iter().position(|rule| {
                    rule.status.iter().any(|range| range.contains(&status))
                        && error_text.matches(&rule.matcher)
                });
                first == Some(index)
            });
            assert!(
                reached,
                "rule {index}, {text:?}, is shadowed by an earlier rule"
            );
        }
    }
}

#[test]
fn cliproxyapi_compat_1_19_client_error_blames_no_credential() {
    let body = r#"{"error":{"message":"messages: missing","type":"invalid_request_error"}}"#;
    for status in [400, 409, 413, 422] {
        let expected = (Scope::Request, "invalid".to_owned());
        assert_eq!(classified(status, body), expected, "{status}");
        assert_eq!(classified(status, "no json"), expected, "{status}");
    }
}

#[test]
fn cliproxyapi_compat_1_19_billing_400_rotates() {
    for body in [
        r#"{"error":{"message":"Your credit balance is too low to access the API"}}"#,
        r#"{"error":{"message":"Your credit balance is too low","type":"invalid_request_error"}}"#,
        r#"{"error":{"message":"Insufficient Balance","code":"invalid_request_error"}}"#,
        r#"{"error":{"message":"x","type":"billing_not_active","code":"E17"}}"#,
    ] {
        let expected = (Scope::Credential, "billing".to_owned());
        for status in [400, 402, 403] {
            assert_eq!(classified(status, body), expected, "{status} {body}");
        }
    }
}

#[test]
fn cliproxyapi_compat_1_19_unsupported_model_blames_only_that_model() {
    let body = r#"{"error":{"message":"x","code":"model_not_supported"}}"#;
    for status in [400, 422] {
        let expected = (Scope::Model, "unsupported".to_owned());
        assert_eq!(classified(status, body), expected);
    }
}

#[test]
fn cliproxyapi_compat_1_8_statuses_have_scopes() {
    for (status, scope, kind) in [
        (401, Scope::Credential, "authentication"),
        (402, Scope::Credential, "billing"),
        (403, Scope::Model, "permission"),
        (404, Scope::Model, "not-found"),
        (405, Scope::Model, "unsupported"),
        (408, Scope::Provider, "transient"),
        (429, Scope::Model, "rate-limit"),
        (500, Scope::Provider, "transient"),
        (502, Scope::Provider, "transient"),
        (503, Scope::Provider, "overloaded"),
        (504, Scope::Provider, "transient"),
        (302, Scope::Provider, "transient"),
    ] {
        assert_eq!(classified(status, "{}"), (scope, kind.into()), "{status}");
    }
}

#[test]
fn only_a_401_that_blames_the_credential_suggests_a_refresh() {
    assert!(failure_for(401, &[], "").refresh_suggested);
    assert!(failure_for(400, &[], r#"{"error":"invalid_grant"}"#).refresh_suggested);
    for status in [400, 402, 403, 429, 500] {
        assert!(
            !failure_for(status, &[], "{}").refresh_suggested,
            "{status}"
        );
    }
}

#[test]
fn cliproxyapi_compat_1_19_browser_challenge_cools_for_ten_seconds() {
    let page = "<html><script src=\"/cdn-cgi/challenge-platform/x.js\"></script></html>";
    for status in [403, 429, 503] {
        for (headers, body) in [
            (&[("cf-mitigated", "challenge")][..], "<html></html>"),
            (&[("content-type", "text/html; charset=UTF-8")][..], page),
        ] {
            let failure = failure_for(status, headers, body);
            assert_eq!(
                (failure.scope, &*failure.kind),
                (Scope::Provider, "overloaded")
            );
            assert_eq!(failure.retry_after, Some(Duration::from_secs(10)));
            assert!(!failure.refresh_suggested);
        }
    }
    let other = failure_for(503, &[("content-type", "text/html")], "<html>busy</html>");
    assert_eq!(other.retry_after, None, "any other page is none");
    let failure = failure_for(
        403,
        &[("cf-mitigated", "challenge"), ("retry-after", "3")],
        "",
    );
    assert_eq!(failure.retry_after, Some(Duration::from_secs(3)));
}

#[test]
fn classifies_stream_errors_by_code_and_message() {
    let read = |body: &str| stream_error(ProviderError::read(body.as_bytes()).unwrap());
    for (body, scope, kind) in [
        (
            r#"{"message":"busy","type":"overloaded_error"}"#,
            Scope::Provider,
            "overloaded",
        ),
        (
            r#"{"message":"x","type":"tokens","code":"rate_limit_exceeded"}"#,
            Scope::Model,
            "rate-limit",
        ),
        (
            r#"{"message":"x","type":"invalid_request_error"}"#,
            Scope::Request,
            "invalid",
        ),
        (
            r#"{"message":"x y","code":"context_length_exceeded"}"#,
            Scope::Request,
            "context-length",
        ),
        (
            r#"{"message":"x","type":"authentication_error"}"#,
            Scope::Credential,
            "authentication",
        ),
        (
            r#"{"message":"x","code":429,"status":"RESOURCE_EXHAUSTED"}"#,
            Scope::Model,
            "rate-limit",
        ),
        (
            r#"{"message":"x","code":503,"status":"UNAVAILABLE"}"#,
            Scope::Provider,
            "overloaded",
        ),
        (r#"{"message":"something"}"#, Scope::Provider, "transient"),
    ] {
        let failure = read(&format!(r#"{{"error":{body}}}"#));
        assert_eq!((failure.scope, &*failure.kind), (scope, kind), "{body}");
    }
    let status = read(r#"{"error":{"message":"slow down","code":429}}"#);
    assert_eq!(status.status, Some(429));
    let hint =
        read(r#"{"error":{"message":"Please try again in 2s.","code":"rate_limit_exceeded"}}"#);
    assert_eq!(hint.retry_after, Some(Duration::from_secs(2)));
}

#[test]
fn default_rules_classify_unclassified_errors() {
    let executor_refusal = |kind: &'static str, retry_after| Refusal {
        failure: Failure {
            retry_after,
            ..new_failure(Scope::Credential, kind, "the executor's text".to_owned())
        },
        response: Some(bytes::Bytes::from_static(b"for the client")),
    };
    let head = ResponseHead {
        status: StatusCode::TOO_MANY_REQUESTS,
        headers: map(&[("retry-after", "7")]),
    };
    let body = br#"{"error":{"message":"too fast","code":"rate_limit_exceeded"}}"#;
    let seconds = |seconds| Some(Duration::from_secs(seconds));
    for (own, retry_after) in [(None, seconds(7)), (seconds(3), seconds(3))] {
        let refusal = or_default_rules(executor_refusal("unclassified", own), &head, body, NOW);
        let failure = refusal.failure;
        assert_eq!(
            (failure.scope, &*failure.kind),
            (Scope::Model, "rate-limit")
        );
        assert_eq!((&*failure.message, failure.status), ("too fast", Some(429)));
        assert_eq!(failure.retry_after, retry_after);
        assert_eq!(refusal.response.as_deref(), Some(&b"for the client"[..]));
    }
    let own = executor_refusal("billing", None);
    let refusal = or_default_rules(own.clone(), &head, body, NOW);
    assert_eq!(
        refusal.failure, own.failure,
        "a classification is not changed"
    );
}
