//! Errors and lists of models that Jackfield renders.

use serde_json::{Value, json};

use super::super::{
    error_kind, observer, render_error, render_model, render_model_list, render_stream_error,
};
use super::Outcome;
use crate::codec::ModelEntry;
use crate::sse::SseReader;
use crate::{CooldownBody, ErrorBody, EventClass};

#[test]
fn renders_google_rpc_status() -> Outcome {
    let (kind, code) = error_kind(429);
    let error = ErrorBody {
        message: "Wait.",
        kind,
        code,
        param: Some("contents"),
        cooldown: Some(CooldownBody {
            model: "m",
            provider: None,
            reset_time: "1m 10s",
            reset_seconds: 70,
        }),
    };
    let body: Value = serde_json::from_slice(&render_error(&error))?;
    let expected = json!({"error": {
        "code": 429,
        "message": "Wait.",
        "status": "RESOURCE_EXHAUSTED",
        "model": "m",
        "reset_time": "1m 10s",
        "reset_seconds": 70,
        "details": [
            {"@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": [{"field": "contents", "description": "Wait."}]},
            {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "70s"},
        ],
    }});
    assert_eq!(body, expected);

    let mut reader = SseReader::default();
    reader.push(render_stream_error(&error));
    let event = reader.next_event()?.ok_or("there is no event")?;
    assert_eq!((event.name(), reader.buffered_len()), ("", 0));
    assert_eq!(serde_json::from_slice::<Value>(&event.data)?, expected);
    let class = observer().observe(event.name(), &event.data);
    assert!(matches!(class, EventClass::Error(error) if error.code.as_deref() == Some("429")));
    Ok(())
}

#[test]
fn error_code_repeats_http_status() {
    for status in [
        400, 401, 402, 403, 404, 408, 409, 413, 422, 429, 499, 500, 501, 502, 503, 504,
    ] {
        let (_, code) = error_kind(status);
        assert_eq!(code, Some(status.to_string().as_str()));
    }
    assert_eq!(error_kind(418), ("INVALID_ARGUMENT", Some("400")));
    assert_eq!(error_kind(529), ("UNAVAILABLE", Some("503")));
}

#[test]
fn renders_model_list() -> Outcome {
    let entry = |name, owner| ModelEntry {
        name,
        owner,
        created: 7,
    };
    let list = render_model_list(&[entry("a", "x"), entry("b", "y")]);
    let list: Value = serde_json::from_slice(&list)?;
    let one: Value = serde_json::from_slice(&render_model(&entry("b", "y")))?;
    assert_eq!(list["models"][1], one);
    assert_eq!(
        (&one["name"], &one["displayName"]),
        (&json!("models/b"), &json!("b"))
    );
    assert_eq!(one["supportedGenerationMethods"][0], "generateContent");
    Ok(())
}
