//! Serves a request on any path: authenticates and parses it, then sends the response, whole or as a
//! stream, with the pauses and failures of its directives.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue, Response, Uri};
use futures_util::stream::unfold;
use serde_json::Value;
use tokio::time::sleep;

use super::MockProvider;
use super::directives::Directives;
use super::errors::{Api, ApiError, json_response};
use super::request::{ModelRequest, RequestError};
use super::response::ModelResponse;

/// A request before it is parsed.
pub(super) struct IncomingRequest {
    pub(super) uri: Uri,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// Parses and validates the body of a request.
pub(super) type ParseRequest =
    Box<dyn Fn(Value) -> Result<ModelRequest, RequestError> + Send + Sync>;

/// How a path parses requests and renders responses.
pub(super) struct Endpoint {
    pub(super) api: Api,
    /// Parses the body.
    pub(super) parse: ParseRequest,
    /// Renders a whole response.
    pub(super) response_body: fn(&ModelRequest, &ModelResponse) -> Value,
    /// Renders the events of a stream. The last one marks its end.
    pub(super) events: fn(&ModelRequest, &ModelResponse) -> Vec<Bytes>,
    /// The content type of a stream.
    pub(super) stream_content_type: &'static str,
}

/// The size limit of a request body, in bytes; Anthropic's API has the same limit.
pub(super) const REQUEST_BODY_BYTES_MAX: usize = 32 << 20;

/// The content type of server-sent events.
pub(super) const EVENT_STREAM_TYPE: &str = "text/event-stream; charset=utf-8";

impl IncomingRequest {
    /// Returns the key, if it is where this API expects it.
    fn key(&self, api: Api) -> Option<String> {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let named = |name: &str| self.headers.get(name).map(|it| text(it.as_bytes()));
        let authorization = self.headers.get(AUTHORIZATION);
        // No provider accepts a key without the scheme.
        let bearer = authorization
            .and_then(|it| it.as_bytes().split_at_checked(7))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case(b"bearer "))
            .map(|(_, token)| text(token.trim_ascii()));
        let key = match api {
            // Azure has the key in `api-key`.
            Api::OpenAi | Api::OpenAiResponses => bearer.or_else(|| named("api-key")),
            Api::Anthropic => named("x-api-key").or(bearer),
            Api::Acme | Api::Bedrock | Api::Vertex | Api::VertexClaude => bearer,
            Api::Gemini | Api::GeminiJsonArray => named("x-goog-api-key")
                .or_else(|| self.query("key").map(str::to_owned))
                .or(bearer),
        };
        key.filter(|key| !key.is_empty())
    }

    /// Returns a query parameter.
    pub(super) fn query(&self, name: &str) -> Option<&str> {
        let pairs = self.uri.query()?.split('&');
        let mut pairs = pairs.filter_map(|pair| pair.split_once('='));
        pairs
            .find(|(found, _)| *found == name)
            .map(|(_, value)| value)
    }
}

impl MockProvider {
    /// Records, authenticates and counts a request. Returns the name under which its caller is counted.
    pub(super) fn admit(&self, api: Api, incoming: &IncomingRequest) -> Result<String, ApiError> {
        let IncomingRequest { uri, headers, body } = incoming;
        self.requests.record(uri.path(), uri.query(), headers, body);
        let key = match api {
            Api::Bedrock => self.bedrock_caller(incoming)?,
            _ => {
                let key = incoming
                    .key(api)
                    .ok_or_else(|| ApiError::unauthorized("no API key was provided"))?;
                self.caller(key)
                    .map_err(|error| ApiError::unauthorized(error.to_string()))?
            }
        };
        self.count(&key);
        let Some(failure) = self.failure_of(&key) else {
            return Ok(key);
        };
        // Some providers repeat the key in their errors, so a proxy must redact it.
        let message = format!("the mock provider rejects the API key {key}");
        let status = failure.status.as_u16();
        Err(ApiError {
            status,
            message,
            code: (status == 401).then_some("invalid_api_key"),
            retry_after: failure.retry_after,
            field: None,
        })
    }

    /// Serves a request for a model's response.
    pub(super) async fn serve(
        self: &Arc<Self>,
        endpoint: Endpoint,
        incoming: IncomingRequest,
    ) -> Response<Body> {
        match self.parse_request(&endpoint, &incoming) {
            Ok((request, key)) => self.respond(&endpoint, &request, &key).await,
            Err(error) => endpoint.api.error_response(&error),
        }
    }

    /// Serves a request that never streams.
    pub(super) fn serve_json(
        &self,
        api: Api,
        incoming: &IncomingRequest,
        handle: impl FnOnce(Value) -> Result<Value, RequestError>,
    ) -> Response<Body> {
        let response = self
            .admit(api, incoming)
            .and_then(|_| parse_body(&incoming.body))
            .and_then(|body| handle(body).map_err(ApiError::from));
        match response {
            Ok(body) => json_response(&body),
            Err(error) => api.error_response(&error),
        }
    }

    /// Admits and parses a request; returns it with its caller.
    fn parse_request(
        &self,
        endpoint: &Endpoint,
        incoming: &IncomingRequest,
    ) -> Result<(ModelRequest, String), ApiError> {
        let key = self.admit(endpoint.api, incoming)?;
        let mut request = (endpoint.parse)(parse_body(&incoming.body)?)?;
        request.directives.only_requested_calls |=
            self.only_requested_calls.load(Ordering::Relaxed);
        match request.directives.status {
            Some(status) => Err(requested_error(status, request.directives.retry_after)),
            None => Ok((request, key)),
        }
    }

    async fn respond(
        self: &Arc<Self>,
        endpoint: &Endpoint,
        request: &ModelRequest,
        key: &str,
    ) -> Response<Body> {
        let response = ModelResponse::generate(request, key);
        if request.stream {
            return self.stream(endpoint, request, (endpoint.events)(request, &response));
        }
        if request.directives.silent_ms > 0 {
            sleep(Duration::from_millis(request.directives.silent_ms)).await;
        }
        json_response(&(endpoint.response_body)(request, &response))
    }

    fn stream(
        self: &Arc<Self>,
        endpoint: &Endpoint,
        request: &ModelRequest,
        mut events: Vec<Bytes>,
    ) -> Response<Body> {
        let directives = request.directives.clone();
        if directives.omit_end {
            events.pop();
        }
        if let Some(after) = directives.events_error_after {
            events.truncate(usize::try_from(after).unwrap_or(usize::MAX));
            events.push(endpoint.api.error_event(
                &requested_error(endpoint.api.overloaded_status(), None),
                after,
            ));
        }
        let start = (0_u32, events.into_iter(), OpenStream::new(self));
        let body = unfold(start, move |(sent, mut events, open)| {
            let directives = directives.clone();
            async move {
                pause(&directives, sent).await;
                if directives.break_after.is_some_and(|most| sent >= most) {
                    return Some((
                        Err(ConnectionAborted),
                        (u32::MAX, Vec::new().into_iter(), open),
                    ));
                }
                let event = events.next()?;
                Some((Ok(event), (sent.saturating_add(1), events, open)))
            }
        });
        let mut response = Response::new(Body::from_stream(body));
        let kind = HeaderValue::from_static(endpoint.stream_content_type);
        response.headers_mut().insert(CONTENT_TYPE, kind);
        response
    }
}

/// Reads a body as JSON. A `status` directive takes effect here, even if the body is invalid otherwise.
fn parse_body(body: &[u8]) -> Result<Value, ApiError> {
    let body: Value =
        serde_json::from_slice(body).map_err(|error| RequestError::at("", error.to_string()))?;
    let directives =
        Directives::read(&body, "").map_err(|error| RequestError::at("mock", error))?;
    match directives.status {
        Some(status) => Err(requested_error(status, directives.retry_after)),
        None => Ok(body),
    }
}

fn requested_error(status: u16, retry_after: Option<u64>) -> ApiError {
    ApiError {
        status,
        message: "a directive requested this status".to_owned(),
        retry_after,
        ..ApiError::default()
    }
}

async fn pause(directives: &Directives, sent: u32) {
    let silent = if sent == directives.silent_after {
        directives.silent_ms
    } else {
        0
    };
    let pause = directives.pause_ms.saturating_add(silent);
    if pause > 0 {
        sleep(Duration::from_millis(pause)).await;
    }
}

/// Aborts a stream, and with it the connection.
#[derive(Debug, thiserror::Error)]
#[error("the directive `break_after` aborts the connection")]
struct ConnectionAborted;

/// Counts a stream as open until it is dropped, also when the client disconnects.
struct OpenStream(Arc<MockProvider>);

impl OpenStream {
    fn new(provider: &Arc<MockProvider>) -> Self {
        provider.streams_open.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(provider))
    }
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        self.0.streams_open.fetch_sub(1, Ordering::Relaxed);
    }
}
