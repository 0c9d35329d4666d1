//! Reads the parts of a request. Axum's own extractors answer failures with plain text; these answer
//! with the JSON of [`ApiError`].

use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use axum::http::request::Parts;
use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};

use crate::error::ApiError;
use crate::limits::BODY_BYTES_MAX;

/// The name in the path, such as the id of a credential, after percent-decoding.
pub(crate) struct Name(pub(crate) String);

impl<S: Send + Sync> FromRequestParts<S> for Name {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let Path(name) = Path::from_request_parts(parts, state)
            .await
            .map_err(|_| ApiError::InvalidPath)?;
        Ok(Self(name))
    }
}

/// The body of a request, at most [`BODY_BYTES_MAX`] bytes.
pub(crate) struct RequestBody(pub(crate) Bytes);

impl<S: Send + Sync> FromRequest<S> for RequestBody {
    type Rejection = ApiError;

    async fn from_request(request: Request, _state: &S) -> Result<Self, ApiError> {
        let body = Limited::new(request.into_body(), BODY_BYTES_MAX);
        match body.collect().await {
            Ok(collected) => Ok(Self(collected.to_bytes())),
            Err(error) if error.is::<LengthLimitError>() => Err(ApiError::BodyTooLarge),
            Err(error) => Err(ApiError::BodyIncomplete(error.to_string())),
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::response::IntoResponse;
    use serde_json::{Value, json};

    use super::*;

    async fn read(bytes: usize) -> Result<usize, ApiError> {
        let request = Request::new(Body::from(vec![b' '; bytes]));
        RequestBody::from_request(request, &())
            .await
            .map(|body| body.0.len())
    }

    #[tokio::test]
    async fn large_body_gets_413_in_json() -> Result<(), Box<dyn std::error::Error>> {
        assert_eq!(read(BODY_BYTES_MAX).await?, BODY_BYTES_MAX);
        let Err(error) = read(BODY_BYTES_MAX + 1).await else {
            return Err("a body above the limit was read".into());
        };
        let response = error.into_response();
        assert_eq!(response.status(), 413);
        assert_eq!(response.headers()["content-type"], "application/json");
        let body = response.into_body().collect().await?.to_bytes();
        let body: Value = serde_json::from_slice(&body)?;
        let message = "the request body is larger than 256 KiB; send a smaller one";
        let error = json!({ "code": "payload_too_large", "message": message });
        assert_eq!(body, json!({ "error": error }));
        Ok(())
    }
}
