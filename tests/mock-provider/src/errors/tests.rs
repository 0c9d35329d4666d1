//! Tests the errors against the documentation of each API.

use super::*;

fn api_error(status: u16) -> ApiError {
    ApiError {
        status,
        message: "invalid".to_owned(),
        field: Some("a.b".to_owned()),
        retry_after: Some(7),
        ..ApiError::default()
    }
}

#[test]
fn openai_error_names_the_parameter() {
    let error = &Api::OpenAi.error_body(&api_error(400)).1["error"];
    assert_eq!(error["type"], "invalid_request_error");
    assert_eq!(
        (&error["param"], &error["code"]),
        (&json!("a.b"), &Value::Null)
    );
    assert_eq!(
        Api::OpenAi.error_body(&api_error(429)).1["error"]["code"],
        "rate_limit_exceeded"
    );
}

#[test]
fn anthropic_error_type_follows_the_status() {
    for (status, kind) in [
        (401, "authentication_error"),
        (429, "rate_limit_error"),
        (500, "api_error"),
        (529, "overloaded_error"),
        (418, "invalid_request_error"),
    ] {
        let (_, body) = Api::Anthropic.error_body(&api_error(status));
        assert_eq!(
            (&body["type"], &body["error"]["type"]),
            (&json!("error"), &json!(kind))
        );
        assert_eq!(body["error"]["message"], "a.b: invalid");
    }
}

#[test]
fn gemini_sends_the_retry_delay_in_the_body() {
    let response = Api::Gemini.error_response(&api_error(429));
    assert_eq!(response.headers().get(RETRY_AFTER), None);
    let (status, body) = Api::Gemini.error_body(&api_error(429));
    assert_eq!(
        (status, &body["error"]["status"]),
        (429, &json!("RESOURCE_EXHAUSTED"))
    );
    assert_eq!(body["error"]["details"][1]["retryDelay"], "7s");
    assert_eq!(
        Api::Anthropic.error_response(&api_error(429)).headers()[RETRY_AFTER],
        "7"
    );
}

#[test]
fn gemini_reports_an_invalid_key_as_bad_request() {
    let refused = ApiError::unauthorized("no");
    let (status, body) = Api::Gemini.error_body(&refused);
    assert_eq!(
        (status, &body["error"]["details"][0]["reason"]),
        (400, &json!("API_KEY_INVALID"))
    );
    assert_eq!(Api::Anthropic.error_body(&refused).0, 401);
}

#[test]
fn error_event_has_the_format_of_its_stream() {
    let event_text =
        |api: Api| String::from_utf8(api.error_event(&api_error(529), 3).to_vec()).unwrap();
    assert!(event_text(Api::OpenAi).starts_with("data: {\"error\":"));
    let anthropic = event_text(Api::Anthropic);
    assert!(
        anthropic.starts_with("event: error\ndata: {\"type\":\"error\""),
        "{anthropic}"
    );
    assert!(event_text(Api::OpenAiResponses).contains("\"sequence_number\":3"));
    assert!(event_text(Api::Gemini).contains("\"code\":529"));
}
