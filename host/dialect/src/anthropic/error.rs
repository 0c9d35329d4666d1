//! The errors that Jackfield itself makes.

use bytes::Bytes;
use serde_json::{Value, json};

use crate::ErrorBody;

/// Renders an error as Anthropic's API does: `{"type": "error", "error": {"type", "message"}}`
/// (<https://platform.claude.com/docs/en/api/errors>). The code is in `details.error_code`, where the
/// SDKs look for it; the invalid member and the cooldown are members beside it.
#[must_use]
pub(crate) fn render_error(error: &ErrorBody<'_>) -> Bytes {
    envelope(error).to_string().into()
}

/// Renders an error inside a stream: an event named `error` with the object of [`render_error`]. The
/// SDKs raise an exception by its name and stop reading.
#[must_use]
pub(crate) fn render_stream_error(error: &ErrorBody<'_>) -> Bytes {
    let mut out = Vec::new();
    crate::sse::write_event("error", envelope(error).to_string().as_bytes(), &mut out);
    out.into()
}

/// Returns the `type` for a status, from the API's page on errors. The API has no codes.
#[must_use]
pub(crate) const fn error_kind(status: u16) -> (&'static str, Option<&'static str>) {
    let kind = match status {
        401 => "authentication_error",
        402 => "billing_error",
        403 => "permission_error",
        404 => "not_found_error",
        408 | 504 => "timeout_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        503 | 529 => "overloaded_error",
        500.. => "api_error",
        _ => "invalid_request_error",
    };
    (kind, None)
}

fn envelope(error: &ErrorBody<'_>) -> Value {
    let mut inner = json!({"type": error.kind, "message": error.message});
    if let Some(code) = error.code {
        inner["details"] = json!({"error_code": code});
    }
    if let Some(param) = error.param {
        inner["param"] = param.into();
    }
    if let Some(cooldown) = error.cooldown {
        inner["model"] = cooldown.model.into();
        if let Some(provider) = cooldown.provider {
            inner["provider"] = provider.into();
        }
        inner["reset_time"] = cooldown.reset_time.into();
        inner["reset_seconds"] = cooldown.reset_seconds.into();
    }
    json!({"type": "error", "error": inner})
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::anthropic::observer;
    use crate::sse::{SseError, SseReader};
    use crate::{CooldownBody, EventClass, ProviderError};

    const ERROR: ErrorBody<'_> = ErrorBody {
        message: "a \"b\"\nc",
        kind: "overloaded_error",
        code: None,
        param: None,
        cooldown: None,
    };

    #[test]
    fn renders_error_envelope() {
        let body = r#"{"type":"error","error":{"type":"overloaded_error","message":"a \"b\"\nc"}}"#;
        assert_eq!(render_error(&ERROR), body);
        assert_eq!(
            render_stream_error(&ERROR),
            format!("event: error\ndata: {body}\n\n")
        );
        let cooldown = CooldownBody {
            model: "m",
            provider: None,
            reset_time: "2s",
            reset_seconds: 2,
        };
        let more = ErrorBody {
            code: Some("model_cooldown"),
            param: Some("model"),
            cooldown: Some(cooldown),
            ..ERROR
        };
        let body = r#"{"type":"error","error":{"type":"overloaded_error","message":"a \"b\"\nc","details":{"error_code":"model_cooldown"},"param":"model","model":"m","reset_time":"2s","reset_seconds":2}}"#;
        assert_eq!(render_error(&more), body);
    }

    #[test]
    fn renders_stream_error_as_one_event() -> Result<(), SseError> {
        let mut reader = SseReader::default();
        reader.push(render_stream_error(&ERROR));
        let event = reader
            .next_event()?
            .ok_or(SseError::EventTooLong { bytes_max: 0 })?;
        let error = ProviderError {
            message: ERROR.message.to_owned(),
            kind: Some("overloaded_error".to_owned()),
            code: None,
            param: None,
        };
        let class = observer().observe(event.name(), &event.data);
        assert_eq!(class, EventClass::Error(error));
        Ok(())
    }

    #[test]
    fn maps_status_to_error_kind() {
        let cases = [
            (400, "invalid_request_error"),
            (401, "authentication_error"),
            (404, "not_found_error"),
            (413, "request_too_large"),
            (429, "rate_limit_error"),
            (502, "api_error"),
            (503, "overloaded_error"),
            (504, "timeout_error"),
        ];
        for (status, kind) in cases {
            assert_eq!(error_kind(status), (kind, None));
        }
    }
}
