//! Classifies error responses by the host's own rules: for executors that do not judge errors, and for
//! errors inside streams. Pure. The rules are a table in `classify/rules.rs`.

mod hints;
mod rules;

use std::borrow::Cow;
use std::time::Duration;

use http::{HeaderMap, StatusCode};
use jackfield_credential::{Failure, Scope, Timestamp, kind};
use jackfield_dialect::ProviderError;
use memchr::memmem;

use crate::plan::Refusal;
use crate::port::ResponseHead;

pub(crate) use hints::{quota, retry_after};
use rules::{Matcher, NONE, RULES};

/// The kind of a request that exceeds the model's context. Another model may accept it.
pub(crate) const CONTEXT_LENGTH: &str = "context-length";

/// The kind by which an executor leaves an error response to the host's rules.
const UNCLASSIFIED: &str = "unclassified";

/// Completes an executor's classification: an error response of the kind `unclassified` is classified
/// by the host's rules. A retry-after of the executor overrides the host's.
#[must_use]
pub fn or_default_rules(
    refusal: Refusal,
    head: &ResponseHead,
    body: &[u8],
    now: Timestamp,
) -> Refusal {
    if refusal.failure.kind != UNCLASSIFIED {
        return refusal;
    }
    let own = response(head.status, &head.headers, body, now);
    Refusal {
        failure: Failure {
            retry_after: refusal.failure.retry_after.or(own.retry_after),
            ..own
        },
        response: refusal.response,
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
    let challenge = error.is_none() && is_challenge(headers, body);
    let (scope, kind) = match_rules(status.as_u16(), error.as_ref(), challenge);
    let message = match error {
        Some(error) if !error.message.is_empty() => error.message,
        _ if challenge => format!("the provider returned {status} with a browser challenge"),
        _ => format!("the provider returned {status}"),
    };
    let hint = retry_after(status, headers, body, now);
    Failure {
        scope,
        kind: Cow::Borrowed(kind),
        status: Some(status.as_u16()),
        message,
        retry_after: hint.or(challenge.then_some(CHALLENGE)),
        refresh_suggested: kind == kind::AUTHENTICATION && scope == Scope::Credential,
        sent: true,
    }
}

/// Classifies an error inside a response with a success status. Only the error's code and message
/// count. An unknown error counts as the provider's.
pub(crate) fn stream_error(error: ProviderError) -> Failure {
    let status = status_in_code(&error).filter(|status| *status >= 400);
    let (scope, kind) = match_rules(status.unwrap_or(NONE), Some(&error), false);
    Failure {
        scope,
        kind: Cow::Borrowed(kind),
        status,
        retry_after: hints::from_message(&error.message),
        message: error.message,
        refresh_suggested: false,
        sent: true,
    }
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
fn match_rules(
    status: u16,
    error: Option<&ProviderError>,
    challenge: bool,
) -> (Scope, &'static str) {
    let text = ErrorText::of(error, challenge);
    let rule = RULES.iter().find(|rule| {
        rule.status.iter().any(|range| range.contains(&status)) && text.matches(&rule.matcher)
    });
    rule.map_or((Scope::Provider, kind::TRANSIENT), |rule| {
        rule.classification
    })
}

/// The texts of an error that rules match, in lower case.
#[derive(Default)]
struct ErrorText {
    codes: Vec<String>,
    message: String,
    challenge: bool,
}

impl ErrorText {
    fn of(error: Option<&ProviderError>, challenge: bool) -> Self {
        let Some(error) = error else {
            return Self {
                challenge,
                ..Self::default()
            };
        };
        let message = error.message.to_ascii_lowercase();
        let codes = [&error.code, &error.kind].into_iter().flatten();
        let mut codes: Vec<String> = codes.map(|code| code.to_ascii_lowercase()).collect();
        // Some providers send only a code: `{"error": "invalid_grant"}`.
        if !message.contains(' ') {
            codes.push(message.clone());
        }
        Self {
            codes,
            message,
            challenge,
        }
    }

    fn matches(&self, matcher: &Matcher) -> bool {
        match matcher {
            Matcher::Anything => true,
            Matcher::Challenge => self.challenge,
            Matcher::Code(known) => self.codes.iter().any(|code| known.contains(&&**code)),
            Matcher::Phrase(known) => known.iter().any(|phrase| self.message.contains(phrase)),
        }
    }
}

/// Whether a response is a bot challenge of Cloudflare. Newer ones have a header; older ones are
/// recognized by the page.
fn is_challenge(headers: &HeaderMap, body: &[u8]) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if text("cf-mitigated") == Some("challenge") {
        return true;
    }
    let kind = text("content-type").unwrap_or_default().trim_start();
    let holds = |mark: &&str| memmem::find(body, mark.as_bytes()).is_some();
    kind.to_ascii_lowercase().starts_with("text/html") && MARKS.iter().any(holds)
}

/// Texts of Cloudflare's challenge and block pages.
const MARKS: [&str; 3] = [
    "/cdn-cgi/challenge-platform/",
    "cf-browser-verification",
    "cf-error-details",
];

/// The cooldown after a challenge. A challenge concerns the connection rather than the account, and
/// often the next attempt succeeds. The value is CLIProxyAPI's (1.19).
const CHALLENGE: Duration = Duration::from_secs(10);

/// The status of an error inside a stream: some providers send it as the code.
fn status_in_code(error: &ProviderError) -> Option<u16> {
    let status = error.code.as_deref()?.parse().ok();
    status.filter(|status| (100..600).contains(status))
}

#[cfg(test)]
mod hint_tests;
#[cfg(test)]
mod tests;
