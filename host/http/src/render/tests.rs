//! What a client is told when there is nobody to serve it.

use axum::body::to_bytes;
use serde_json::json;

use super::*;

/// The status, the headers that matter, and the object `error`.
async fn rendered(error: &CallError) -> (u16, Option<String>, String, Value) {
    let response = call_error(error, Dialect::OpenaiChat, &"id".into());
    let (head, body) = response.into_parts();
    let header = |name: HeaderName| {
        let value = head.headers.get(name)?;
        Some(value.to_str().unwrap_or_default().to_owned())
    };
    assert_eq!(header(CONTENT_TYPE).as_deref(), Some("application/json"));
    let body = to_bytes(body, 1 << 20).await.unwrap_or_default();
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let own = header(OWN_ERROR).unwrap_or_default();
    (
        head.status.as_u16(),
        header(RETRY_AFTER),
        own,
        body["error"].clone(),
    )
}

fn unfit(reasons: Reasons, retry_after: Option<Duration>) -> CallError {
    CallError::Unfit {
        model: "gpt-test".to_owned(),
        unfit: Unfit::NoneFit(reasons),
        retry_after,
    }
}

#[tokio::test]
async fn seed_1_10_a_model_cooldown_is_a_429_with_the_time_in_header_and_body() {
    let cooling = Reasons {
        cooling: 2,
        ..Reasons::default()
    };
    for (wait, seconds, text) in [
        (Duration::from_millis(1), 1, "1s"),
        (Duration::from_millis(1001), 2, "2s"),
        (Duration::from_secs(90), 90, "1m30s"),
        (Duration::from_secs(12 * 3600 + 5), 43_205, "12h0m5s"),
    ] {
        let (status, retry_after, own, error) = rendered(&unfit(cooling, Some(wait))).await;
        assert_eq!((status, own.as_str()), (429, "unfit"));
        assert_eq!(retry_after, Some(seconds.to_string()));
        assert_eq!(error["code"], "model_cooldown");
        assert_eq!(error["model"], "gpt-test");
        assert_eq!(error["reset_time"], text);
        assert_eq!(error["reset_seconds"], seconds);
        assert!(
            error["message"].to_string().contains("2 cooling"),
            "{error}"
        );
        assert_eq!(error.get("provider"), None);
    }
}

#[tokio::test]
async fn seed_1_10_one_that_does_not_cool_makes_it_unavailable() {
    let wait = Some(Duration::from_secs(5));
    let barred = Reasons {
        cooling: 3,
        barred: 1,
        ..Reasons::default()
    };
    let (status, retry_after, _, error) = rendered(&unfit(barred, wait)).await;
    assert_eq!((status, retry_after.as_deref()), (503, Some("5")));
    assert_eq!(error["code"], "auth_unavailable");
    assert_eq!(error.get("reset_seconds"), None);
    let message = error["message"].to_string();
    assert!(
        message.contains("1 barred") && message.contains("3 cooling"),
        "{message}"
    );
}

#[tokio::test]
async fn seed_1_10_disabled_credentials_are_none_at_all() {
    let disabled = Reasons {
        disabled: 2,
        ..Reasons::default()
    };
    let (status, retry_after, _, error) = rendered(&unfit(disabled, None)).await;
    assert_eq!((status, retry_after), (503, None));
    assert_eq!(error["code"], "auth_not_found");
    let busy = Reasons {
        busy: 1,
        ..disabled
    };
    let (_, _, _, error) = rendered(&unfit(busy, None)).await;
    assert_eq!(error["code"], "auth_unavailable");
}

#[tokio::test]
async fn an_unknown_model_is_not_found() {
    let (status, _, _, error) = rendered(&CallError::UnknownModel("gpt-none".to_owned())).await;
    assert_eq!((status, &error["code"]), (404, &json!("model_not_found")));
    assert!(error["message"].to_string().contains("gpt-none"), "{error}");
}
