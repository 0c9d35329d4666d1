//! The rules, by status, header and body. Real responses of providers are in `tests/cases/health`.

use std::time::Duration;

use http::{HeaderName, HeaderValue};

use super::rules::{self, Matcher};
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

#[test]
fn every_rule_has_a_source_and_is_reachable() {
    let lower = |phrases: &[&str]| {
        phrases
            .iter()
            .all(|phrase| *phrase == phrase.to_ascii_lowercase())
    };
    for (index, rule) in rules::all().enumerate() {
        assert!(!rule.source.is_empty(), "rule {index}");
        let error = |code: &str, message: &str| ProviderError {
            kind: Some(code.to_owned()),
            message: format!("a {message} b"),
            ..ProviderError::default()
        };
        let examples: Vec<ProviderError> = match rule.matcher {
            Matcher::Code(codes) => codes.iter().map(|code| error(code, "")).collect(),
            Matcher::Phrase(phrases) => phrases.iter().map(|phrase| error("", phrase)).collect(),
            Matcher::CodeAndPhrase(codes, phrases) => {
                let all = codes.iter().zip(phrases.iter().cycle());
                all.map(|(code, phrase)| error(code, phrase)).collect()
            }
            Matcher::Anything | Matcher::Challenge => vec![error("", "")],
        };
        if let Matcher::Code(words) | Matcher::Phrase(words) = rule.matcher {
            assert!(lower(words), "rule {index}");
        }
        for example in examples {
            let text = match rule.matcher {
                Matcher::Challenge => ErrorText::challenge(),
                _ => ErrorText::of(&example),
            };
            let reached = rule.status.iter().flat_map(Clone::clone).any(|status| {
                let first = rules::all().position(|rule| {
                    rule.status.iter().any(|range| range.contains(&status))
                        && text.matches(&rule.matcher, rule.classification.0)
                });
                first == Some(index)
            });
            assert!(
                reached,
                "rule {index}, {example:?}, is shadowed by an earlier rule"
            );
        }
    }
}

#[test]
fn cliproxyapi_compat_1_19_client_error_blames_no_credential() {
    let body = r#"{"error":{"message":"messages: missing","type":"invalid_request_error"}}"#;
    for status in [400, 413, 415, 422, 451] {
        let expected = (Scope::Request, "invalid".to_owned());
        assert_eq!(classified(status, body), expected, "{status}");
        assert_eq!(classified(status, "no json"), expected, "{status}");
    }
}

/// The statuses 401 and 402 mean the credential, and 429 its limits. The others, without words, name no
/// party or the request.
#[test]
fn status_without_words_blames_no_credential() {
    for status in (400..=599).filter(|status| ![401, 402, 429, 498].contains(status)) {
        for body in ["", "{}", "<html>no</html>", r#"{"error":{"message":"no"}}"#] {
            let (scope, kind) = classified(status, body);
            let of_request = [400, 413, 415, 422, 451].contains(&status);
            let expected = if of_request {
                Scope::Request
            } else {
                Scope::Provider
            };
            assert_eq!(scope, expected, "{status} {body}: {kind}");
        }
    }
}

/// Providers repeat what a client sent. A client must not be able to write the provider's words.
#[test]
fn text_of_a_client_blames_no_credential() {
    let phrases = rules::all().flat_map(|rule| match rule.matcher {
        Matcher::Phrase(phrases) => phrases.iter(),
        _ => [].iter(),
    });
    let texts: Vec<&&str> = phrases.collect();
    assert!(texts.len() > 50);
    for text in texts {
        for message in [
            format!("Invalid value: '{text}'. Supported values are: 'a' and 'b'."),
            format!("Unrecognized request argument supplied: {text}"),
            format!("Unknown parameter: '{text}'."),
            format!("Unexpected role \"{text}\". Allowed roles are \"user\""),
            format!("tools.0.name: `{text}` is not one of the model's tools"),
        ] {
            for status in [400, 403, 404, 422, 500] {
                let body = serde_json::json!({ "error": { "message": message } });
                let (scope, _) = classified(status, &body.to_string());
                let blames_none = matches!(scope, Scope::Request | Scope::Provider);
                assert!(blames_none, "{status} {message}: {scope:?}");
            }
        }
    }
}

#[test]
fn context_length_counts_with_any_status() {
    let message = "This model's maximum context length is 8192 tokens.";
    for status in [400, 403, 404, 413, 422, 429, 500, 502, 503, 529] {
        for body in [
            serde_json::json!({ "error": { "message": message } }),
            serde_json::json!({ "error": { "message": "x y", "code": "context_length_exceeded" } }),
            serde_json::json!({ "error": { "message": format!("upstream: {{\"message\":\"{message}\"}}") } }),
            serde_json::json!({ "error": { "message": "Provider returned error", "metadata": { "raw": message } } }),
        ] {
            let expected = (Scope::Request, "context-length".to_owned());
            assert_eq!(
                classified(status, &body.to_string()),
                expected,
                "{status} {body}"
            );
        }
    }
    // A server whose memory is too small for its context is no matter of the request.
    let memory = r#"{"error":{"message":"cannot allocate the context window: out of memory"}}"#;
    assert_eq!(classified(500, memory).0, Scope::Provider);
}

#[test]
fn quota_without_an_end_is_billing() {
    let spent = r#"{"error":{"message":"m","type":"usage_limit_reached"}}"#;
    let failure = failure_for(429, &[], spent);
    assert_eq!((&*failure.kind, failure.retry_after), ("billing", None));
    let failure = failure_for(429, &[("retry-after", "90")], spent);
    assert_eq!(&*failure.kind, "quota");
    assert_eq!(failure.retry_after, Some(Duration::from_secs(90)));
    let empty = r#"{"error":{"message":"m","code":"insufficient_quota"}}"#;
    let failure = failure_for(429, &[("retry-after", "1")], empty);
    assert_eq!((&*failure.kind, failure.retry_after), ("billing", None));
}

#[test]
fn long_message_is_cut() {
    let body = format!(r#"{{"error":{{"message":"{}"}}}}"#, "x".repeat(60_000));
    assert_eq!(failure_for(500, &[], &body).message.len(), 1024);
    let line = "x".repeat(60_000);
    assert_eq!(
        failure_for(500, &[], &line).message,
        "the provider returned 500 Internal Server Error"
    );
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
        (403, Scope::Provider, "permission"),
        (404, Scope::Provider, "not-found"),
        (405, Scope::Provider, "not-found"),
        (408, Scope::Provider, "transient"),
        (429, Scope::Model, "rate-limit"),
        (500, Scope::Provider, "transient"),
        (501, Scope::Provider, "not-found"),
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
    let read = |body: &str| stream_error(&ProviderError::read(body.as_bytes()).unwrap());
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
        (
            r#"{"message":"x","type":"permission_error"}"#,
            Scope::Provider,
            "permission",
        ),
        (
            r#"{"message":"x","type":"not_found_error"}"#,
            Scope::Provider,
            "not-found",
        ),
        (
            r#"{"message":"x","code":"insufficient_quota"}"#,
            Scope::Credential,
            "billing",
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
    let refusal = or_default_rules(executor_refusal("quota", None), &head, body, NOW);
    assert_eq!(
        refusal.failure.retry_after,
        seconds(7),
        "a quota gets a hint"
    );
}
