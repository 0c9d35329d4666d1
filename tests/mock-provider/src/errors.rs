//! The errors of each API: the body, the status, the `retry-after` header, and the event in a stream.

use axum::body::{Body, Bytes};
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderValue, Response, StatusCode};
use serde_json::{Value, json};

use super::acme;
use super::amazon_event_stream::exception_message;
use super::request::RequestError;

/// The API whose error format a response has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Api {
    /// OpenAI's, except for streams of the Responses API.
    OpenAi,
    /// OpenAI's Responses API.
    OpenAiResponses,
    /// Anthropic's.
    Anthropic,
    /// Gemini's.
    Gemini,
    /// Amazon Bedrock's.
    Bedrock,
    /// Google's on Vertex AI.
    Vertex,
    /// Claude's on Vertex AI: those of access are Google's, the others are Claude's.
    VertexClaude,
    /// Gemini's, in a stream that is one JSON array.
    GeminiJsonArray,
    /// That of a made-up provider with a format of its own.
    Acme,
}

/// An error before it is rendered for an API.
#[derive(Debug, Clone, Default)]
pub(super) struct ApiError {
    pub(super) status: u16,
    pub(super) message: String,
    pub(super) field: Option<String>,
    pub(super) code: Option<&'static str>,
    /// In seconds.
    pub(super) retry_after: Option<u64>,
}

impl From<RequestError> for ApiError {
    fn from(error: RequestError) -> Self {
        Self {
            status: error.status,
            message: error.message,
            field: (!error.field.is_empty()).then_some(error.field),
            code: error.code,
            retry_after: None,
        }
    }
}

impl ApiError {
    /// A missing, unknown or expired key.
    pub(super) fn unauthorized(message: impl Into<String>) -> Self {
        Self {
            status: 401,
            message: message.into(),
            code: Some("invalid_api_key"),
            ..Self::default()
        }
    }
}

impl Api {
    /// Renders the error as a response.
    pub(super) fn error_response(self, error: &ApiError) -> Response<Body> {
        let (status, body) = self.error_body(error);
        let mut response = json_response(&body);
        *response.status_mut() =
            StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        // Gemini has the delay only in the body, and Bedrock has none.
        let has_header = matches!(
            self,
            Self::OpenAi | Self::OpenAiResponses | Self::Anthropic | Self::VertexClaude
        );
        if let (Some(seconds), true) = (error.retry_after, has_header) {
            let seconds = HeaderValue::from(seconds);
            response.headers_mut().insert(RETRY_AFTER, seconds);
        }
        if self == Self::Bedrock {
            let name = bedrock_exception(error);
            // As in aws-beam/aws-erlang#161.
            let name = format!("{name}:http://internal.amazon.com/coral/com.amazon.coral.service/");
            if let Ok(name) = HeaderValue::from_str(&name) {
                response.headers_mut().insert("x-amzn-errortype", name);
            }
        }
        response
    }

    /// Returns the status of an overloaded provider.
    pub(super) fn overloaded_status(self) -> u16 {
        match self {
            Self::Anthropic | Self::VertexClaude => 529,
            Self::OpenAi
            | Self::OpenAiResponses
            | Self::Acme
            | Self::Bedrock
            | Self::Gemini
            | Self::GeminiJsonArray
            | Self::Vertex => 503,
        }
    }

    fn error_body(self, error: &ApiError) -> (u16, Value) {
        match self {
            Self::OpenAi | Self::OpenAiResponses => (error.status, openai_body(error)),
            Self::Anthropic => (error.status, anthropic_body(error)),
            Self::Bedrock => (error.status, bedrock_body(error)),
            Self::Acme => (error.status, acme::error_body(error)),
            Self::Vertex | Self::VertexClaude if error.code == Some("invalid_api_key") => {
                (401, unauthenticated_body(error))
            }
            Self::VertexClaude => (error.status, anthropic_body(error)),
            Self::Vertex => gemini_status_and_body(error),
            Self::Gemini | Self::GeminiJsonArray => gemini_status_and_body(error),
        }
    }

    /// Renders the error as an event of a stream; `number` counts the events before it.
    pub(super) fn error_event(self, error: &ApiError, number: u32) -> Bytes {
        match self {
            Self::OpenAi => sse_event(None, &openai_body(error)),
            Self::OpenAiResponses => {
                let data = json!({ "type": "error", "code": "server_error", "param": null,
                    "message": error.message, "sequence_number": number });
                sse_event(Some("error"), &data)
            }
            Self::Anthropic | Self::VertexClaude => {
                sse_event(Some("error"), &anthropic_body(error))
            }
            Self::Bedrock => exception_message("serviceUnavailableException", &error.message),
            Self::Acme => acme::line(&acme::error_body(error)),
            Self::Gemini | Self::Vertex => sse_event(None, &gemini_status_and_body(error).1),
            Self::GeminiJsonArray => {
                let before = if number == 0 { "[" } else { ",\r\n" };
                Bytes::from(format!("{before}{}\n]\n", gemini_status_and_body(error).1))
            }
        }
    }
}

/// Renders an error by OpenAI's guide to error codes.
fn openai_body(error: &ApiError) -> Value {
    let (kind, code) = match error.status {
        401 => ("invalid_request_error", Some("invalid_api_key")),
        403 => ("permission_error", None),
        404 => ("invalid_request_error", Some("model_not_found")),
        429 => ("rate_limit_error", Some("rate_limit_exceeded")),
        500.. => ("server_error", None),
        _ => ("invalid_request_error", None),
    };
    let code = error.code.or(code);
    json!({ "error": { "message": error.message, "type": kind, "param": error.field, "code": code } })
}

/// Renders an error by Anthropic's page on errors.
fn anthropic_body(error: &ApiError) -> Value {
    let kind = match error.status {
        401 => "authentication_error",
        402 => "billing_error",
        403 => "permission_error",
        404 => "not_found_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        504 => "timeout_error",
        529 => "overloaded_error",
        500.. => "api_error",
        _ => "invalid_request_error",
    };
    let message = match &error.field {
        Some(field) => format!("{field}: {}", error.message),
        None => error.message.clone(),
    };
    json!({ "type": "error", "error": { "type": kind, "message": message },
        "request_id": "req_mock" })
}

/// The exception of an error (Amazon Bedrock API reference, errors of each operation).
fn bedrock_exception(error: &ApiError) -> &'static str {
    match (error.code, error.status) {
        (Some(name), _) if name.ends_with("Exception") => name,
        (_, 401 | 403) => "AccessDeniedException",
        (_, 404) => "ResourceNotFoundException",
        (_, 408) => "ModelTimeoutException",
        (_, 424) => "ModelErrorException",
        (_, 429) => "ThrottlingException",
        (_, 503) => "ServiceUnavailableException",
        (_, 500..) => "InternalServerException",
        _ => "ValidationException",
    }
}

/// Renders an error of Bedrock. Those of access control write the member with a capital letter.
fn bedrock_body(error: &ApiError) -> Value {
    let message = match &error.field {
        Some(field) => format!("{field}: {}", error.message),
        None => error.message.clone(),
    };
    let name = match error.code {
        Some("AccessDeniedException") => "Message",
        _ => "message",
    };
    json!({ name: message })
}

/// Renders Google's error of a missing, unknown or expired access token.
fn unauthenticated_body(error: &ApiError) -> Value {
    let reason = if error.message.contains("expired") {
        "ACCESS_TOKEN_EXPIRED"
    } else {
        "ACCESS_TOKEN_TYPE_UNSUPPORTED"
    };
    let message = "Request had invalid authentication credentials. Expected OAuth 2 access token, login \
                   cookie or other valid authentication credential. See \
                   https://developers.google.com/identity/sign-in/web/devconsole-project.";
    json!({ "error": { "code": 401, "message": message, "status": "UNAUTHENTICATED", "details": [{
        "@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason, "domain": "googleapis.com",
    }] } })
}

/// Renders an error by Google's error model, in which an invalid key is a bad request.
fn gemini_status_and_body(error: &ApiError) -> (u16, Value) {
    let kind = |name: &str| format!("type.googleapis.com/google.rpc.{name}");
    let mut details = Vec::new();
    if error.code == Some("invalid_api_key") {
        details.push(
            json!({ "@type": kind("ErrorInfo"), "reason": "API_KEY_INVALID",
            "domain": "googleapis.com" }),
        );
        let message = format!("API key not valid: {}", error.message);
        let rpc_status = json!({ "code": 400, "message": message, "status": "INVALID_ARGUMENT",
            "details": details });
        return (400, json!({ "error": rpc_status }));
    }
    let status = match error.status {
        400 => "INVALID_ARGUMENT",
        401 => "UNAUTHENTICATED",
        403 => "PERMISSION_DENIED",
        404 => "NOT_FOUND",
        409 => "ABORTED",
        429 => "RESOURCE_EXHAUSTED",
        499 => "CANCELLED",
        501 => "UNIMPLEMENTED",
        503 => "UNAVAILABLE",
        504 => "DEADLINE_EXCEEDED",
        500.. => "INTERNAL",
        _ => "FAILED_PRECONDITION",
    };
    if let Some(field) = &error.field {
        details.push(json!({ "@type": kind("BadRequest"),
            "fieldViolations": [{ "field": field, "description": error.message }] }));
    }
    if let Some(seconds) = error.retry_after {
        details.push(json!({ "@type": kind("RetryInfo"), "retryDelay": format!("{seconds}s") }));
    }
    let message = match &error.field {
        Some(field) => format!("{} ({field})", error.message),
        None => error.message.clone(),
    };
    let rpc_status = json!({ "code": error.status, "message": message, "status": status,
        "details": details });
    (error.status, json!({ "error": rpc_status }))
}

/// Creates a response with a JSON body.
pub(super) fn json_response(body: &Value) -> Response<Body> {
    let mut response = Response::new(Body::from(body.to_string()));
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, json);
    response
}

/// Writes a server-sent event.
pub(super) fn sse_event(name: Option<&str>, data: &Value) -> Bytes {
    let name = name.map(|name| format!("event: {name}\n"));
    Bytes::from(format!("{}data: {data}\n\n", name.unwrap_or_default()))
}

#[cfg(test)]
mod tests;
