//! Amazon Bedrock's runtime API: `InvokeModel` with Claude's bodies, and Converse, whole and as streams (Amazon Bedrock API
//! reference). It verifies signatures, and refuses as AWS does.

mod converse;
mod converse_render;
mod converse_schema;
mod signature;

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Response, Uri};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

pub use self::signature::MockAccessKey;
use crate::MockProvider;
use crate::amazon_event_stream::{CONTENT_TYPE, event_message};
use crate::anthropic_messages;
use crate::errors::{Api, ApiError};
use crate::request::{ModelRequest, RequestError};
use crate::response::ModelResponse;
use crate::serve::{Endpoint, IncomingRequest};
use crate::unix_time::now;

/// Serves `POST /model/{modelId}/{operation}`.
pub(super) async fn call_operation(
    State(provider): State<Arc<MockProvider>>,
    Path((model, operation)): Path<(String, String)>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let is_claude = model.contains("anthropic.");
    let endpoint = match operation.as_str() {
        "invoke" | "invoke-with-response-stream" if is_claude => Endpoint {
            api: Api::Bedrock,
            parse: Box::new(move |body| parse_claude(body, &model, operation != "invoke")),
            response_body: anthropic_messages::response_body,
            events: claude_events,
            stream_content_type: CONTENT_TYPE,
        },
        "converse" | "converse-stream" => Endpoint {
            api: Api::Bedrock,
            parse: Box::new(move |body| converse::parse(&body, &model, operation != "converse")),
            response_body: converse_render::response_body,
            events: converse_render::events,
            stream_content_type: CONTENT_TYPE,
        },
        _ => {
            return Api::Bedrock.error_response(&ApiError {
                status: 404,
                message: format!("there is no operation {operation} for {model}"),
                code: Some("UnknownOperationException"),
                ..ApiError::default()
            });
        }
    };
    let incoming = IncomingRequest { uri, headers, body };
    let mut response = provider.serve(endpoint, incoming).await;
    let (name, id) = (
        HeaderName::from_static("x-amzn-requestid"),
        HeaderValue::from_static("39c52d8a-a39c-42bb-a269-ec2735bdccc6"),
    );
    response.headers_mut().insert(name, id);
    response
}

/// Parses a body of Claude on Bedrock (user guide, Anthropic Claude Messages API): the model is in the URL, the operation
/// says whether to stream, and the API's version is a member.
fn parse_claude(mut body: Value, model: &str, stream: bool) -> Result<ModelRequest, RequestError> {
    let Some(members) = body.as_object_mut() else {
        return Err(RequestError::at("", "Malformed input request"));
    };
    for name in ["model", "stream"] {
        if members.contains_key(name) {
            return Err(RequestError::at(name, "Extra inputs are not permitted"));
        }
    }
    if members.remove("anthropic_version") != Some(json!("bedrock-2023-05-31")) {
        return Err(RequestError::at("anthropic_version", "Field required"));
    }
    // The only beta that this mock knows.
    let betas = members.remove("anthropic_beta").unwrap_or(json!([]));
    let known = |beta: &Value| beta == "context-1m-2025-08-07";
    if !betas
        .as_array()
        .is_some_and(|betas| betas.iter().all(known))
    {
        return Err(RequestError::at("", "invalid beta flag"));
    }
    body["model"] = json!(model);
    body["stream"] = json!(stream);
    anthropic_messages::parse_request(body)
}

/// Wraps the events of Claude's API into messages `chunk`, whose payloads have them in base64.
fn claude_events(request: &ModelRequest, response: &ModelResponse) -> Vec<Bytes> {
    let events = anthropic_messages::events(request, response);
    let chunk = |event: &Bytes| {
        let text = String::from_utf8_lossy(event);
        let data = text.lines().find_map(|line| line.strip_prefix("data: "));
        let bytes = STANDARD.encode(data.unwrap_or_default());
        // `p` pads the messages to one length, so that lengths tell nothing of tokens.
        event_message("chunk", &json!({ "bytes": bytes, "p": "abcdefgh" }))
    };
    events.iter().map(chunk).collect()
}

impl MockProvider {
    /// Accepts signatures by an access key of AWS.
    pub fn add_access_key(&self, key: MockAccessKey) {
        self.access_keys.lock().push(key);
    }

    /// Returns the caller of Bedrock: its API key, or the id of the access key that signed.
    pub(super) fn bedrock_caller(&self, incoming: &IncomingRequest) -> Result<String, ApiError> {
        let Some(authorization) = incoming.headers.get(AUTHORIZATION) else {
            return Err(forbidden(
                "MissingAuthenticationTokenException",
                "Missing Authentication Token",
            ));
        };
        let text = authorization.to_str().unwrap_or_default();
        if let Some(key) = text.strip_prefix("Bearer ") {
            let keys = self.keys.lock();
            if keys.is_empty() || keys.contains(key) {
                return Ok(key.to_owned());
            }
            // anomalyco/opencode#47073
            return Err(forbidden(
                "AccessDeniedException",
                "Authentication failed: Please make sure your API Key is valid.",
            ));
        }
        let keys = self.access_keys.lock();
        signature::verify(&keys, text, incoming, now())
            .map_err(|(exception, message)| forbidden(exception, message))
    }
}

fn forbidden(exception: &'static str, message: impl Into<String>) -> ApiError {
    ApiError {
        status: 403,
        message: message.into(),
        code: Some(exception),
        ..ApiError::default()
    }
}

#[cfg(test)]
mod tests;
