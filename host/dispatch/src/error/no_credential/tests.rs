//! What clients learn when no credential is available.

use std::sync::Arc;

use jackfield_credential::{Cause, CoolingCause, CoolingCounts, HealthPlace, Scope};

use super::*;
use crate::error::CallError;

fn failure(scope: Scope, kind: &'static str, status: u16, message: &str) -> Failure {
    Failure {
        scope,
        kind: kind.into(),
        status: Some(status),
        message: message.to_owned(),
        retry_after: None,
        refresh_suggested: false,
        sent: true,
    }
}

/// Two credentials that cool; the first one by this failure.
fn cooling(failure: &Failure) -> Reasons {
    let class = class_of(failure);
    let mut classes = CoolingCounts::default();
    let count = match class {
        CoolingClass::Limit => &mut classes.limit,
        CoolingClass::Overload => &mut classes.overload,
        CoolingClass::Outage => &mut classes.outage,
        CoolingClass::Refused => &mut classes.refused,
        CoolingClass::Billing => &mut classes.billing,
        CoolingClass::Missing => &mut classes.missing,
    };
    *count = 2;
    Reasons {
        cooling: 2,
        classes,
        first: Some(CoolingCause {
            place: HealthPlace::Account,
            class,
            cause: Arc::new(Cause::of(failure)),
        }),
        ..Reasons::default()
    }
}

fn limited() -> Reasons {
    cooling(&failure(Scope::Model, kind::RATE_LIMIT, 429, "slow down"))
}

fn none_available(reasons: Reasons, failure: Option<Failure>) -> CallError {
    CallError::NoCredentialAvailable(Box::new(NoCredential {
        model: "gpt".to_owned(),
        unavailable: Unavailable::NoneAvailable(reasons),
        failure: failure.map(UpstreamFailure::new),
        retry_after: None,
        provider: None,
    }))
}

fn code(reasons: Reasons) -> Option<&'static str> {
    none_available(reasons, None).code()
}

#[test]
fn unavailable_credentials_are_explained_once() {
    let error = none_available(limited(), None);
    assert_eq!(
        error.to_string(),
        "no credential available for model `gpt` (2 cooling)"
    );
}

#[test]
fn cliproxyapi_compat_1_10_selection_failure_codes() {
    assert_eq!(code(limited()), Some("model_cooldown"));
    let (disabled, busy, barred) = (1, 1, 1);
    let also_disabled = Reasons {
        disabled,
        ..limited()
    };
    assert_eq!(code(also_disabled), Some("model_cooldown"));
    for other in [
        Reasons { busy, ..limited() },
        Reasons {
            barred,
            ..limited()
        },
    ] {
        assert_eq!(code(other), Some("auth_unavailable"));
    }
    let only_disabled = Reasons {
        disabled,
        ..Reasons::default()
    };
    assert_eq!(code(only_disabled), Some("auth_not_found"));
    let executor = CallError::ExecutorNotFound {
        provider: "p".to_owned(),
        executor: "e".to_owned(),
    };
    assert_eq!(executor.code(), Some("executor_not_found"));
    let provider = CallError::ProviderNotFound("p".to_owned());
    assert_eq!(provider.code(), Some("provider_not_found"));
    let unknown = CallError::UnknownModel("m".to_owned().into());
    assert_eq!(unknown.code(), Some("model_not_found"));
}

#[test]
fn code_is_that_of_the_class_which_is_available_first() {
    let cases = [
        (
            Scope::Credential,
            kind::AUTHENTICATION,
            401,
            "auth_unavailable",
        ),
        (Scope::Credential, kind::BILLING, 402, "auth_unavailable"),
        (Scope::Provider, kind::PERMISSION, 403, "auth_unavailable"),
        (Scope::Provider, kind::NOT_FOUND, 404, "model_not_found"),
        (
            Scope::Provider,
            kind::TRANSIENT,
            500,
            "upstream_unavailable",
        ),
        (
            Scope::Provider,
            kind::OVERLOADED,
            503,
            "upstream_overloaded",
        ),
        (Scope::Model, kind::QUOTA, 429, "model_cooldown"),
        (Scope::Model, "of-an-executor", 429, "model_cooldown"),
    ];
    for (scope, kind, status, expected) in cases {
        let cooling = cooling(&failure(scope, kind, status, "words"));
        assert_eq!(code(cooling), Some(expected), "{kind} {status}");
    }
    // One of two lacks the model; the other fails, and may serve it.
    let mut mixed = cooling(&failure(
        Scope::Provider,
        kind::NOT_FOUND,
        404,
        "no such model",
    ));
    (mixed.classes.missing, mixed.classes.outage) = (1, 1);
    assert_eq!(code(mixed), Some("upstream_unavailable"));
}

#[test]
fn words_about_credentials_are_shown_and_those_about_requests_are_not() {
    let refused = failure(Scope::Credential, kind::AUTHENTICATION, 401, "Key revoked.");
    let shown = none_available(cooling(&refused), None).to_string();
    assert!(
        shown.ends_with("; the provider says: Key revoked."),
        "{shown}"
    );
    // The call's own failure says more than an earlier one.
    let own = failure(Scope::Credential, kind::BILLING, 402, "No credit.");
    let shown = none_available(cooling(&refused), Some(own)).to_string();
    assert!(
        shown.ends_with("; the provider says: No credit."),
        "{shown}"
    );
    let crashed = failure(
        Scope::Provider,
        kind::TRANSIENT,
        500,
        "cannot parse `secret`",
    );
    let shown = none_available(cooling(&crashed), None).to_string();
    assert!(
        shown.ends_with("(2 cooling): the provider fails"),
        "{shown}"
    );
}

#[test]
fn words_cannot_be_taken_for_an_error_of_the_clients_key() {
    assert_eq!(words_for_clients("invalid x-api-key"), "invalid API key");
    assert_eq!(words_for_clients("X-API-KEY x-api-key"), "API key API key");
    let billing = words_for_clients("Your credit balance is too low to access the API.");
    assert!(!billing.contains("credit balance is too low"), "{billing}");
    assert_eq!(words_for_clients(&"é".repeat(1_000)).len(), WORDS_BYTES_MAX);
}
