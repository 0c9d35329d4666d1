//! Tests of the errors, each against what its provider documents.

use super::*;

fn trouble(status: u16) -> Trouble {
    Trouble {
        status,
        message: "told".to_owned(),
        field: Some("a.b".to_owned()),
        retry_after: Some(7),
        ..Trouble::default()
    }
}

#[test]
fn openai_names_the_parameter() {
    let error = &Voice::OpenAi.body(&trouble(400)).1["error"];
    assert_eq!(error["type"], "invalid_request_error");
    assert_eq!(
        (&error["param"], &error["code"]),
        (&json!("a.b"), &Value::Null)
    );
    assert_eq!(
        Voice::OpenAi.body(&trouble(429)).1["error"]["code"],
        "rate_limit_exceeded"
    );
}

#[test]
fn anthropic_has_a_type_for_each_status() {
    for (status, kind) in [
        (401, "authentication_error"),
        (429, "rate_limit_error"),
        (500, "api_error"),
        (529, "overloaded_error"),
        (418, "invalid_request_error"),
    ] {
        let (_, body) = Voice::Anthropic.body(&trouble(status));
        assert_eq!(
            (&body["type"], &body["error"]["type"]),
            (&json!("error"), &json!(kind))
        );
        assert_eq!(body["error"]["message"], "a.b: told");
    }
}

#[test]
fn gemini_tells_the_pause_in_the_body() {
    let response = Voice::Gemini.refuse(&trouble(429));
    assert_eq!(response.headers().get(RETRY_AFTER), None);
    let (status, body) = Voice::Gemini.body(&trouble(429));
    assert_eq!(
        (status, &body["error"]["status"]),
        (429, &json!("RESOURCE_EXHAUSTED"))
    );
    assert_eq!(body["error"]["details"][1]["retryDelay"], "7s");
    assert_eq!(
        Voice::Anthropic.refuse(&trouble(429)).headers()[RETRY_AFTER],
        "7"
    );
}

#[test]
fn a_wrong_key_is_a_bad_request_of_gemini() {
    let refused = Trouble::unauthorized("no".to_owned());
    let (status, body) = Voice::Gemini.body(&refused);
    assert_eq!(
        (status, &body["error"]["details"][0]["reason"]),
        (400, &json!("API_KEY_INVALID"))
    );
    assert_eq!(Voice::Anthropic.body(&refused).0, 401);
}

#[test]
fn an_event_is_in_the_shape_of_its_stream() {
    let told = |voice: Voice| String::from_utf8(voice.event(&trouble(529), 3).to_vec()).unwrap();
    assert!(told(Voice::OpenAi).starts_with("data: {\"error\":"));
    let anthropic = told(Voice::Anthropic);
    assert!(
        anthropic.starts_with("event: error\ndata: {\"type\":\"error\""),
        "{anthropic}"
    );
    assert!(told(Voice::Responses).contains("\"sequence_number\":3"));
    assert!(told(Voice::Gemini).contains("\"code\":529"));
}
