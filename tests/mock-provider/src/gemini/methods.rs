//! Gemini's methods, which are the end of the path.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::http::Response;
use serde_json::{Value, json};

use super::parse::{count_tokens, parse_batch_embed_request, parse_embed_request, parse_request};
use super::render::{array_items, events, response_body};
use crate::MockProvider;
use crate::embeddings::{gemini_values, tokens};
use crate::errors::{Api, ApiError};
use crate::request::{ModelRequest, RequestError};
use crate::response::ModelResponse;
use crate::serve::{EVENT_STREAM_TYPE, Endpoint, IncomingRequest};

/// Serves a call of `MODEL:METHOD`, with the errors of `api` where it is no stream in JSON.
pub(crate) async fn call_method(
    provider: &Arc<MockProvider>,
    api: Api,
    target: &str,
    incoming: IncomingRequest,
) -> Response<Body> {
    let (model, method) = target.rsplit_once(':').unwrap_or((target, ""));
    let sse = incoming.query("alt") == Some("sse");
    let events: fn(&ModelRequest, &ModelResponse) -> Vec<Bytes> =
        if sse { events } else { array_items };
    let stream_type = if sse {
        EVENT_STREAM_TYPE
    } else {
        "application/json"
    };
    match method {
        "generateContent" | "streamGenerateContent" => {
            let stream = method == "streamGenerateContent";
            let model = model.to_owned();
            let endpoint = Endpoint {
                api: if sse || !stream {
                    api
                } else {
                    Api::GeminiJsonArray
                },
                parse: Box::new(move |body| parse_request(body, &model, stream)),
                response_body,
                events,
                stream_content_type: stream_type,
            };
            provider.serve(endpoint, incoming).await
        }
        "countTokens" | "embedContent" | "batchEmbedContents" => {
            let handle = |body| json_method(method, model, body);
            provider.serve_json(api, &incoming, handle)
        }
        _ => api.error_response(&ApiError {
            status: 404,
            message: format!("there is no method {method}"),
            ..ApiError::default()
        }),
    }
}

/// Serves a method that never streams.
fn json_method(method: &str, model: &str, body: Value) -> Result<Value, RequestError> {
    match method {
        "countTokens" => Ok(json!({ "totalTokens": count_tokens(body)? })),
        "embedContent" => {
            let (text, dimensions) = parse_embed_request(body)?;
            Ok(json!({ "embedding": gemini_values(&text, dimensions),
                "usageMetadata": { "promptTokenCount": tokens(&text) } }))
        }
        _ => {
            let inputs = parse_batch_embed_request(body, model)?;
            let values = inputs
                .iter()
                .map(|(text, dimensions)| gemini_values(text, *dimensions));
            Ok(json!({ "embeddings": values.collect::<Vec<_>>() }))
        }
    }
}
