//! The paths below `/families/NAME`: the provider's paths, as strict as that family of servers.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::header::CONTENT_LENGTH;
use axum::http::{HeaderMap, Response, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use serde_json::Value;

use super::errors::json_response;
use super::family::ServerFamily;
use super::serve::REQUEST_BODY_BYTES_MAX;
use super::{MockProvider, openai_chat};

/// Adds the strict paths to the provider's own.
pub(super) fn with_families(provider: &Arc<MockProvider>, routes: &Router) -> Router {
    ServerFamily::all()
        .values()
        .fold(routes.clone(), |all, family| {
            let strict = (Arc::clone(provider), family);
            let strict = routes.clone().layer(from_fn_with_state(strict, check));
            all.nest(&format!("/families/{}", family.family), strict)
        })
}

async fn check(
    State((provider, family)): State<(Arc<MockProvider>, &'static ServerFamily)>,
    request: Request,
    next: Next,
) -> Response<Body> {
    let (mut head, body) = request.into_parts();
    let Ok(body) = to_bytes(body, REQUEST_BODY_BYTES_MAX).await else {
        let mut response = json_response(&Value::Null);
        *response.status_mut() = StatusCode::PAYLOAD_TOO_LARGE;
        return response;
    };
    // What is no JSON is for the path itself.
    let Ok(mut parsed) = serde_json::from_slice::<Value>(&body) else {
        return next.run(Request::from_parts(head, body.into())).await;
    };
    if let Err(refusal) = family.check(&parsed, gemini_model(head.uri.path())) {
        let (path, query) = (head.uri.path(), head.uri.query());
        provider.requests.record(path, query, &head.headers, &body);
        let mut response = json_response(&refusal.body);
        *response.status_mut() =
            StatusCode::from_u16(refusal.status).unwrap_or(StatusCode::BAD_REQUEST);
        return response;
    }
    let body = match family.dialect.as_str() {
        // The family has members that OpenAI's API does not have, which the path would refuse.
        "openai-chat" => {
            openai_chat::remove_unknown(&mut parsed);
            Bytes::from(parsed.to_string())
        }
        _ => body,
    };
    set_length(&mut head.headers, body.len());
    next.run(Request::from_parts(head, body.into())).await
}

/// The model in a path of Gemini's API: `/v1beta/models/MODEL:METHOD`.
fn gemini_model(path: &str) -> Option<&str> {
    let (_, target) = path.split_once("/models/")?;
    target.split_once(':').map(|(model, _)| model)
}

fn set_length(headers: &mut HeaderMap, length: usize) {
    if headers.contains_key(CONTENT_LENGTH) {
        headers.insert(CONTENT_LENGTH, length.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_model_in_the_path() {
        let path = "/v1beta/models/gemini-3-pro:generateContent";
        assert_eq!(gemini_model(path), Some("gemini-3-pro"));
        assert_eq!(gemini_model("/v1/messages"), None);
    }
}
