//! Errors in the formats that real providers send.

use super::*;
use crate::limits::{CODE_BYTES_MAX, ERROR_MESSAGE_BYTES_MAX, PASSED_ON_BYTES_MAX};

fn read(body: &str) -> Option<[String; 4]> {
    let ProviderError {
        message,
        kind,
        code,
        param,
        passed_on: _,
    } = ProviderError::read(body.as_bytes())?;
    Some([
        message,
        kind.unwrap_or_default(),
        code.unwrap_or_default(),
        param.unwrap_or_default(),
    ])
}

#[test]
fn reads_every_known_shape() {
    let cases = [
        (
            r#"{"error":{"message":"m","type":"t","param":"p","code":"c"}}"#,
            ["m", "t", "c", "p"],
        ),
        (
            r#"{"error":{"code":402,"message":"m","metadata":{"x":1}}}"#,
            ["m", "", "402", ""],
        ),
        (
            r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#,
            ["Overloaded", "overloaded_error", "", ""],
        ),
        (
            r#"[{"error":{"code":429,"message":"m","status":"RESOURCE_EXHAUSTED"}}]"#,
            ["m", "RESOURCE_EXHAUSTED", "429", ""],
        ),
        (r#"{"error":"text"}"#, ["text", "", "", ""]),
        (
            r#"{"error":"not_found","message":"no such thing"}"#,
            ["no such thing", "", "not_found", ""],
        ),
        (
            r#"{"object":"error","message":"m","type":"t","param":null,"code":1500}"#,
            ["m", "t", "1500", ""],
        ),
        (r#"{"statusCode":401,"message":"m"}"#, ["m", "", "", ""]),
        (
            r#"{"message":{"detail":1}}"#,
            [r#"{"detail":1}"#, "", "", ""],
        ),
        (r#"{"detail":"Not Found"}"#, ["Not Found", "", "", ""]),
        (
            r#"{"detail":{"message":"m","code":"c"}}"#,
            ["m", "", "c", ""],
        ),
        (
            r#"{"detail":[{"type":"missing","loc":["body","messages",0],"msg":"Field required"},{"msg":"x"}]}"#,
            ["Field required", "missing", "", "body.messages.0"],
        ),
        (r#"{"error":{}, "message":"m"}"#, ["m", "", "", ""]),
        (r#"{"error":{"type":"t"}}"#, ["", "t", "", ""]),
        (r#"{"error":503}"#, ["503", "", "", ""]),
    ];
    for (body, expected) in cases {
        assert_eq!(read(body), Some(expected.map(str::to_owned)), "{body}");
    }
}

#[test]
fn ignores_bodies_without_error() {
    for body in [
        "",
        "<html>",
        "[]",
        "null",
        "{}",
        "{\"error\":null}",
        "{\"error\":{}}",
        "{\"detail\":[]}",
        "{\"detail\":[1]}",
        "{\"error\":",
    ] {
        assert_eq!(read(body), None, "{body}");
    }
    assert_eq!(ProviderError::read(b"{\"error\":\"\xff\"}"), None);
}

#[test]
fn truncates_long_messages_at_char_boundaries() {
    let message = format!("a{}", "é".repeat(ERROR_MESSAGE_BYTES_MAX));
    let body = format!(r#"{{"error":{{"message":"{message}","code":"{message}"}}}}"#);
    let error = ProviderError::read(body.as_bytes()).unwrap_or_default();
    assert_eq!(error.message.len(), ERROR_MESSAGE_BYTES_MAX - 1);
    assert_eq!(error.code.map(|code| code.len()), Some(CODE_BYTES_MAX - 1));
}

#[test]
fn survives_deep_nesting() {
    for member in ["error", "detail", "message"] {
        let body = format!(
            r#"{}1{}"#,
            format!(r#"{{"{member}":"#).repeat(1 << 16),
            "}".repeat(1 << 16)
        );
        let message = ProviderError::read(body.as_bytes()).map(|error| error.message.len());
        assert!(message.is_some_and(|length| length <= ERROR_MESSAGE_BYTES_MAX));
    }
}

#[test]
fn derives_http_status_from_kind_or_code() {
    let status = |kind: Option<&str>, code: Option<&str>| {
        let error = ProviderError {
            kind: kind.map(str::to_owned),
            code: code.map(str::to_owned),
            ..ProviderError::default()
        };
        error.status()
    };
    assert_eq!(status(Some("UNAVAILABLE"), Some("503")), Some(503));
    assert_eq!(status(Some("UNAVAILABLE"), None), Some(503));
    assert_eq!(status(Some("rate_limit_error"), None), Some(429));
    assert_eq!(status(None, Some("rate_limit_exceeded")), Some(429));
    assert_eq!(status(Some("api_error"), Some("7")), Some(500));
    assert_eq!(status(Some("odd"), Some("odder")), None);
}

#[test]
fn reads_what_a_gateway_passes_on() {
    let message = |body: &str| {
        let error = ProviderError::read(body.as_bytes()).unwrap();
        error.full_message().into_owned()
    };
    let cases = [
        (
            // massgen/MassGen#665
            r#"{"error":{"message":"Provider returned error","code":400,"metadata":{"raw":"{\n  \"error\": {\n    \"code\": 400,\n    \"message\": \"Corrupted thought signature.\"}}","provider_name":"Google AI Studio"}}}"#,
            "Provider returned error: Corrupted thought signature.",
        ),
        (
            r#"{"error":{"message":"m","metadata":{"raw":{"message":"inner"}}}}"#,
            "m: inner",
        ),
        (
            r#"{"error":{"message":"m","metadata":{"raw":"plain"}}}"#,
            "m: plain",
        ),
        (
            r#"{"error":{"message":"","metadata":{"raw":"plain"}}}"#,
            "plain",
        ),
        (r#"{"error":{"message":"m","metadata":{"raw":null}}}"#, "m"),
        (r#"{"error":{"message":"m","metadata":"x"}}"#, "m"),
    ];
    for (body, expected) in cases {
        assert_eq!(message(body), expected, "{body}");
    }
    let long = format!(
        r#"{{"error":{{"metadata":{{"raw":"{}"}}}}}}"#,
        "é".repeat(1 << 13)
    );
    let error = ProviderError::read(long.as_bytes()).unwrap();
    assert!(error.passed_on.unwrap().len() <= PASSED_ON_BYTES_MAX);
}
