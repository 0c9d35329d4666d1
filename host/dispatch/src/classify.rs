//! Classifies error responses by the host's own rules: for executors that do not judge errors, and for
//! errors inside streams. Pure. The rules are a table in `classify/rules.rs`.

mod cloudflare;
mod error_text;
pub(crate) mod hints;
mod rules;

use std::borrow::Cow;

use http::{HeaderMap, StatusCode};
use jackfield_credential::{Failure, Scope, Timestamp, kind};
use jackfield_dialect::ProviderError;

use crate::plan::Refusal;
use crate::port::ResponseHead;

use error_text::ErrorText;
pub(crate) use hints::quota;
use hints::windows;
use rules::NONE;

/// The kind of a request that exceeds the model's context. Another model may accept it.
pub(crate) const CONTEXT_LENGTH: &str = "context-length";

/// The kind by which an executor leaves an error response to the host's rules.
pub const UNCLASSIFIED: &str = "unclassified";

/// Completes an executor's classification: an error response of the kind `unclassified` is classified
/// by the host's rules. A retry-after of the executor overrides the host's. A quota without one gets the
/// host's.
#[must_use]
pub fn or_default_rules(
    refusal: Refusal,
    head: &ResponseHead,
    body: &[u8],
    now: Timestamp,
) -> Refusal {
    let Refusal { failure, response } = refusal;
    if failure.kind == UNCLASSIFIED {
        let own = self::response(head.status, &head.headers, body, now);
        return Refusal {
            failure: Failure {
                retry_after: failure.retry_after.or(own.retry_after),
                ..own
            },
            response,
        };
    }
    let mut failure = failure;
    if failure.kind == kind::QUOTA && failure.retry_after.is_none() {
        let message = failure.message.clone();
        failure.retry_after = hints::retry_after(&head.headers, body, &message, true, now);
    }
    Refusal {
        failure: without_hopeless_quota(failure),
        response,
    }
}

/// Classifies an error response.
pub(crate) fn response(
    status: StatusCode,
    headers: &HeaderMap,
    body: &[u8],
    now: Timestamp,
) -> Failure {
    let error = ProviderError::read(body);
    // A body with an API error is the provider's own, even if Cloudflare forwarded it.
    let challenge = error.is_none() && cloudflare::is_challenge(headers, body);
    let error = error.or_else(|| error_text::plain_text(body));
    let text = if challenge {
        ErrorText::challenge()
    } else {
        ErrorText::of_response(error.as_ref(), headers, body)
    };
    let code = status.as_u16();
    let (mut scope, mut kind) = match_rules(code, &text);
    let window = (code == 429 && scope != Scope::Request).then(|| windows::spent(headers, now));
    let window = window.flatten();
    if let Some(window) = window {
        (scope, kind) = (window.scope, kind::QUOTA);
    }
    let message = match error {
        Some(error) if !error.message.is_empty() => error.message,
        _ if challenge => format!("the provider returned {status} with a browser challenge"),
        _ => format!("the provider returned {status}"),
    };
    let is_limit = matches!(code, 429 | 503 | 529) || kind == kind::QUOTA;
    let hint = hints::retry_after(headers, body, &message, is_limit, now);
    // A 429 that is no limit is Azure's day of waiting.
    let hint = hint.filter(|_| (code, kind) != (429, kind::TRANSIENT));
    let window_end = window.and_then(|window| Some(window.resets_at?.saturating_since(now)));
    without_hopeless_quota(Failure {
        status: Some(code),
        // The longer one: a request needs every window.
        retry_after: hint
            .max(window_end)
            .or(challenge.then_some(cloudflare::COOLDOWN)),
        refresh_suggested: kind == kind::AUTHENTICATION && scope == Scope::Credential,
        ..new_failure(scope, kind, message)
    })
}

/// Classifies an error inside a response with a success status. Only the error's code and message
/// count. An unknown error counts as the provider's.
pub(crate) fn stream_error(error: &ProviderError) -> Failure {
    let status = status_in_code(error).filter(|status| *status >= 400);
    let (scope, kind) = match_rules(status.unwrap_or(NONE), &ErrorText::of(error));
    without_hopeless_quota(Failure {
        status,
        retry_after: hints::delay_in(&error.message),
        ..new_failure(scope, kind, error.full_message().into_owned())
    })
}

/// A quota of an account without a time at which it comes back is a matter of billing: to wait does not
/// help. No hint belongs to a failure of that kind: `retry-after` of a provider's gateway means its rate
/// limits, and the call would wait for it.
fn without_hopeless_quota(failure: Failure) -> Failure {
    let has_end = failure.retry_after.is_some_and(|wait| !wait.is_zero());
    let is_hopeless = failure.scope == Scope::Credential && failure.kind == kind::QUOTA && !has_end;
    if is_hopeless || failure.kind == kind::BILLING {
        return Failure {
            kind: Cow::Borrowed(kind::BILLING),
            retry_after: None,
            ..failure
        };
    }
    failure
}

/// The connection to the provider failed, or the response was interrupted.
pub(crate) fn transport(message: String) -> Failure {
    new_failure(Scope::Transport, kind::TRANSIENT, message)
}

/// A response with a success status that is empty or malformed.
pub(crate) fn invalid_response(message: &str) -> Failure {
    new_failure(Scope::Provider, kind::TRANSIENT, message.to_owned())
}

fn new_failure(scope: Scope, kind: &'static str, message: String) -> Failure {
    Failure {
        scope,
        kind: Cow::Borrowed(kind),
        status: None,
        message,
        retry_after: None,
        refresh_suggested: false,
        sent: true,
    }
}

/// The classification of the first rule that matches.
fn match_rules(status: u16, text: &ErrorText) -> (Scope, &'static str) {
    let rule = rules::all().find(|rule| {
        rule.status.iter().any(|range| range.contains(&status))
            && text.matches(&rule.matcher, rule.classification.0)
    });
    rule.map_or((Scope::Provider, kind::TRANSIENT), |rule| {
        rule.classification
    })
}

/// The status of an error inside a stream: some providers send it as the code.
fn status_in_code(error: &ProviderError) -> Option<u16> {
    let status = error.code.as_deref()?.parse().ok();
    status.filter(|status| (100..600).contains(status))
}

#[cfg(test)]
mod case_tests;
#[cfg(test)]
mod hint_tests;
#[cfg(test)]
mod tests;
