//! Whose fault an error answer is, by the host's own rules: for executors that do not judge, and
//! for errors inside a stream. Pure.

use std::borrow::Cow;
use std::time::{Duration, UNIX_EPOCH};

use http::{HeaderMap, StatusCode};
use jackfield_credential::{Failure, Scope, Timestamp, kind};
use jackfield_dialect::ProviderError;

/// Classifies an error answer.
pub(crate) fn answer(
    status: StatusCode,
    headers: &HeaderMap,
    body: &[u8],
    now: Timestamp,
) -> Failure {
    let error = ProviderError::read(body);
    let (scope, kind) = rule(status.as_u16(), error.as_ref());
    let message = match error {
        Some(error) => error.message,
        None => format!("the provider answered {status}"),
    };
    Failure {
        scope,
        kind: Cow::Borrowed(kind),
        status: Some(status.as_u16()),
        message,
        retry_after: retry_after(headers, now),
        refresh_suggested: status == StatusCode::UNAUTHORIZED,
    }
}

/// Classifies an error that came inside an answer with a good status, where there is no status to
/// go by: the words of the error decide, and what they do not say counts as the provider's fault.
pub(crate) fn inside(error: ProviderError) -> Failure {
    let status = stated_status(&error).filter(|status| *status >= 400);
    let (scope, kind) = match status {
        Some(status) => rule(status, Some(&error)),
        None => words(&error).unwrap_or((Scope::Provider, kind::TRANSIENT)),
    };
    Failure {
        scope,
        kind: Cow::Borrowed(kind),
        status,
        message: error.message,
        retry_after: None,
        refresh_suggested: false,
    }
}

/// The way to the provider failed, or an answer broke off.
pub(crate) fn transport(message: String) -> Failure {
    plain(Scope::Transport, kind::TRANSIENT, message)
}

/// An answer of good status that holds nothing, or no sense.
pub(crate) fn useless(message: &str) -> Failure {
    plain(Scope::Provider, kind::TRANSIENT, message.to_owned())
}

fn plain(scope: Scope, kind: &'static str, message: String) -> Failure {
    Failure {
        scope,
        kind: Cow::Borrowed(kind),
        status: None,
        message,
        retry_after: None,
        refresh_suggested: false,
    }
}

/// What the status says, unless the words of the error know better.
fn rule(status: u16, error: Option<&ProviderError>) -> (Scope, &'static str) {
    let told = error.and_then(words);
    match status {
        // Providers answer 400 for accounts without money and for models they do not have; every
        // other 400 is the client's, and would be refused everywhere.
        400 | 409..=428 | 430..=499 => told
            .filter(|(_, kind)| [kind::BILLING, kind::UNSUPPORTED, kind::NOT_FOUND].contains(kind))
            .unwrap_or((Scope::Request, kind::INVALID)),
        401 => (Scope::Credential, kind::AUTHENTICATION),
        402 => (Scope::Credential, kind::BILLING),
        403 => told
            .filter(|(_, kind)| *kind == kind::BILLING)
            .unwrap_or((Scope::Model, kind::PERMISSION)),
        404 => (Scope::Model, kind::NOT_FOUND),
        429 => told
            .filter(|(_, kind)| *kind == kind::QUOTA)
            .unwrap_or((Scope::Model, kind::RATE_LIMIT)),
        408 => (Scope::Provider, kind::TRANSIENT),
        503 | 529 => (Scope::Provider, kind::OVERLOADED),
        500..=599 => (Scope::Provider, kind::TRANSIENT),
        405..=407 => (Scope::Model, kind::UNSUPPORTED),
        _ => (Scope::Provider, kind::TRANSIENT),
    }
}

/// What the error's own words say, where they are documented to mean one thing. A code is finer than
/// a type, and any sentence that is known is finer than the type that is used for everything.
fn words(error: &ProviderError) -> Option<(Scope, &'static str)> {
    let told = [error.code.as_deref(), error.kind.as_deref()];
    let mut told = told.into_iter().flatten();
    if let Some(known) = told
        .clone()
        .find_map(|word| look_up(&CODES, |code| code == word))
    {
        return Some(known);
    }
    let message = error.message.to_ascii_lowercase();
    look_up(&PHRASES, |phrase| message.contains(phrase)).or_else(|| {
        told.any(|word| word == "invalid_request_error")
            .then_some((Scope::Request, kind::INVALID))
    })
}

type Rule = (&'static str, Scope, &'static str);

fn look_up(rules: &[Rule], fits: impl Fn(&str) -> bool) -> Option<(Scope, &'static str)> {
    let (_, scope, kind) = rules.iter().find(|(words, ..)| fits(words))?;
    Some((*scope, kind))
}

/// Codes and types of OpenAI's error reference, which compatible providers share.
const CODES: [Rule; 11] = [
    (
        "billing_hard_limit_reached",
        Scope::Credential,
        kind::BILLING,
    ),
    ("billing_not_active", Scope::Credential, kind::BILLING),
    ("insufficient_quota", Scope::Credential, kind::QUOTA),
    ("invalid_api_key", Scope::Credential, kind::AUTHENTICATION),
    ("model_not_found", Scope::Model, kind::NOT_FOUND),
    ("model_not_supported", Scope::Model, kind::UNSUPPORTED),
    ("overloaded_error", Scope::Provider, kind::OVERLOADED),
    ("rate_limit_error", Scope::Model, kind::RATE_LIMIT),
    ("rate_limit_exceeded", Scope::Model, kind::RATE_LIMIT),
    ("context_length_exceeded", Scope::Request, kind::INVALID),
    ("content_filter", Scope::Request, kind::INVALID),
];

/// Messages of providers that have no code for it.
const PHRASES: [Rule; 4] = [
    (
        "credit balance is too low",
        Scope::Credential,
        kind::BILLING,
    ),
    ("insufficient balance", Scope::Credential, kind::BILLING),
    ("model is not supported", Scope::Model, kind::UNSUPPORTED),
    ("model does not exist", Scope::Model, kind::NOT_FOUND),
];

/// Some providers put a status into the code of an error inside a stream.
fn stated_status(error: &ProviderError) -> Option<u16> {
    error
        .code
        .as_deref()?
        .parse()
        .ok()
        .filter(|status| (100..600).contains(status))
}

/// How long a provider asks to be left alone: `retry-after-ms` as OpenAI and Azure send it, or
/// `retry-after` in seconds or as a date (RFC 9110, section 10.2.3).
pub(crate) fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = |name: &str| headers.get(name)?.to_str().ok().map(str::trim);
    if let Some(milliseconds) = text("retry-after-ms").and_then(|value| value.parse().ok()) {
        return seconds(Some(milliseconds).map(|ms: f64| ms / 1_000.0));
    }
    let value = text("retry-after")?;
    if let Ok(number) = value.parse::<f64>() {
        return seconds(Some(number));
    }
    let at = httpdate::parse_http_date(value)
        .ok()?
        .duration_since(UNIX_EPOCH)
        .ok()?;
    Some(at.saturating_sub(Duration::from_millis(now.as_millis())))
}

fn seconds(number: Option<f64>) -> Option<Duration> {
    Duration::try_from_secs_f64(number?).ok()
}

#[cfg(test)]
mod tests;
