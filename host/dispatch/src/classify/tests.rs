//! The rules, by status, header and body.

use http::HeaderValue;

use super::*;

fn classified(status: u16, body: &str) -> (Scope, String) {
    let status = StatusCode::from_u16(status).unwrap();
    let failure = answer(status, &HeaderMap::new(), body.as_bytes(), NOW);
    (failure.scope, failure.kind.into_owned())
}

const NOW: Timestamp = Timestamp::from_millis(784_111_777_000);

#[test]
fn a_clients_400_blames_nobody() {
    let body = r#"{"error":{"message":"messages: missing","type":"invalid_request_error"}}"#;
    for status in [400, 409, 413, 422] {
        assert_eq!(
            classified(status, body),
            (Scope::Request, "invalid".into()),
            "{status}"
        );
        assert_eq!(
            classified(status, "no json"),
            (Scope::Request, "invalid".into()),
            "{status}"
        );
    }
}

#[test]
fn a_billing_400_rotates() {
    for body in [
        r#"{"error":{"message":"Your credit balance is too low to access the API"}}"#,
        r#"{"error":{"message":"Your credit balance is too low","type":"invalid_request_error"}}"#,
        r#"{"error":{"message":"Insufficient Balance","code":"invalid_request_error"}}"#,
        r#"{"error":{"message":"x","type":"billing_not_active","code":"E17"}}"#,
    ] {
        assert_eq!(
            classified(400, body),
            (Scope::Credential, "billing".into()),
            "{body}"
        );
    }
}

#[test]
fn a_model_that_is_not_supported_blames_only_that_model() {
    let body = r#"{"error":{"message":"x","code":"model_not_supported"}}"#;
    assert_eq!(classified(400, body), (Scope::Model, "unsupported".into()));
}

#[test]
fn statuses_have_scopes() {
    for (status, scope, kind) in [
        (401, Scope::Credential, "authentication"),
        (402, Scope::Credential, "billing"),
        (403, Scope::Model, "permission"),
        (404, Scope::Model, "not-found"),
        (408, Scope::Provider, "transient"),
        (429, Scope::Model, "rate-limit"),
        (500, Scope::Provider, "transient"),
        (503, Scope::Provider, "overloaded"),
    ] {
        assert_eq!(classified(status, "{}"), (scope, kind.into()), "{status}");
    }
}

#[test]
fn a_429_for_an_empty_account_blames_the_account() {
    let body =
        r#"{"error":{"message":"x","type":"insufficient_quota","code":"insufficient_quota"}}"#;
    assert_eq!(classified(429, body), (Scope::Credential, "quota".into()));
}

#[test]
fn errors_inside_a_stream_are_classified_by_their_words() {
    let read = |body: &str| inside(ProviderError::read(body.as_bytes()).unwrap());
    let overloaded = read(r#"{"error":{"message":"busy","type":"overloaded_error"}}"#);
    assert_eq!(
        (overloaded.scope, &*overloaded.kind),
        (Scope::Provider, "overloaded")
    );
    let status = read(r#"{"error":{"message":"slow down","code":429}}"#);
    assert_eq!((status.scope, status.status), (Scope::Model, Some(429)));
    let code = read(r#"{"error":{"message":"x","type":"tokens","code":"rate_limit_exceeded"}}"#);
    assert_eq!((code.scope, &*code.kind), (Scope::Model, "rate-limit"));
    let client = read(r#"{"error":{"message":"x","type":"invalid_request_error"}}"#);
    assert_eq!((client.scope, &*client.kind), (Scope::Request, "invalid"));
    let unknown = read(r#"{"error":{"message":"something"}}"#);
    assert_eq!(
        (unknown.scope, &*unknown.kind),
        (Scope::Provider, "transient")
    );
}

#[test]
fn retry_after_is_read_in_all_its_forms() {
    let told = |name: &'static str, value: &'static str| {
        let headers = HeaderMap::from_iter([(
            http::HeaderName::from_static(name),
            HeaderValue::from_static(value),
        )]);
        retry_after(&headers, NOW)
    };
    assert_eq!(told("retry-after", "7"), Some(Duration::from_secs(7)));
    assert_eq!(
        told("retry-after", " 1.5 "),
        Some(Duration::from_millis(1_500))
    );
    assert_eq!(
        told("retry-after-ms", "250"),
        Some(Duration::from_millis(250))
    );
    let date = "Sun, 06 Nov 1994 08:49:47 GMT";
    assert_eq!(told("retry-after", date), Some(Duration::from_secs(10)));
    assert_eq!(
        told("retry-after", "Sun, 06 Nov 1988 08:49:47 GMT"),
        Some(Duration::ZERO)
    );
    for nonsense in ["", "soon", "-3", "NaN", "1e400"] {
        assert_eq!(told("retry-after", nonsense), None, "{nonsense}");
    }
}
