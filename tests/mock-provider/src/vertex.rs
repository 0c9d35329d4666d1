//! Vertex AI of Google Cloud: Google's models by Gemini's methods, and Claude's by `rawPredict` and `streamRawPredict`
//! (Vertex AI, REST reference; Google Cloud, "Request predictions with Claude models").

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Response, Uri};
use serde_json::{Value, json};

use crate::errors::{Api, ApiError};
use crate::request::{ModelRequest, RequestError};
use crate::serve::{EVENT_STREAM_TYPE, Endpoint, IncomingRequest};
use crate::{MockProvider, anthropic_messages, gemini};

/// The only project and the only location.
const PROJECT: &str = "test-project";
const LOCATION: &str = "europe-west1";

/// Serves `POST /v1/projects/{project}/locations/{location}/publishers/{publisher}/models/{model}:{method}`.
pub(super) async fn call_method(
    State(provider): State<Arc<MockProvider>>,
    Path((project, location, publisher, target)): Path<(String, String, String, String)>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let incoming = IncomingRequest { uri, headers, body };
    let (model, method) = target.rsplit_once(':').unwrap_or((&target, ""));
    let known = project == PROJECT && location == LOCATION;
    match (publisher.as_str(), method) {
        ("google", _) if known && model.starts_with("gemini-") => {
            gemini::call_method(&provider, Api::Vertex, &target, incoming).await
        }
        ("anthropic", "rawPredict") if known && model == "count-tokens" => {
            provider.serve_json(Api::VertexClaude, &incoming, |body| {
                let body = without_version(body)?;
                let counted = anthropic_messages::parse_count_request(body)?;
                Ok(json!({ "input_tokens": counted.tokens }))
            })
        }
        ("anthropic", "rawPredict" | "streamRawPredict")
            if known && model.starts_with("claude-") =>
        {
            let (model, stream) = (model.to_owned(), method == "streamRawPredict");
            let endpoint = Endpoint {
                api: Api::VertexClaude,
                parse: Box::new(move |body| parse_claude(body, &model, stream)),
                response_body: anthropic_messages::response_body,
                events: anthropic_messages::events,
                stream_content_type: EVENT_STREAM_TYPE,
            };
            provider.serve(endpoint, incoming).await
        }
        _ => Api::Vertex.error_response(&ApiError {
            status: 404,
            message: format!(
                "Publisher Model `projects/{project}/locations/{location}/publishers/{publisher}/models/{model}` \
                 was not found or your project does not have access to it. Please ensure you are using a valid \
                 model version."
            ),
            ..ApiError::default()
        }),
    }
}

/// Parses a body of Claude on Vertex AI: the model is in the URL, and the API's version is a member.
fn parse_claude(body: Value, model: &str, stream: bool) -> Result<ModelRequest, RequestError> {
    if body.get("model").is_some() {
        return Err(RequestError::at("model", "Extra inputs are not permitted"));
    }
    // The method alone does not make a stream.
    if (body["stream"] == true) != stream {
        return Err(RequestError::at("stream", "it contradicts the method"));
    }
    let mut body = without_version(body)?;
    body["model"] = json!(model);
    anthropic_messages::parse_request(body)
}

fn without_version(mut body: Value) -> Result<Value, RequestError> {
    let version = body
        .as_object_mut()
        .and_then(|body| body.remove("anthropic_version"));
    if version != Some(json!("vertex-2023-10-16")) {
        return Err(RequestError::at("anthropic_version", "Field required"));
    }
    Ok(body)
}
