//! Every class of errors for clients of every dialect: in an error response, in a response with a success status
//! before the commit, and after the client got the head of its stream.

use axum::http::HeaderMap;
use http_body_util::BodyExt;
use jackfield_dialect::EventClass;
use jackfield_dialect::sse::SseReader;
use jackfield_dispatch::ReportedError;
use serde_json::{Value, json};

use super::*;

/// The dialects for conversations.
const DIALECTS: [Dialect; 4] = [
    Dialect::AnthropicMessages,
    Dialect::Gemini,
    Dialect::OpenaiChat,
    Dialect::OpenaiResponses,
];

/// A code that stands for the class; `None` where only the status does.
fn code(class: ErrorClass) -> Option<&'static str> {
    Some(match class {
        ErrorClass::Authentication => "invalid_api_key",
        ErrorClass::ContentPolicy => "content_policy_violation",
        ErrorClass::ContextLength => "context_length_exceeded",
        ErrorClass::NotFound => "model_not_found",
        ErrorClass::Overloaded => "server_is_overloaded",
        ErrorClass::Permission => "permission_error",
        ErrorClass::Quota => "insufficient_quota",
        ErrorClass::RateLimit => "rate_limit_exceeded",
        ErrorClass::Timeout => "timeout_error",
        ErrorClass::TooLarge => "request_too_large",
        ErrorClass::InvalidRequest | ErrorClass::Server => return None,
    })
}

fn provider_error(class: ErrorClass) -> ProviderError {
    ProviderError {
        message: "no".to_owned(),
        code: code(class).map(str::to_owned),
        ..ProviderError::default()
    }
}

/// A failure without a status, as in a stream, of a scope that lets the client see it.
fn failure(class: ErrorClass) -> Failure {
    let is_request = matches!(
        class,
        ErrorClass::ContentPolicy | ErrorClass::ContextLength | ErrorClass::InvalidRequest
    );
    Failure {
        scope: if is_request {
            Scope::Request
        } else {
            Scope::Provider
        },
        kind: kind::TRANSIENT.into(),
        status: None,
        message: "no".to_owned(),
        retry_after: None,
        refresh_suggested: false,
        sent: true,
    }
}

fn reported(class: ErrorClass, from: Dialect) -> UpstreamFailure {
    UpstreamFailure {
        reported: Some(ReportedError {
            dialect: from,
            error: provider_error(class),
        }),
        ..UpstreamFailure::new(failure(class))
    }
}

/// An error response of a provider, with the format and the status of OpenAI's API.
fn responded(class: ErrorClass, from: Dialect) -> UpstreamFailure {
    let labels = (Dialect::OpenaiChat.codec().errors().labels)(class);
    let error = json!({"message": "no", "code": code(class)});
    UpstreamFailure {
        response: Some(ErrorResponse {
            dialect: from,
            status: StatusCode::from_u16(labels.status).unwrap(),
            headers: HeaderMap::new(),
            body: json!({ "error": error }).to_string().into(),
        }),
        ..UpstreamFailure::new(Failure {
            status: Some(labels.status),
            ..failure(class)
        })
    }
}

async fn shown(failure: &UpstreamFailure, recipient: Recipient) -> (u16, String, Bytes) {
    let response = upstream_error(failure, recipient).unwrap();
    let status = response.status().as_u16();
    let content_type = response.headers()[CONTENT_TYPE].to_str().unwrap();
    let content_type = content_type.to_owned();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, content_type, body)
}

/// The `type` of an error, or Gemini's `status`.
fn kind_of(body: &Value) -> &str {
    let error = &body["error"];
    let kind = error["type"].as_str().or_else(|| error["status"].as_str());
    kind.unwrap_or_default()
}

/// The status and the kind that a client of `to` expects. A fault of the provider without a class of its own is the
/// host's 502.
fn expected(class: ErrorClass, to: Dialect, is_response: bool) -> (u16, &'static str) {
    let codec = to.codec();
    if class == ErrorClass::Server && !is_response {
        return (502, codec.error_kind(502).0);
    }
    let labels = (codec.errors().labels)(class);
    (labels.status, labels.kind)
}

#[tokio::test]
async fn every_class_has_the_labels_of_the_clients_dialect() {
    for class in ErrorClass::ALL {
        for to in DIALECTS {
            for from in DIALECTS.into_iter().filter(|from| *from != to) {
                let place = format!("{} of {from} for {to}", class.name());
                let mut errors = vec![(responded(class, from), true)];
                // Without their status they would make tools ask for a login.
                let is_hidden =
                    [ErrorClass::Authentication, ErrorClass::Permission].contains(&class);
                let before = reported(class, from);
                assert_eq!(upstream_error(&before, to.into()).is_none(), is_hidden);
                if !is_hidden {
                    errors.push((before, false));
                }
                for (failure, is_response) in errors {
                    let (status, _, body) = shown(&failure, to.into()).await;
                    let body: Value = serde_json::from_slice(&body).unwrap();
                    let found = (status, kind_of(&body));
                    assert_eq!(found, expected(class, to, is_response), "{place}: {body}");
                    if let Some(code) = (to.codec().errors().labels)(class).codes.first()
                        && to != Dialect::Gemini
                    {
                        assert_eq!(body["error"]["code"], *code, "{place}: {body}");
                    }
                }
                let event = upstream_error_event(&responded(class, from), to, ErrorPlace::Event);
                let error = read_event(to, event.unwrap());
                let is_class = error.class(None) == class;
                // Codex repeats a call after any code that it does not know, and knows few.
                let has_no_code = to == Dialect::OpenaiResponses || class == ErrorClass::Server;
                let merged = ["content policy", "invalid request", "too large", "quota"];
                let is_merged = merged.contains(&class.name());
                assert!(is_class || has_no_code || is_merged, "{place}: {error:?}");
            }
        }
    }
}

fn read_event(dialect: Dialect, event: Bytes) -> ProviderError {
    let mut reader = SseReader::default();
    reader.push(event);
    let event = reader.next_event().unwrap().unwrap();
    let class = dialect
        .codec()
        .observer()
        .observe(event.name(), &event.data);
    match class {
        EventClass::Error(error) => error,
        other => panic!("{dialect}: {other:?}"),
    }
}

#[tokio::test]
async fn provider_of_the_clients_dialect_keeps_its_words() {
    for dialect in DIALECTS {
        let mut failure = reported(ErrorClass::RateLimit, dialect);
        if let Some(reported) = &mut failure.reported {
            reported.error.kind = Some("its_own_kind".to_owned());
            reported.error.code = Some("rate_limit_exceeded".to_owned());
        }
        failure.failure.retry_after = Some(std::time::Duration::from_millis(1_500));
        let response = upstream_error(&failure, dialect.into()).unwrap();
        assert_eq!(response.status(), 429, "{dialect}");
        assert_eq!(response.headers()[RETRY_AFTER], "2");
        let body = response.into_body().collect().await.unwrap().to_bytes();
        let body: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(kind_of(&body), "its_own_kind", "{body}");
        if dialect == Dialect::OpenaiChat || dialect == Dialect::OpenaiResponses {
            assert_eq!(body["error"]["code"], "rate_limit_exceeded");
        }
    }
}

#[tokio::test]
async fn codex_gets_a_request_that_is_too_long_in_a_stream() {
    let codex = Recipient {
        dialect: Dialect::OpenaiResponses,
        wants_events: true,
    };
    for failure in [
        reported(ErrorClass::ContextLength, Dialect::OpenaiResponses),
        reported(ErrorClass::ContextLength, Dialect::OpenaiChat),
        responded(ErrorClass::ContextLength, Dialect::Gemini),
    ] {
        let (status, content_type, body) = shown(&failure, codex).await;
        assert_eq!((status, &*content_type), (200, "text/event-stream"));
        let error = read_event(Dialect::OpenaiResponses, body);
        assert_eq!(error.code.as_deref(), Some("context_length_exceeded"));
    }
    // The provider's own response passes, as do all other errors, and clients without a stream get a status.
    let own = responded(ErrorClass::ContextLength, Dialect::OpenaiResponses);
    assert_eq!(shown(&own, codex).await.0, 400);
    let other = reported(ErrorClass::Overloaded, Dialect::OpenaiResponses);
    assert_eq!(shown(&other, codex).await.0, 503);
    let whole = reported(ErrorClass::ContextLength, Dialect::OpenaiChat);
    assert_eq!(shown(&whole, Dialect::OpenaiResponses.into()).await.0, 400);
}

/// OpenRouter's 402 for a request that the balance does not cover: a client of another dialect would read it as its own
/// account without a balance, or as a quota for which it waits.
#[tokio::test]
async fn balance_too_small_for_one_request_is_the_requests_fault() {
    let words = [
        ("requires more credits, or fewer max_tokens", None),
        (
            "Prompt tokens limit exceeded: 64128 > 6964",
            Some("context_length_exceeded"),
        ),
    ];
    for (message, code) in words {
        for to in DIALECTS {
            let body = json!({"error": {"message": message, "code": 402}}).to_string();
            let failure = UpstreamFailure {
                response: Some(ErrorResponse {
                    dialect: Dialect::OpenaiChat,
                    status: StatusCode::PAYMENT_REQUIRED,
                    headers: HeaderMap::new(),
                    body: body.clone().into(),
                }),
                ..UpstreamFailure::new(Failure {
                    kind: kind::BILLING.into(),
                    status: Some(402),
                    ..failure(ErrorClass::InvalidRequest)
                })
            };
            let (status, _, shown) = shown(&failure, to.into()).await;
            if to == Dialect::OpenaiChat {
                // The provider's own words for a client of its dialect.
                assert_eq!((status, &shown[..]), (402, body.as_bytes()));
                continue;
            }
            assert_eq!(status, 400, "{to}: {message}");
            let shown: Value = serde_json::from_slice(&shown).unwrap();
            let class = ErrorClass::InvalidRequest;
            let kind = (to.codec().errors().labels)(class).kind;
            assert_eq!(kind_of(&shown), kind, "{to}: {shown}");
            if to == Dialect::OpenaiResponses {
                assert_eq!(shown["error"]["code"].as_str(), code, "{shown}");
            }
        }
    }
}

#[test]
fn errors_about_credentials_stay_hidden() {
    for failure in [
        reported(ErrorClass::Authentication, Dialect::OpenaiChat),
        responded(ErrorClass::Quota, Dialect::OpenaiChat),
    ] {
        let mut failure = failure;
        failure.failure.scope = Scope::Credential;
        assert!(upstream_error(&failure, Dialect::Gemini.into()).is_none());
        let event = upstream_error_event(&failure, Dialect::Gemini, ErrorPlace::Event);
        assert!(event.is_none());
    }
}
