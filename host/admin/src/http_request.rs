//! `/http-request`: sends a request of the operator to a provider, with a credential's secrets. It has no
//! effect on health.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use jackfield_credential::CredentialId;
use jackfield_dispatch::{RawRequest, RawResponse};

use crate::Admin;
use crate::error::ApiError;
use crate::extract::RequestBody;
use crate::types::{HttpRequest, HttpResponse};

/// Sends the request and returns the provider's response, whatever its status.
pub(crate) async fn send(
    State(admin): State<Arc<Admin>>,
    RequestBody(body): RequestBody,
) -> Result<Json<HttpResponse>, ApiError> {
    let request: HttpRequest =
        serde_json::from_slice(&body).map_err(|error| match error.classify() {
            serde_json::error::Category::Data => ApiError::InvalidHttpRequest(error.to_string()),
            _ => ApiError::BodyNotJson {
                line: error.line(),
                column: error.column(),
            },
        })?;
    let id = CredentialId::from(request.credential.clone());
    let raw = raw_request(request)?;
    // The query of a URL may contain secrets.
    tracing::info!(credential = %id, method = raw.method, "admin: HTTP request");
    let sent = admin.parts.dispatcher.whole_http_request(&id, raw).await;
    Ok(Json(response(&sent?)))
}

fn raw_request(request: HttpRequest) -> Result<RawRequest, ApiError> {
    let invalid = |message: &str| ApiError::InvalidHttpRequest(message.to_owned());
    let mut headers = HeaderMap::new();
    for (name, value) in &request.headers {
        let name = HeaderName::from_bytes(name.as_bytes());
        let value = HeaderValue::from_bytes(value.as_bytes());
        let (Ok(name), Ok(value)) = (name, value) else {
            return Err(invalid("headers: invalid name or value"));
        };
        headers.append(name, value);
    }
    let body = match (request.body, request.body_base64) {
        (Some(_), Some(_)) => return Err(invalid("give `body` or `body_base64`, not both")),
        (Some(text), None) => Bytes::from(text),
        (None, Some(encoded)) => {
            let decoded = STANDARD.decode(encoded);
            Bytes::from(decoded.map_err(|_| invalid("body_base64: is not Base64"))?)
        }
        (None, None) => Bytes::new(),
    };
    Ok(RawRequest {
        method: request.method,
        url: request.url,
        headers,
        body,
    })
}

fn response(response: &RawResponse) -> HttpResponse {
    let mut headers: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, value) in &response.headers {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        headers.entry(name.to_string()).or_default().push(value);
    }
    let (body, body_base64) = match std::str::from_utf8(&response.body) {
        Ok(text) => (Some(text.to_owned()), None),
        Err(_) => (None, Some(STANDARD.encode(&response.body))),
    };
    HttpResponse {
        status: response.status.as_u16(),
        headers,
        body,
        body_base64,
    }
}

#[cfg(test)]
mod tests {
    use axum::http::StatusCode;

    use super::*;

    fn request() -> HttpRequest {
        HttpRequest {
            credential: "a".to_owned(),
            url: "https://provider.test/v1/files".to_owned(),
            ..HttpRequest::default()
        }
    }

    #[test]
    fn body_is_text_or_base64() -> Result<(), ApiError> {
        let text = HttpRequest {
            body: Some("é".to_owned()),
            ..request()
        };
        assert_eq!(raw_request(text.clone())?.body, "é".as_bytes());
        let encoded = HttpRequest {
            body_base64: Some("AP8=".to_owned()),
            ..request()
        };
        assert_eq!(&raw_request(encoded)?.body[..], [0, 255]);
        let both = HttpRequest {
            body_base64: Some("AP8=".to_owned()),
            ..text
        };
        let undecodable = HttpRequest {
            body_base64: Some("?".to_owned()),
            ..request()
        };
        let header = HttpRequest {
            headers: BTreeMap::from([("a b".to_owned(), "c".to_owned())]),
            ..request()
        };
        for invalid in [both, undecodable, header] {
            assert!(matches!(
                raw_request(invalid),
                Err(ApiError::InvalidHttpRequest(_))
            ));
        }
        Ok(())
    }

    #[test]
    fn response_has_all_values_of_a_header_and_any_body() {
        let mut headers = HeaderMap::new();
        headers.append("x-a", HeaderValue::from_static("1"));
        headers.append("x-a", HeaderValue::from_static("2"));
        let shown = response(&RawResponse {
            status: StatusCode::IM_A_TEAPOT,
            headers,
            body: Bytes::from_static(&[0, 255]),
        });
        assert_eq!(
            (shown.status, &shown.headers["x-a"][..]),
            (418, &["1".to_owned(), "2".to_owned()][..])
        );
        assert_eq!(
            (shown.body, shown.body_base64.as_deref()),
            (None, Some("AP8="))
        );
    }
}
